rule limited:
    """Limited-sample probe: the whole network, taught by a share of the labels of an annotated data set."""
    input:
        root=annotated_input,
        encoder=encoder_of,
        source=source("limited"),
    output:
        scores="<run>/probes/limited/{percent}/scores.json",
        table="<run>/probes/limited/{percent}/per_class.csv",
        probe="<run>/probes/limited/{percent}/probe.safetensors",
        steps="<run>/probes/limited/{percent}/log.jsonl",
    log:
        "<run>/logs/limited.{percent}.log",
    benchmark:
        "<run>/benchmarks/limited.{percent}.jsonl"
    conda:
        ENV
    threads: 8 * PROCESSES
    resources:
        **TRAINING,
        mem_mb=3000,
        runtime="2d",
        processes=PROCESSES,
        device=DEVICE,
    params:
        settings=probed.settings(CONFIG, "limited"),
        root=annotated_root,
        mark=mark_of_annotated,
        state=f"{RUN}/state/probes/limited/{{percent}}",
    shell:
        "python -m workflow_scripts.limited --root {params.root:q} --encoder {input.encoder}"
        " --percent {wildcards.percent} --seed {wildcards.seed}"
        " --state {params.state} --out {output.scores} --table {output.table} --probe {output.probe}"
        " --log {output.steps}"
        " --processes {resources.processes} --nodes {resources.nodes} --device {resources.device}"
        " --checkpoint-minutes {resources.checkpoint_minutes}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
