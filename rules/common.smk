"""What the rules share: the configuration, where results go, and what every stage is given."""

import atexit
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from snakemake.logging import logger

from luss_core import (
    bounds,
    changed,
    corrected,
    dry_run,
    edits_file,
    labelled,
    last_words,
    probed,
    rows,
    running,
    runs,
    settings_file,
    signs,
    sources,
    unfinished,
    wsss_rows,
)
from luss_core.as_typed import as_typed
from luss_core.config import METHODS, PROBES, RUN_STAGES, STAGES, TAUGHT
from luss_core.errors import UserError

BASE = Path(workflow.basedir)


def or_stop(function, *arguments):
    """The function's value; a mistake of the user ends Snakemake with the message and nothing else."""
    try:
        return function(*arguments)
    except UserError as error:
        raise SystemExit(f"error: {error}")


def typed():
    """The settings of all files and of --config, with text as it was typed; a key that is given twice is a mistake."""
    files = [BASE / "config.yaml", *map(Path, workflow.config_settings.configfiles)]
    for file in files:
        settings_file.check(file)
    return as_typed(config, files, workflow.config_settings.config_args or [])


def as_input(key, find):
    """Files of the user that rules have as inputs; in these Snakemake takes braces for wildcards, however they are said."""
    found = find(CONFIG)
    for path in found.values() if isinstance(found, dict) else filter(None, [found]):
        if "{" in str(path):
            raise UserError(
                f"config: {key}: {path} has a brace, which Snakemake takes for a wildcard in the path of a file; rename"
                " what has it, or copy the file elsewhere"
            )
    return found


FAILURES = last_words.listen(logger)
CONFIG = or_stop(runs.load, or_stop(typed))
WORKS = workflow.is_main_process and running.works(sys.argv[1:])
PRESETS = runs.presets(CONFIG)
MAKERS = {
    stage: runs.makers(PRESETS, stage)
    for stage in ("pretrain", "extract", "cluster", "finetune", "evaluate")
}
# Each row of the ablation, and the preset whose masks are those of its encoder in the common pipeline.
ROWS = {row: row for row in CONFIG.ablation}
COMMON = {row: MAKERS["evaluate"][row + runs.COMMON] for row in ROWS}
ABLATION = list(dict.fromkeys((*COMMON.values(), *ROWS)))
BENCHMARK = rows.benchmark_rows(CONFIG)
WSSS = or_stop(rows.wsss_table, CONFIG)
PHOTOGRAPHS = or_stop(runs.photographs, CONFIG)
MAPS = or_stop(runs.saliency_maps, CONFIG)
LABELLED = or_stop(
    as_input, "cluster.labels", lambda config: labelled.files(config, PRESETS)
)
CORRECTED = or_stop(corrected.folders, CONFIG, PRESETS)
ANNOTATED = or_stop(probed.annotated, CONFIG)
if workflow.is_main_process:  # and not again for each job
    or_stop(probed.check, CONFIG)
NAMES = or_stop(as_input, "names", runs.names_file)
WEIGHTS = or_stop(as_input, "pretrain.weights", runs.weight_files)
CACHED = workflow.enable_cache and bool(or_stop(runs.cache_folder, os.environ))
RUNS = {name: name for name in CONFIG.run}
SEVERAL = len(CONFIG.run) * len(CONFIG.seeds) > 1
# Of each preset the one that trains its encoder, which is what a probe judges.
ENCODERS = {name: MAKERS["pretrain"][name] for name in CONFIG.run}
# Of each preset the one whose features are its own: how many categories they show.
EXTRACTORS = {MAKERS["extract"][name]: MAKERS["extract"][name] for name in CONFIG.run}
# The tables of the CACL paper, and of each of their rows the preset that trains its encoder.
TABLES = or_stop(rows.paper_tables, CONFIG)
PAPER_ROWS = {
    row.preset: MAKERS["pretrain"][row.preset]
    for table in TABLES.tables
    for row in table.rows
}
# Of each encoder that is compared by what it is worth with labels, the preset that trains it.
TRANSFERRED = {name: MAKERS["pretrain"][name] for name in CONFIG.transferred}
SHARES = [f"{percent:g}" for percent in sorted(CONFIG.transfer.percents)]
PERCENTS = [f"{percent:g}" for percent in CONFIG.probes.limited.percents]
WITH_CONTROLS = RUNS | {name: name for name in CONFIG.controls}

