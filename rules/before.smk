"""What is looked at before any job runs, and what is written down of the source."""


def mark_of_photographs(wildcards):
    """What the user's folder of photographs goes by, as long as it is as prepare saw it; a change is said once."""
    if PHOTOGRAPHS is None:
        return ""
    made, cfg = Path(DATA, "prepare"), CONFIG.prepare
    return changed.noticed(
        made, "data_root", PHOTOGRAPHS, "image", WORKS, cfg.masks, cfg.video.reads_files
    )


def mark_of_maps(wildcards):
    """The same of the user's folder of saliency maps."""
    made = Path(DATA, "prior")
    return changed.noticed(made, "prior.folder", MAPS, "map", WORKS) if MAPS else ""


def look_before_work():
    """Say what changed and whether there are images enough before any job runs. Jobs of a cluster were looked at."""
    if not workflow.is_main_process:
        return
    made = Path(DATA, "prepare")
    current = mark_of_photographs(None)
    known = PHOTOGRAPHS is None or changed.is_known(made / changed.NAME, current)
    labelled.check(
        CONFIG, PRESETS, LABELLED, PHOTOGRAPHS, made / "images.csv" if known else None
    )
    if known:
        there = bounds.counts_before(CONFIG, made / "summary.json")
        bounds.stop_if_not_enough(NEEDS, there)
    mark_of_maps(None)


def record_source():
    """Bring the files of digests up to date; Snakemake compares their content with that of the last run."""
    made = {stage: (stage, None) for stage in (*STAGES, *PROBES, *TAUGHT, *ACROSS)}
    del made["pretrain"]
    for method in sorted({stages.pretrain.method.name for stages in PRESETS.values()}):
        made[f"pretrain-{method}"] = "pretrain", method
    for name, (stage, method) in made.items():
        digests = sources.of_stage(stage, BASE, method)
        path = SOURCE.format(stage=name)
        if DRY and sources.would_change(Path(path), digests, CONFIG.track_code):
            STAND_INS[path] = str(dry_run.folder() / Path(path).name)
        if not DRY or path in STAND_INS:
            sources.record(Path(STAND_INS.get(path, path)), digests, CONFIG.track_code)


or_stop(record_source)
or_stop(look_before_work)
if DRY:
    dry_run.step_aside()
