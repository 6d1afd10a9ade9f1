rule finetune:
    """Step 3: a segmenter that learned from the pseudo labels. Goes on from its state when it was stopped."""
    input:
        store=rules.prepare.output.store,
        encoder=encoder_of,
        clusters=labels_of,
        images=images_of_corrected,
        source=source("finetune"),
    output:
        segmenter="<run>/finetune/segmenter.safetensors",
        steps="<run>/finetune/log.jsonl",
    log:
        "<run>/logs/finetune.log",
    benchmark:
        "<run>/benchmarks/finetune.jsonl"
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
        settings=settings("finetune"),
        classes=CONFIG.classes,
        state=f"{RUN}/state/finetune",
        images=images_argument,
        corrected=corrected_arguments,
    shell:
        "python -m workflow_scripts.finetune --store {input.store} --encoder {input.encoder}"
        " --clusters {input.clusters} --classes {params.classes} --seed {wildcards.seed}"
        " --state {params.state} --out {output.segmenter} --log {output.steps}"
        " --processes {resources.processes} --nodes {resources.nodes} --device {resources.device}"
        " --checkpoint-minutes {resources.checkpoint_minutes} {params.images} {params.corrected}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
