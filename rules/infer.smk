rule infer:
    """Step 4: masks, and the label and score of every pixel for any other threshold."""
    input:
        images=rules.prepare.output.images,
        store=rules.prepare.output.store,
        segmenter=segmenter_of,
        source=source("infer"),
    output:
        masks=in_parts(directory(MASKS), directory(f"{INFERRED}/masks")),
        scored=in_parts(SCORED, f"{INFERRED}/scored.h5"),
        threshold=in_parts(THRESHOLD, f"{INFERRED}/threshold.json"),
    log:
        f"{RUN}/logs/infer{PART}.log",
    benchmark:
        f"{RUN}/benchmarks/infer{PART}.jsonl"
    conda:
        ENV
    threads: 8 * PROCESSES
    resources:
        mem_mb=3000,
        runtime="12h",
        gpu=GPUS,
        nodes=1,
        processes=PROCESSES,
        device=DEVICE,
    params:
        settings=settings("infer"),
        part=PART and "--part {scatteritem}",
    shell:
        "python -m workflow_scripts.infer --images {input.images} --store {input.store}"
        " --segmenter {input.segmenter} --masks {output.masks} --scored {output.scored}"
        " --threshold {output.threshold}"
        " {params.part} --processes {resources.processes} --device {resources.device}"
        " --settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}"


if CONFIG.shards > 1:

    rule join_masks:
        """The parts of step 4 in one folder and one file."""
        input:
            masks=gather.parts("<run>/infer/part.{scatteritem}/masks"),
            scored=gather.parts("<run>/infer/part.{scatteritem}/scored.h5"),
            threshold=gather.parts("<run>/infer/part.{scatteritem}/threshold.json"),
            source=source("join"),
        output:
            masks=directory(MASKS),
            scored=SCORED,
            threshold=THRESHOLD,
        log:
            "<run>/logs/join_masks.log",
        benchmark:
            "<run>/benchmarks/join_masks.jsonl"
        conda:
            ENV
        threads: 1
        resources:
            mem_mb=3000,
            runtime="4h",
        params:
            parts=lambda wildcards, input: [
                os.path.dirname(file) for file in input.threshold
            ],
        shell:
            "python -m workflow_scripts.join masks {params.parts} --masks {output.masks} --scored {output.scored}"
            " --threshold {output.threshold} 2>&1 | tee -i {log}"
