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


def show_unfinished_benchmark():
    """Make the page of what is there, where jobs failed: Snakemake makes nothing of which an input is missing."""
    left = list(workflow.dag.needrun_jobs())
    waiting = {str(Path(file).parent) for job in left for file in job.output}
    wanted = f"{DATA}/benchmark" in waiting and f"{DATA}/prepare" not in waiting
    if not FAILURES.jobs or not wanted:
        return
    made = rules.benchmark.output
    Path(made.complete).unlink(missing_ok=True)
    failed = [log for _, logs, _ in FAILURES.jobs.values() for log in logs]
    missing = unfinished.missing_runs(BENCHMARK, Path(DATA), failed, waiting)
    found = unfinished.scored_runs(BENCHMARK, Path(DATA), missing)
    told = [runs.settings(section) for section in (BENCHMARK, missing, CONFIG.report)]
    images, log = rules.prepare.output.images, f"{DATA}/logs/benchmark.log"
    try:
        shell(
            "python -m workflow_scripts.benchmark {found} --rows {told[0]:q} --missing {told[1]:q} --images {images}"
            " --out {made.page} --table {made.table} --summary {made.summary} --figure {made.figure}"
            " --settings {told[2]:q} 2>&1 | tee -i {log}"
        )
        print(f"\nThe benchmark with what is there: {made.page}")
    except subprocess.CalledProcessError:
        print(f"\nThe page of what is there could not be made; its log is {log}")
