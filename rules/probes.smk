rule probes:
    """Linear and limited-sample probes of the encoders of the runs side by side: one page and one table."""
    input:
        root=annotated_input,
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        linear=of_runs(rules.linear.output.scores, dict.fromkeys(ENCODERS.values())),
        limited=expand(
            rules.limited.output.scores,
            preset=dict.fromkeys(ENCODERS.values()),
            seed=CONFIG.seeds,
            percent=PERCENTS,
        ),
        masks=of_runs(rules.linear.output.masks, dict.fromkeys(ENCODERS.values())),
        similarity=of_runs(
            rules.examine.output.similarity, paired(dict.fromkeys(ENCODERS.values()))
        ),
        source=source("probes"),
    output:
        page=report(
            "<data>/probes/index.html",
            caption="captions/probes.rst",
            category="Probes",
        ),
        table=report(
            "<data>/probes/scores.csv",
            caption="captions/probes.rst",
            category="Probes",
        ),
    log:
        "<data>/logs/probes.log",
    benchmark:
        "<data>/benchmarks/probes.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=run_arguments(ENCODERS),
        settings=runs.settings(CONFIG.probes),
        root=annotated_root,
    shell:
        "python -m workflow_scripts.probes {params.runs} --root {params.root:q} --images {input.images} --store {input.store}"
        " --out {output.page} --table {output.table}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
