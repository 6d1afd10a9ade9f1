rule prepare:
    """Checked list of images, and their pixels in one file. Goes on from its state when it was stopped.

    A million photographs are not looked at each time: after adding some, run `snakemake --forcerun prepare`.
    """
    input:
        # the user's folder is no input: Snakemake's cache cannot read a folder that no rule makes
        root=rules.synthesize.output.root if PHOTOGRAPHS is None else [],
        source=source("prepare"),
    output:
        images="<data>/prepare/images.csv",
        store="<data>/prepare/images.h5",
        rejected="<data>/prepare/rejected.csv",
        summary="<data>/prepare/summary.json",
    log:
        "<data>/logs/prepare.log",
    benchmark:
        "<data>/benchmarks/prepare.jsonl"
    conda:
        ENV
    threads: 16
    resources:
        mem_mb=3000,
        runtime="1d",
        classes=CONFIG.classes,  # only checked, as the next: another number makes no other files
        crop=max(
            crop.size
            for stages in PRESETS.values()
            for crop in stages.pretrain.seen_views.crops
        ),
    params:
        settings=settings("prepare"),
        state=f"{DATA}/state/prepare",
        folder=subpath(output.images, parent=True),
        root=subpath(input.root) if PHOTOGRAPHS is None else str(PHOTOGRAPHS),
    shell:
        "python -m workflow_scripts.prepare --root {params.root:q} --out {params.folder} --state {params.state}"
        " --classes {resources.classes} --crop {resources.crop}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
