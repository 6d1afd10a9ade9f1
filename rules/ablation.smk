rule ablation:
    """Table 5 of the LUSS paper: encoders in one pipeline, and presets as they stand, beside the paper's numbers."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        prior=prior_of(CONFIG.ablation),
        scores=of_runs(rules.evaluate.output.scores, ABLATION),
        masks=of_runs(MASKS, ABLATION),
        measures=of_runs(rules.examine.output.measures, CONFIG.ablation),
        attention=of_runs(rules.examine.output.attention, CONFIG.ablation),
        source=source("ablation"),
    output:
        page=report(
            "<data>/ablation/index.html",
            caption="captions/ablation.rst",
            category="Ablation",
        ),
        table="<data>/ablation/scores.csv",
        table5=report(
            "<data>/ablation/table5.csv",
            caption="captions/ablation.rst",
            category="Ablation",
        ),
        figure=report(
            "<data>/ablation/ablation.svg",
            caption="captions/ablation.rst",
            category="Ablation",
        ),
    log:
        "<data>/logs/ablation.log",
    benchmark:
        "<data>/benchmarks/ablation.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=run_arguments(ROWS),
        common=run_arguments(COMMON, "--common"),
        rows=runs.settings(rows.rows(CONFIG)),
        prior=prior_argument,
        settings=runs.settings(CONFIG.report),
    shell:
        "python -m workflow_scripts.ablation {params.common} {params.runs} --rows {params.rows:q}"
        " --images {input.images} --store {input.store} {params.prior}"
        " --out {output.page} --table {output.table} --table5 {output.table5} --figure {output.figure}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
