rule wsss:
    """Table 4 of the LUSS paper: methods of weak supervision with true labels and with clusters, beside the paper's numbers."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        scores=scores_of_wsss,
        source=source("wsss"),
    output:
        page=report(
            "<data>/wsss/index.html",
            caption="captions/wsss.rst",
            category="Weak supervision",
        ),
        table="<data>/wsss/scores.csv",
        summary=report(
            "<data>/wsss/wsss.csv",
            caption="captions/wsss.rst",
            category="Weak supervision",
        ),
        # not there where the page is of a run that failed, so that the next one makes it again
        complete=touch("<data>/wsss/complete"),
    log:
        "<data>/logs/wsss.log",
    benchmark:
        "<data>/benchmarks/wsss.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=unfinished.scored_runs(WSSS, Path(DATA)),
        rows=runs.settings(WSSS),
        missing="{}",
        settings=runs.settings(CONFIG.report),
    shell:
        "python -m workflow_scripts.wsss {params.runs} --rows {params.rows:q} --missing {params.missing:q}"
        " --images {input.images} --store {input.store}"
        " --out {output.page} --table {output.table} --summary {output.summary}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
