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


def made_for(wildcards, stage, output):
    """The output of a stage that a run goes on from: of the first preset that has the same settings up to there.

    So presets that differ in later stages train one encoder. Presets of the user come behind those of config.yaml, and
    a new one last: it takes over what is there and never moves it.
    """
    maker = MAKERS[stage][wildcards.preset]
    return expand(output, preset=maker, seed=wildcards.seed)[0]


def cacheable(stage):
    """Whether the output of a stage may come from the cache that runs share, see docs/cache.md.

    Not where Snakemake could not know what it is made from: without the digests of the source, or with saliency maps of
    a folder, which nobody looks at again. Nor parts, which are temporary.
    """
    known = CONFIG.track_code and not (stage == "prior" and CONFIG.prior.folder)
    whole = stage != "extract" or CONFIG.shards == 1
    return CACHED and known and whole


def take_benchmarks_off_cached_rules():
    """Take the benchmark from rules whose output may come from the cache: Snakemake caches no rule that is measured.

    It has no public way to do that; pyproject.toml keeps to the versions in which this one is the attribute, and in any
    other a run with --cache ends with Snakemake's own message.
    """
    for stage in filter(cacheable, ("prior", "pretrain", "extract")):
        workflow.get_rule(stage)._benchmark = None


def of_runs(pattern, presets):
    """A file of every run of the presets."""
    return expand(pattern, preset=presets, seed=CONFIG.seeds)