DATA = f"results/{CONFIG.dataset}"
or_stop(runs.check_classes, CONFIG, Path(DATA, "prepare", "summary.json"))
NEEDS = bounds.needs_of(CONFIG, PRESETS)
RUN = f"{DATA}/{{preset}}/seed{{seed}}"
STATE = f"{DATA}/{{wildcards.preset}}/seed{{wildcards.seed}}/state"
FEATURES = f"{RUN}/extract/features.h5"
MASKS = f"{RUN}/infer/masks"
SCORED = f"{RUN}/infer/scored.h5"
THRESHOLD = f"{RUN}/infer/threshold.json"
PART = "" if CONFIG.shards == 1 else ".{scatteritem}"
INFERRED = f"{RUN}/infer/part{PART}"
ACROSS = (
    "align",
    "compare",
    "ablation",
    "benchmark",
    "probes",
    "cacl",
    "wsss",
    "transfer",
    "suggest",
    "join",
)
SOURCE = "results/source/{stage}.json"
DRY = workflow.output_settings.dryrun
STAND_INS = {}  # of files that a dry run would have to write
# Where Snakemake fills in names in braces, those of the path to this checkout are doubled.
CHECKOUT = str(BASE).replace("{", "{{").replace("}", "}}")
ENV = f"{'..' if CHECKOUT == str(BASE) else CHECKOUT}/envs/{CONFIG.environment}.yaml"


wildcard_constraints:
    preset="|".join(map(re.escape, PRESETS)),
    seed="[0-9]+",
    percent="[0-9.e-]+",


# Jobs run the python that runs Snakemake, unless a conda environment goes before it on PATH, and this checkout.
# A prefix replaces Snakemake's own, so the strict mode is said again: without pipefail `| tee` would hide a failure.
# A cluster announces the end of a job's time to all its processes with SIGTERM: only the script ends of it, in order,
# while the shell waits and tee goes on writing what it says. A module in the working folder is nobody's library.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
)
shell.prefix(
    "set -euo pipefail; trap : TERM; tee() {{ trap '' TERM; command tee \"$@\"; }}; "
    f"export PYTHONSAFEPATH=1 PYTHONPATH={shlex.quote(CHECKOUT)}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
)


# A job ends when the Snakemake that started it is gone; the next run waits for that.
os.environ[running.PARENT] = running.parent()
if WORKS:
    or_stop(running.begin, CONFIG.dataset, CONFIG.seeds)


# What does not change a result is a resource: other resources run nothing again.
PROCESSES = CONFIG.gpus
DEVICE = (
    "cuda"
    if CONFIG.device == "auto" and CONFIG.gpus * CONFIG.nodes > 1
    else CONFIG.device
)
GPUS = 0 if DEVICE == "cpu" else CONFIG.gpus
# On several nodes the rule itself calls srun, and GPUs are counted by node.
TRAINING = {
    "gpu": GPUS,
    "nodes": CONFIG.nodes,
    "checkpoint_minutes": f"{CONFIG.checkpoint_minutes:g}",
}
if CONFIG.nodes > 1:
    TRAINING |= {"gpu": 0, "tasks": CONFIG.nodes, "mpi": "srun"}
    TRAINING |= {"gres": f"gpu:{GPUS}"} if GPUS else {}


def in_parts(path, part):
    """Where a job of extraction or inference writes: its part, which goes when all are joined, where there are several."""
    return path if CONFIG.shards == 1 else temp(part)


def settings(stage):
    """The settings of a stage as JSON text, as a function of the wildcards."""
    if stage not in RUN_STAGES:  # a function too: braces in a text would be wildcards
        return lambda wildcards: runs.settings(getattr(CONFIG, stage))
    return lambda wildcards: runs.settings(getattr(PRESETS[wildcards.preset], stage))


def source(stage):
    """The file of digests of the source that a stage imports."""
    return recorded(SOURCE.format(stage=stage), tracked=CONFIG.track_code)


def recorded(path, tracked=True):
    """A file of what outputs are made from, which is brought up to date each time the Snakefile is read.

    A dry run writes nothing here: where the file would change, another stands in for it, and that plans the same jobs.
    """
    path = STAND_INS.get(path, path)
    return path if tracked else ancient(path)


def source_of_method(wildcards):
    """The same for pretrain, where only the module of the chosen method counts."""
    return source(f"pretrain-{PRESETS[wildcards.preset].pretrain.method.name}")


