rule infer:
    """Step 4: masks, and the label and score of every pixel for any other threshold."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        segmenter=rules.finetune.output.segmenter,
        code=code("infer"),
    output:
        masks=directory("<run>/infer/masks"),
        scored=directory("<run>/infer/scored"),
        threshold="<run>/infer/threshold.json",
    log:
        "<run>/logs/infer.log",
    benchmark:
        "<run>/benchmarks/infer.jsonl"
    conda:
        ENV
    threads: 8
    resources:
        mem_mb=3000,
        runtime="12h",
        gpu=1,
    params:
        settings=settings("infer"),
    shell:
        "python -m workflow_scripts.infer --images {input.images} --store {input.store}"
        " --segmenter {input.segmenter} --masks {output.masks} --scored {output.scored}"
        " --threshold {output.threshold}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
