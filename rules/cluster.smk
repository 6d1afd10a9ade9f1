rule cluster:
    """Step 2b: categories found by k-means, and the pseudo label of every image."""
    input:
        features=features_of,
        images=rules.prepare.output.images,
        labels=labels_file_of,
        source=source("cluster"),
    output:
        clusters="<run>/cluster/clusters.h5",
        balance="<run>/cluster/balance.json",
    log:
        "<run>/logs/cluster.log",
    benchmark:
        "<run>/benchmarks/cluster.jsonl"
    conda:
        ENV
    threads: 16
    resources:
        mem_mb=3000,
        runtime="12h",
    params:
        settings=settings("cluster"),
        classes=CONFIG.classes,
        labels=labels_file_argument,
    shell:
        "python -m workflow_scripts.cluster --features {input.features} --images {input.images}"
        " --classes {params.classes} --seed {wildcards.seed} --out {output.clusters} --balance {output.balance}"
        " {params.labels}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"
