rule linear:
    """Linear probe: a 1x1 convolution on the frozen encoder, taught by the labels of an annotated data set.

    Images and labels of it that were added, removed or replaced since then are noticed, see luss_core/probed.py.
    """
    input:
        root=annotated_input,
        encoder=encoder_of,
        source=source("linear"),
    output:
        scores="<run>/probes/linear/scores.json",
        table="<run>/probes/linear/per_class.csv",
        probe="<run>/probes/linear/probe.safetensors",
        masks=directory("<run>/probes/linear/masks"),
        steps="<run>/probes/linear/log.jsonl",
    log:
        "<run>/logs/linear.log",
    benchmark:
        "<run>/benchmarks/linear.jsonl"
    conda:
        ENV
    threads: 8
    resources:
        mem_mb=3000,
        runtime="1d",
        gpu=min(GPUS, 1),
        nodes=1,
        device=DEVICE,
        checkpoint_minutes=TRAINING["checkpoint_minutes"],
    params:
        settings=probed.settings(CONFIG, "linear"),
        root=annotated_root,
        mark=mark_of_annotated,
        state=f"{RUN}/state/probes/linear",
    shell:
        "python -m workflow_scripts.linear --root {params.root:q} --encoder {input.encoder} --seed {wildcards.seed}"
        " --state {params.state} --out {output.scores} --table {output.table} --probe {output.probe} --masks {output.masks}"
        " --log {output.steps} --device {resources.device}"
        " --checkpoint-minutes {resources.checkpoint_minutes}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
