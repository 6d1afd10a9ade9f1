rule extract:
    """Step 2a: one vector an image."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        encoder=rules.pretrain.output.encoder,
        code=code("extract"),
    output:
        features="<run>/extract/features.h5",
    log:
        "<run>/logs/extract.log",
    benchmark:
        "<run>/benchmarks/extract.jsonl"
    cache: shared("extract")
    conda:
        ENV
    threads: 8
    resources:
        mem_mb=3000,
        runtime="12h",
        gpu=1,
    params:
        settings=settings("extract"),
        contents=contents,
    shell:
        "python -m workflow_scripts.extract --images {input.images} --store {input.store}"
        " --encoder {input.encoder} --out {output.features}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
