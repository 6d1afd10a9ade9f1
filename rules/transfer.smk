rule transfer:
    """Table 7 of the LUSS paper: what encoders are worth where segmentation is learned from labels; see docs/transfer.md."""
    input:
        root=annotated_input,
        scores=expand(
            rules.segment.output.scores,
            preset=dict.fromkeys(TRANSFERRED.values()),
            seed=CONFIG.seeds,
            percent=SHARES,
        ),
        masks=expand(
            rules.segment.output.masks,
            preset=dict.fromkeys(TRANSFERRED.values()),
            seed=CONFIG.seeds,
            percent=SHARES[-1:],
        ),
        source=source("transfer"),
    output:
        page=report(
            "<data>/transfer/index.html",
            caption="captions/transfer.rst",
            category="Transfer",
        ),
        table=report(
            "<data>/transfer/transfer.csv",
            caption="captions/transfer.rst",
            category="Transfer",
        ),
        scores="<data>/transfer/scores.csv",
    log:
        "<data>/logs/transfer.log",
    benchmark:
        "<data>/benchmarks/transfer.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        runs=run_arguments(TRANSFERRED),
        rows=runs.settings(rows.transfer_rows(CONFIG)),
        data=runs.settings(CONFIG.probes.data),
        settings=runs.settings(CONFIG.transfer),
        root=annotated_root,
    shell:
        "python -m workflow_scripts.transfer {params.runs} --rows {params.rows:q} --root {params.root:q}"
        " --data {params.data:q} --out {output.page} --table {output.table} --scores {output.scores}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
