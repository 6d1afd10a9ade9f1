rule benchmark:
    """Tables 2, 3 and 6 of the LUSS paper: methods in one pipeline, their scores and costs, beside the paper's numbers."""
    input:
        images=rules.prepare.output.images,
        scores=of_runs(
            rules.evaluate.output.scores,
            dict.fromkeys(row.stages["evaluate"] for row in BENCHMARK.rows),
        ),
        source=source("benchmark"),
    output:
        page=report(
            "<data>/benchmark/index.html",
            caption="captions/benchmark.rst",
            category="Benchmark",
        ),
        table="<data>/benchmark/scores.csv",
        summary=report(
            "<data>/benchmark/benchmark.csv",
            caption="captions/benchmark.rst",
            category="Benchmark",
        ),
        figure=report(
            "<data>/benchmark/benchmark.svg",
            caption="captions/benchmark.rst",
            category="Benchmark",
        ),
        # not there where the page is of a run that failed, so that the next one makes it again
        complete=touch("<data>/benchmark/complete"),
    log:
        "<data>/logs/benchmark.log",
    benchmark:
        "<data>/benchmarks/benchmark.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=unfinished.scored_runs(BENCHMARK, Path(DATA)),
        rows=runs.settings(BENCHMARK),
        missing="{}",
        settings=runs.settings(CONFIG.report),
    shell:
        "python -m workflow_scripts.benchmark {params.runs} --rows {params.rows:q} --missing {params.missing:q}"
        " --images {input.images}"
        " --out {output.page} --table {output.table} --summary {output.summary} --figure {output.figure}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
