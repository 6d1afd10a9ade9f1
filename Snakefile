"""From photographs to scored segmentations: what is made. How a stage is made stands in rules/<stage>.smk."""


configfile: f"{workflow.basedir}/config.yaml"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/before.smk"
include: "rules/after.smk"


scattergather:
    parts=CONFIG.shards,


pathvars:
    data=DATA,
    run=RUN,


include: "rules/synthesize.smk"
include: "rules/prepare.smk"
include: "rules/prior.smk"
include: "rules/pretrain.smk"
include: "rules/examine.smk"
include: "rules/extract.smk"
include: "rules/cluster.smk"
include: "rules/finetune.smk"
include: "rules/infer.smk"
include: "rules/evaluate.smk"
include: "rules/export.smk"
include: "rules/report.smk"
include: "rules/align.smk"
include: "rules/compare.smk"
include: "rules/ablation.smk"
include: "rules/benchmark.smk"
include: "rules/linear.smk"
include: "rules/limited.smk"
include: "rules/probes.smk"
include: "rules/cacl.smk"
include: "rules/wsss.smk"
include: "rules/segment.smk"
include: "rules/transfer.smk"
include: "rules/suggest.smk"


take_benchmarks_off_cached_rules()


rule all:
    """The report of every run, and the file that segments as it did; `snakemake compare`, `controls`, `ablation`, `benchmark`, `probes`, `cacl`, `wsss` and `transfer` set runs side by side; `suggest` says how many categories they show."""
    default_target: True
    input:
        of_runs(rules.report.output.page, CONFIG.run),
        of_runs(rules.export.output.model, CONFIG.run),
        rules.align.output if SEVERAL else [],


onsuccess:
    print(pages_message() + warnings_message())


onerror:
    show_unfinished()
    atexit.register(FAILURES.tell)  # behind Snakemake's own last words
