rule compare:
    """The runs side by side: one page and one table."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        scores=of_runs(rules.evaluate.output.scores, CONFIG.run),
        masks=of_runs(MASKS, CONFIG.run),
        similarity=of_runs(rules.examine.output.similarity, paired(CONFIG.run)),
        source=source("compare"),
    output:
        page=report(
            "<data>/compare/index.html",
            caption="captions/compare.rst",
            category="Comparison",
        ),
        table=report(
            "<data>/compare/scores.csv",
            caption="captions/compare.rst",
            category="Comparison",
        ),
    log:
        "<data>/logs/compare.log",
    benchmark:
        "<data>/benchmarks/compare.jsonl"
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
        "python -m workflow_scripts.compare {params.runs} --images {input.images} --store {input.store}"
        " --out {output.page} --table {output.table}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"


use rule compare as controls with:
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        scores=of_runs(rules.evaluate.output.scores, WITH_CONTROLS),
        masks=of_runs(MASKS, WITH_CONTROLS),
        similarity=of_runs(rules.examine.output.similarity, paired(WITH_CONTROLS)),
        source=source("compare"),
    output:
        page=report(
            "<data>/controls/index.html",
            caption="captions/compare.rst",
            category="Controls",
        ),
        table=report(
            "<data>/controls/scores.csv",
            caption="captions/compare.rst",
            category="Controls",
        ),
    log:
        "<data>/logs/controls.log",
    benchmark:
        "<data>/benchmarks/controls.jsonl"
    params:
        runs=run_arguments(WITH_CONTROLS),
        settings=runs.settings(CONFIG.report),