def folders_of_preset(wildcards):
    """Whether the user calls the folders of the images categories. A resource: no training depends on it."""
    return str(PRESETS[wildcards.preset].evaluate.folders).lower()


def prior_of_preset(wildcards):
    """The saliency maps, where the preset of a run is taught by them."""
    return prior_of([wildcards.preset])


def prior_of(presets):
    """The same for several presets."""
    taught = any(
        "saliency" in PRESETS[preset].pretrain.method.needs for preset in presets
    )
    return rules.prior.output.maps if taught else []


def weights_of_preset(wildcards):
    """The file of weights that the preset of a run begins from, which its settings name."""
    file = PRESETS[wildcards.preset].pretrain.weight_file
    return [] if file is None else str(Path(file).expanduser())


def labels_file_of(wildcards):
    """The user's file of labels, where the preset of a run learns from one."""
    return str(LABELLED.get(wildcards.preset, "")) or []


def labels_file_argument(wildcards, input):
    """--labels, where a rule has it as an input."""
    return f"--labels {shlex.quote(str(input.labels))}" if input.labels else ""


def encoder_begun_from(wildcards):
    """The encoder of another preset, where the preset of a run begins from that."""
    first = PRESETS[wildcards.preset].pretrain.weights_of
    if first is None:
        return []
    encoder = rules.pretrain.output.encoder
    return expand(encoder, preset=MAKERS["pretrain"][first], seed=wildcards.seed)[0]


def begin_argument(wildcards, input):
    """--begin, where a run begins from the encoder of another."""
    return f"--begin {input.begin}" if input.begin else ""


def prior_argument(wildcards, input):
    """--prior, where a rule has the saliency maps as an input."""
    return f"--prior {input.prior}" if input.prior else ""


def videos_argument(wildcards, input):
    """--videos, where images are frames."""
    return f"--videos {input.videos}" if input.videos else ""


def photographs_of(wildcards, input):
    """The folder of images; a function, so that braces in its path are no wildcards."""
    return str(input.root if PHOTOGRAPHS is None else PHOTOGRAPHS)


def names_argument(wildcards, input):
    """--names, where the user's file says what the category folders are called."""
    return f"--names {shlex.quote(str(input.names))}" if input.names else ""


def annotated_input(wildcards):
    """The generated data set, where the probes are of that; a folder of the user's is no input, see prepare."""
    return rules.synthesize.output.root if ANNOTATED is None else []


def mark_of_annotated(wildcards):
    """What a data set for probes that the user names goes by; a change of it is said once."""
    data = CONFIG.probes.data
    if data.root is None:
        return ""
    return or_stop(probed.noticed, data, ANNOTATED, Path(DATA, "probes"), WORKS)


def annotated_root(wildcards, input):
    """The folder of the annotated data set."""
    return str(input.root) if ANNOTATED is None else str(ANNOTATED)


def made_for(wildcards, stage, output):
    """The output of a stage that a run goes on from: of the first preset that has the same settings up to there.

    So presets that differ in later stages train one encoder. Presets of the user come behind those of config.yaml, and
    a new one last: it takes over what is there and never moves it.
    """
    maker = MAKERS[stage][wildcards.preset]
    return expand(output, preset=maker, seed=wildcards.seed)[0]


def edits_of(wildcards):
    """What people corrected in a run, once they have; read here so that a mistake shows before any work."""
    file = Path(RUN.format(**wildcards), edits_file.NAME)
    if not file.exists():
        return []
    or_stop(edits_file.read_edits, file)
    return str(file)


def edits_argument(wildcards, input):
    """--edits, where people corrected something."""
    return f"--edits {input.edits}" if input.edits else ""


def corrections_argument(wildcards):
    """What evaluate is told of corrections. It runs again when they change, but where no mask is there to score by."""
    file = Path(RUN.format(**wildcards), edits_file.NAME)
    scored = or_stop(runs.largest_id, Path(DATA, "prepare", "summary.json")) > 0
    if not scored or not (mark := or_stop(edits_file.mark, file)):
        return ""
    return f"--edits {file} --clusters {labels_of(wildcards)} --mark {mark}"


def images_of_corrected(wildcards):
    """The image list, which tells whose the masks are that people corrected, where a run learns from such."""
    return rules.prepare.output.images if wildcards.preset in CORRECTED else []


def images_argument(wildcards, input):
    """--images, where a rule has the image list as an input."""
    return f"--images {input.images}" if input.images else ""


