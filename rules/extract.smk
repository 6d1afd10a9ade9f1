rule extract:
    """Step 2a: one vector an image."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        encoder=encoder_of,
        source=source("extract"),
    output:
        features=in_parts(FEATURES, f"{RUN}/extract/part{PART}.h5"),
    log:
        f"{RUN}/logs/extract{PART}.log",
    benchmark:
        f"{RUN}/benchmarks/extract{PART}.jsonl"
    cache: cacheable("extract")
    conda:
        ENV
    threads: 8 * PROCESSES
    resources:
        mem_mb=3000,
        runtime="12h",
        gpu=GPUS,
        nodes=1,
        processes=PROCESSES,
        device=DEVICE,
    params:
        settings=settings("extract"),
        part=PART and "--part {scatteritem}",
        contents=contents,
    shell:
        "python -m workflow_scripts.extract --images {input.images} --store {input.store}"
        " --encoder {input.encoder} --out {output.features}"
        " {params.part} --processes {resources.processes} --device {resources.device}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"


if CONFIG.shards > 1:

    rule join_features:
        """The parts of step 2a as one file."""
        input:
            parts=gather.parts("<run>/extract/part.{scatteritem}.h5"),
            images=rules.prepare.output.images,
            source=source("join"),
        output:
            features=FEATURES,
        log:
            "<run>/logs/join_features.log",
        benchmark:
            "<run>/benchmarks/join_features.jsonl"
        conda:
            ENV
        threads: 1
        resources:
            mem_mb=3000,
            runtime="4h",
        shell:
            "python -m workflow_scripts.join features {input.parts} --images {input.images} --out {output.features}"
            " 2>&1 | tee -i {log}"
