rule report:
    """One page that shows a run; opens without a network."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        prior=prior_of_preset,
        pretrain=pretrain_log_of,
        examine=rules.examine.output.measures,
        attention=rules.examine.output.attention,
        similarity=rules.examine.output.similarity,
        videos=rules.prepare.output.videos,
        finetune=rules.finetune.output.steps,
        features=features_of,
        clusters=labels_of,
        balance=balance_of,
        masks=masks_of,
        threshold=THRESHOLD,
        scores=rules.evaluate.output.scores,
        table=rules.evaluate.output.table,
        edits=edits_of,
        source=source("report"),
    output:
        page=report(
            "<run>/report/index.html",
            caption="captions/report.rst",
            category="Runs",
            labels={"preset": "{preset}", "seed": "{seed}"},
        ),
        gallery=directory("<run>/report/gallery"),
    log:
        "<run>/logs/report.log",
    benchmark:
        "<run>/benchmarks/report.jsonl"
    conda:
        ENV
    threads: 2
    resources:
        mem_mb=3000,
        runtime="1h",
    params:
        settings=settings("report"),
        prior=prior_argument,
        videos=videos_argument,
        edits=edits_argument,
        title=f"{CONFIG.dataset} · {{preset}} · seed {{seed}}",
    shell:
        "python -m workflow_scripts.report --images {input.images} --store {input.store}"
        " {params.prior} --examine {input.examine} --attention {input.attention}"
        " --similarity {input.similarity} {params.videos}"
        " --pretrain-log {input.pretrain} --finetune-log {input.finetune} --clusters {input.clusters}"
        " --features {input.features} {params.edits} --gallery {output.gallery}"
        " --balance {input.balance} --threshold {input.threshold} --masks {input.masks} --scores {input.scores}"
        " --table {input.table} --title {params.title:q} --out {output.page}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
