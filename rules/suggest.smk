rule suggest:
    """How many categories do the images of the runs show? A page with a recommendation; it sets nothing."""
    input:
        features=of_runs(FEATURES, dict.fromkeys(EXTRACTORS.values())),
        source=source("suggest"),
    output:
        page=report(
            "<data>/suggest/index.html",
            caption="captions/suggest.rst",
            category="Number of categories",
        ),
        table="<data>/suggest/suggest.json",
    log:
        "<data>/logs/suggest.log",
    benchmark:
        "<data>/benchmarks/suggest.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=run_arguments(EXTRACTORS),
        settings=runs.settings(CONFIG.suggest),
    shell:
        "python -m workflow_scripts.suggest {params.runs} --out {output.page} --table {output.table}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
