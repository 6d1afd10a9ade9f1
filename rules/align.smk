rule align:
    """The runs side by side on the pages of all images: which categories mean the same, and where seeds disagree."""
    input:
        galleries=of_runs(rules.report.output.gallery, CONFIG.run),
        source=source("align"),
    output:
        folder=directory("<data>/align"),
    log:
        "<data>/logs/align.log",
    benchmark:
        "<data>/benchmarks/align.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=run_arguments(RUNS),
        settings=runs.settings(CONFIG.report),
    shell:
        "python -m workflow_scripts.align {params.runs} --out {output.folder}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
