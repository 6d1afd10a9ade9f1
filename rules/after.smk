"""What is said and made at the end of a run."""


def show_unfinished():
    """Make the pages of what is there, where jobs failed: Snakemake makes nothing of which an input is missing."""
    left = list(workflow.dag.needrun_jobs())
    waiting = {str(Path(file).parent) for job in left for file in job.output}
    if not FAILURES.jobs or f"{DATA}/prepare" in waiting:
        return
    failed = [log for _, logs, _ in FAILURES.jobs.values() for log in logs]
    for name, table in (("benchmark", BENCHMARK), ("wsss", WSSS)):
        if f"{DATA}/{name}" in waiting:
            Path(DATA, name, "complete").unlink(missing_ok=True)
            missing = unfinished.missing_runs(table, Path(DATA), failed, waiting)
            if missing.runs:  # else it is the page that failed
                show_what_is_there(name, table, missing)


def show_what_is_there(name, table, missing):
    """The page of the runs that are whole, by the script of its rule."""
    made = getattr(rules, name).output
    found = unfinished.scored_runs(table, Path(DATA), missing)
    told = [runs.settings(section) for section in (table, missing, CONFIG.report)]
    images, log = rules.prepare.output.images, f"{DATA}/logs/{name}.log"
    pictures = (
        f"--store {rules.prepare.output.store}"
        if name == "wsss"
        else f"--figure {made.figure}"
    )
    try:
        shell(
            "python -m workflow_scripts.{name} {found} --rows {told[0]:q} --missing {told[1]:q} --images {images}"
            " --out {made.page} --table {made.table} --summary {made.summary} {pictures}"
            " --settings {told[2]:q} 2>&1 | tee -i {log}"
        )
        print(f"\nThe {name} with what is there: {made.page}")
    except subprocess.CalledProcessError:
        print(f"\nThe page of what is there could not be made; its log is {log}")


def pages_message():
    """Where the pages are that exist, for the end of a run."""
    pages = [
        *of_runs(rules.report.output.page, PRESETS),
        rules.compare.output.page,
        rules.controls.output.page,
        rules.ablation.output.page,
        rules.benchmark.output.page,
        rules.probes.output.page,
        rules.cacl.output.page,
        rules.wsss.output.page,
        rules.transfer.output.page,
        rules.suggest.output.page,
    ]
    return "\n  ".join(["To open in a browser:", *filter(os.path.exists, pages)])


def warnings_message():
    """What the pages of runs warn of, for the very end: nobody reads line 97 of 240."""
    runs_there = (
        (f"{preset}, seed {seed}", Path(RUN.format(preset=preset, seed=seed)))
        for preset in PRESETS
        for seed in CONFIG.seeds
    )
    return signs.warnings_of(
        (name, run / "evaluate" / "scores.json") for name, run in runs_there
    )
