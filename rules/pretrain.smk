rule pretrain:
    """Step 1: an encoder that learned from the images alone. Goes on from its state when it was stopped."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        prior=prior_of_preset,
        weights=weights_of_preset,
        begin=encoder_begun_from,
        source=source_of_method,
    output:
        encoder="<run>/pretrain/encoder.safetensors",
        heads="<run>/pretrain/heads.safetensors",
        steps="<run>/pretrain/log.jsonl",
    log:
        "<run>/logs/pretrain.log",
    benchmark:
        "<run>/benchmarks/pretrain.jsonl"
    cache: cacheable("pretrain")
    conda:
        ENV
    threads: 8 * PROCESSES
    resources:
        **TRAINING,
        mem_mb=3000,
        runtime="7d",
        processes=PROCESSES,
        device=DEVICE,
        folders=folders_of_preset,
    params:
        settings=settings("pretrain"),
        prior=prior_argument,
        begin=begin_argument,
        seed="{seed}",
        contents=contents,
    shell:
        "python -m workflow_scripts.pretrain --images {input.images} --store {input.store} {params.prior} {params.begin} --seed {params.seed}"
        f" --state {STATE}/pretrain"
        " --out {output.encoder} --log {output.steps}"
        " --folders {resources.folders}"
        " --processes {resources.processes} --nodes {resources.nodes} --device {resources.device}"
        " --checkpoint-minutes {resources.checkpoint_minutes}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
