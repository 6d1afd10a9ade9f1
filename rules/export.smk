rule export:
    """One file that segments images on its own: the network, its threshold and the names of the classes."""
    input:
        images=rules.prepare.output.images,
        segmenter=rules.finetune.output.segmenter,
        threshold=THRESHOLD,
        scores=rules.evaluate.output.scores,
        source=source("export"),
    output:
        model="<run>/export/model.safetensors",
    log:
        "<run>/logs/export.log",
    benchmark:
        "<run>/benchmarks/export.jsonl"
    conda:
        ENV
    threads: 1
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        settings=settings("export"),
    shell:
        "python -m workflow_scripts.export --images {input.images} --segmenter {input.segmenter}"
        " --threshold {input.threshold} --scores {input.scores} --out {output.model}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
