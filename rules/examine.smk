rule examine:
    """What the encoder learned: how alike it sees one place in two views, and one category; its attention."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        encoder=encoder_of,
        heads=heads_of,
        prior=prior_of_preset,
        source=source("examine"),
    output:
        measures="<run>/examine/examine.json",
        attention=directory("<run>/examine/attention"),
        similarity=directory("<run>/examine/similarity"),
    log:
        "<run>/logs/examine.log",
    benchmark:
        "<run>/benchmarks/examine.jsonl"
    conda:
        ENV
    threads: 8
    resources:
        mem_mb=3000,
        runtime="12h",
        gpu=min(GPUS, 1),
        nodes=1,
        device=DEVICE,
    params:
        settings=settings("examine"),
        classes=CONFIG.classes,
        prior=prior_argument,
    shell:
        "python -m workflow_scripts.examine --images {input.images} --store {input.store}"
        " --encoder {input.encoder} {params.prior} --classes {params.classes}"
        " --out {output.measures} --attention {output.attention}"
        " --similarity {output.similarity}"
        " --device {resources.device}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
