rule segment:
    """Supervised segmentation: DeepLabV3+ begun from an encoder, taught by a share of the labels of an annotated data set."""
    input:
        root=annotated_input,
        encoder=encoder_of,
        source=source("segment"),
    output:
        scores="<run>/segment/{percent}/scores.json",
        table="<run>/segment/{percent}/per_class.csv",
        network="<run>/segment/{percent}/network.safetensors",
        masks=directory("<run>/segment/{percent}/masks"),
        steps="<run>/segment/{percent}/log.jsonl",
    log:
        "<run>/logs/segment.{percent}.log",
    benchmark:
        "<run>/benchmarks/segment.{percent}.jsonl"
    conda:
        ENV
    threads: 8 * PROCESSES
    resources:
        **TRAINING,
        mem_mb=4000,
        runtime="2d",
        processes=PROCESSES,
        device=DEVICE,
    params:
        settings=runs.settings(CONFIG.segment),
        data=runs.settings(CONFIG.probes.data),
        root=annotated_root,
        mark=mark_of_annotated,
        percent=share_of_labels,
        state=f"{RUN}/state/segment/{{percent}}",
    shell:
        "python -m workflow_scripts.segment --root {params.root:q} --data {params.data:q} --encoder {input.encoder}"
        " --percent {params.percent} --seed {wildcards.seed}"
        " --state {params.state} --out {output.scores} --table {output.table} --network {output.network}"
        " --masks {output.masks} --log {output.steps}"
        " --processes {resources.processes} --nodes {resources.nodes} --device {resources.device}"
        " --checkpoint-minutes {resources.checkpoint_minutes}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
