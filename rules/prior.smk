rule prior:
    """What probably is object: a saliency map of every image, in one file. Goes on from its state when it was stopped.

    A folder of maps is compared each time with what was read, as that of the photographs is.
    """
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        source=source("prior"),
    output:
        maps="<data>/prior/prior.h5",
        summary="<data>/prior/summary.json",
        files="<data>/prior/files.jsonl",
    log:
        "<data>/logs/prior.log",
    benchmark:
        "<data>/benchmarks/prior.jsonl"
    cache: cacheable("prior")
    conda:
        ENV
    threads: 16
    resources:
        mem_mb=3000,
        runtime="1d",
    params:
        settings=settings("prior"),
        mark=mark_of_maps,
        state=f"{DATA}/state/prior",
        folder=subpath(output.maps, parent=True),
        contents=contents,
    shell:
        "python -m workflow_scripts.prior --images {input.images} --store {input.store} --out {params.folder}"
        " --state {params.state} --mark={params.mark} --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