def corrected_arguments(wildcards):
    """What finetune is told of corrected masks; other masks, or other merged categories, run it again."""
    if wildcards.preset not in CORRECTED:
        return ""
    edits = Path(RUN.format(**wildcards), edits_file.NAME)
    size, mark = (
        PRESETS[wildcards.preset].infer.size,
        corrected.mark(CORRECTED[wildcards.preset]),
    )
    told = or_stop(corrected.edits_that_matter, edits)
    return f"--size {size} --mark {mark} --edits {shlex.quote(told)}"


def encoder_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.encoder)


def heads_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.heads)


def pretrain_log_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.steps)


def features_of(wildcards):
    return made_for(wildcards, "extract", FEATURES)


def labels_of(wildcards):
    """Where the pseudo labels of a run come from, for what is taught by them or shows them."""
    return made_for(wildcards, "cluster", rules.cluster.output.clusters)


def segmenter_of(wildcards):
    """The network of a run. Rows of wsss that differ in infer alone share one; any other run has its own."""
    segmenter = rules.finetune.output.segmenter
    if wildcards.preset.endswith(wsss_rows.WSSS):
        return made_for(wildcards, "finetune", segmenter)
    return expand(segmenter, preset=wildcards.preset, seed=wildcards.seed)[0]


def scores_of_wsss(wildcards):
    """The scores of all rows of wsss. Looked at first, where that is asked for: whether there is anything to compare."""
    or_stop(wsss_rows.check_asked, CONFIG, Path(DATA, "prepare", "images.csv"))
    presets = dict.fromkeys(row.stages["evaluate"] for row in WSSS.rows)
    return of_runs(rules.evaluate.output.scores, presets)


def balance_of(wildcards):
    return made_for(wildcards, "cluster", rules.cluster.output.balance)


def masks_of(wildcards):
    """Where the masks of a run come from, for what scores or shows them."""
    return expand(MASKS, preset=wildcards.preset, seed=wildcards.seed)[0]


def cacheable(stage):
    """Whether the output of a stage may come from the cache that runs share, see docs/cache.md.

    Not where Snakemake could not know what it is made from: without the digests of the source, or with saliency maps of
    a folder, which nobody looks at again. Nor parts, which are temporary.
    """
    known = CONFIG.track_code and not (stage == "prior" and CONFIG.prior.folder)
    whole = stage != "extract" or CONFIG.shards == 1
    return CACHED and known and whole


def contents(wildcards, input):
    """What the inputs hold, for the key in the cache. Not compared with the last run, since it depends on `input`."""
    if not CACHED:
        return ""
    return runs.contents(
        Path(file) for name, file in input.items() if name != "source" and file
    )


def take_benchmarks_off_cached_rules():
    """Take the benchmark from rules whose output may come from the cache: Snakemake caches no rule that is measured.

    It has no public way to do that; pyproject.toml keeps to the versions in which this one is the attribute, and in any
    other a run with --cache ends with Snakemake's own message.
    """
    for stage in filter(cacheable, ("prior", "pretrain", "extract")):
        workflow.get_rule(stage)._benchmark = None


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


def of_runs(pattern, presets):
    """A file of every run of the presets."""
    return expand(pattern, preset=presets, seed=CONFIG.seeds)


def paired(presets):
    """The presets that learn from pairs of frames, of which pages show where they find the like of a point."""
    return [name for name in presets if "pairs" in PRESETS[name].pretrain.method.needs]


def share_of_labels(wildcards):
    """The share, once the encoder and the labels are found fit for it: before any job runs."""
    pretrain = PRESETS[wildcards.preset].pretrain
    or_stop(
        probed.check_transfer, CONFIG, wildcards.preset, pretrain, wildcards.percent
    )
    return wildcards.percent


def judged_by(probe):
    """The presets that train the encoders of those tables of the CACL paper that are of a probe."""
    tables = [
        table
        for table in TABLES.tables
        if (table.probes == ("linear",)) == (probe == "linear")
    ]
    return list(
        dict.fromkeys(PAPER_ROWS[row.preset] for table in tables for row in table.rows)
    )


def run_arguments(presets, option="--run"):
    """OPTION NAME:SEED:FOLDER for every run of the presets, each called as the mapping has it."""
    return " ".join(
        text
        for name, preset in presets.items()
        for text in of_runs(f"{option} {name}:{{seed}}:{RUN}", [preset])
    )


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


or_stop(record_source)
or_stop(look_before_work)
if DRY:
    dry_run.step_aside()
