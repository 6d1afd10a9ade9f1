rule prepare:
    """Checked list of images, and their pixels in one file. Goes on from its state when it was stopped.

    Photographs that were added, removed or replaced since then are noticed each time, see luss_core/changed.py.
    """
    input:
        # the user's folder is no input: Snakemake's cache cannot read a folder that no rule makes, and its time says
        # nothing of what was replaced; the mark below stands for it
        root=rules.synthesize.output.root if PHOTOGRAPHS is None else [],
        source=source("prepare"),
    output:
        images="<data>/prepare/images.csv",
        store="<data>/prepare/images.h5",
        rejected="<data>/prepare/rejected.csv",
        summary="<data>/prepare/summary.json",
        files="<data>/prepare/files.jsonl",
        videos="<data>/prepare/videos.csv" if CONFIG.prepare.video.on else [],
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
        # only checked: other numbers make no other files
        classes=CONFIG.classes,
        needs=bounds.as_text(NEEDS),
        crop=max(
            crop.size
            for stages in PRESETS.values()
            for crop in stages.pretrain.seen_views.crops
        ),
    params:
        settings=settings("prepare"),
        mark=mark_of_photographs,
        state=f"{DATA}/state/prepare",
        folder=subpath(output.images, parent=True),
        root=photographs_of,
    shell:
        "python -m workflow_scripts.prepare --root {params.root:q} --out {params.folder} --state {params.state}"
        " --classes {resources.classes} --needs={resources.needs:q} --mark={params.mark} --crop {resources.crop}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
