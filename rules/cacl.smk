rule cacl:
    """Tables 1 to 4 of the CACL paper: encoders that learned from the same videos, judged by the probes; see docs/cacl.md."""
    input:
        linear=of_runs(rules.linear.output.scores, judged_by("linear")),
        limited=expand(
            rules.limited.output.scores,
            preset=judged_by("limited"),
            seed=CONFIG.seeds,
            percent=PERCENTS,
        ),
        source=source("cacl"),
    output:
        page=report(
            "<data>/cacl-tables/index.html",
            caption="captions/cacl.rst",
            category="CACL",
        ),
        table=report(
            "<data>/cacl-tables/cacl.csv",
            caption="captions/cacl.rst",
            category="CACL",
        ),
        scores="<data>/cacl-tables/scores.csv",
    log:
        "<data>/logs/cacl.log",
    benchmark:
        "<data>/benchmarks/cacl.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=run_arguments(PAPER_ROWS),
        rows=runs.settings(TABLES),
        settings=runs.settings(CONFIG.cacl),
    shell:
        "python -m workflow_scripts.cacl {params.runs} --rows {params.rows:q}"
        " --out {output.page} --table {output.table} --scores {output.scores}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
