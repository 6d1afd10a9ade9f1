rule evaluate:
    """Scores of the masks against ground truth, as the ImageNet-S protocol has them."""
    input:
        images=rules.prepare.output.images,
        masks=masks_of,
        scored=SCORED,
        threshold=THRESHOLD,
        balance=balance_of,
        pretrain=pretrain_log_of,
        names=str(NAMES) if NAMES else [],
        source=source("evaluate"),
    output:
        scores=report(
            "<run>/evaluate/scores.json",
            caption="captions/scores.rst",
            category="Scores",
            labels={"preset": "{preset}", "seed": "{seed}", "table": "all"},
        ),
        match="<run>/evaluate/match.json",
        table=report(
            "<run>/evaluate/per_class.csv",
            caption="captions/per_class.rst",
            category="Scores",
            labels={"preset": "{preset}", "seed": "{seed}", "table": "each class"},
        ),
    log:
        "<run>/logs/evaluate.log",
    benchmark:
        "<run>/benchmarks/evaluate.jsonl"
    conda:
        ENV
    threads: 16
    resources:
        mem_mb=3000,
        runtime="6h",
    params:
        settings=settings("evaluate"),
        classes=CONFIG.classes,
        names=names_argument,
        corrections=corrections_argument,
    shell:
        "python -m workflow_scripts.evaluate --images {input.images} --masks {input.masks} --scored {input.scored}"
        " --threshold {input.threshold} --balance {input.balance} --classes {params.classes}"
        " --pretrain-log {input.pretrain} {params.names} {params.corrections}"
        " --out {output.scores} --match {output.match} --table {output.table}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
