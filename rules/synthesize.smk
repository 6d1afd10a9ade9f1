rule synthesize:
    """The embedded data set: scenes with exact masks, in ImageNet-S layout."""
    input:
        source=source("synthesize"),
    output:
        root=directory("<data>/synthesize"),
    log:
        "<data>/logs/synthesize.log",
    benchmark:
        "<data>/benchmarks/synthesize.jsonl"
    conda:
        ENV
    threads: 8
    resources:
        mem_mb=2000,
        runtime="30m",
    params:
        settings=settings("synthesize"),
    shell:
        "python -m workflow_scripts.synthesize --out {output.root}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
