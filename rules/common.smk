"""What the rules share: the configuration, where results go, and what every stage is given."""

import os
import re
import shlex
import sys
from pathlib import Path

from luss_core import probed, rows, runs, sources
from luss_core.config import METHODS, PROBES, RUN_STAGES, STAGES
from luss_core.errors import UserError

BASE = Path(workflow.basedir)


def or_stop(function, *arguments):
    """The function's value; a mistake of the user ends Snakemake with the message and nothing else."""
    try:
        return function(*arguments)
    except UserError as error:
        raise SystemExit(f"error: {error}")


CONFIG = or_stop(runs.load, config)
PRESETS = runs.presets(CONFIG)
MAKERS = {
    stage: runs.makers(PRESETS, stage)
    for stage in ("pretrain", "extract", "cluster", "evaluate")
}
# Each row of the ablation, and the preset whose masks are those of its encoder in the common pipeline.
ROWS = {row: row for row in CONFIG.ablation}
COMMON = {row: MAKERS["evaluate"][row + runs.COMMON] for row in ROWS}
ABLATION = list(dict.fromkeys((*COMMON.values(), *ROWS)))
PHOTOGRAPHS = or_stop(runs.photographs, CONFIG)
or_stop(runs.saliency_maps, CONFIG)
ANNOTATED = or_stop(probed.annotated, CONFIG)
if workflow.is_main_process:  # and not again for each job
    or_stop(probed.check, CONFIG)
NAMES = or_stop(runs.names_file, CONFIG)
WEIGHTS = or_stop(runs.weight_files, CONFIG)
CACHED = workflow.enable_cache and bool(or_stop(runs.cache_folder, os.environ))
RUNS = {name: name for name in CONFIG.run}
# Of each preset the one that trains its encoder, which is what a probe judges.
ENCODERS = {name: MAKERS["pretrain"][name] for name in CONFIG.run}
PERCENTS = [f"{percent:g}" for percent in CONFIG.probes.limited.percents]
WITH_CONTROLS = RUNS | {name: name for name in CONFIG.controls}

DATA = f"results/{CONFIG.dataset}"
or_stop(runs.check_classes, CONFIG, Path(DATA, "prepare", "summary.json"))
RUN = f"{DATA}/{{preset}}/seed{{seed}}"
STATE = f"{DATA}/{{wildcards.preset}}/seed{{wildcards.seed}}/state"
FEATURES = f"{RUN}/extract/features.h5"
MASKS = f"{RUN}/infer/masks"
SCORED = f"{RUN}/infer/scored.h5"
THRESHOLD = f"{RUN}/infer/threshold.json"
PART = "" if CONFIG.shards == 1 else ".{scatteritem}"
INFERRED = f"{RUN}/infer/part{PART}"
ACROSS = ("compare", "ablation", "probes", "join")
SOURCE = "results/source/{stage}.json"
ENV = f"../envs/{CONFIG.environment}.yaml"


wildcard_constraints:
    preset="|".join(map(re.escape, PRESETS)),
    seed="[0-9]+",
    percent="[0-9.e-]+",


# Jobs run the python that runs Snakemake, unless a conda environment goes before it on PATH, and this checkout.
# A prefix replaces Snakemake's own, so the strict mode is said again: without pipefail `| tee` would hide a failure.
# A cluster announces the end of a job's time to all its processes with SIGTERM: only the script ends of it, in order,
# while the shell waits and tee goes on writing what it says.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
)
shell.prefix(
    "set -euo pipefail; trap : TERM; tee() {{ trap '' TERM; command tee \"$@\"; }}; "
    f"export PYTHONPATH={shlex.quote(str(BASE))}${{{{PYTHONPATH:+:$PYTHONPATH}}}}; "
)


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
    """The settings of a stage as JSON text; for a stage of a run, a function of its wildcards."""
    if stage not in RUN_STAGES:
        return runs.settings(getattr(CONFIG, stage))
    return lambda wildcards: runs.settings(getattr(PRESETS[wildcards.preset], stage))


def source(stage):
    """The file of digests of the source that a stage imports."""
    path = SOURCE.format(stage=stage)
    return path if CONFIG.track_code else ancient(path)


def source_of_method(wildcards):
    """The same for pretrain, where only the module of the chosen method counts."""
    return source(f"pretrain-{PRESETS[wildcards.preset].pretrain.method.name}")


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
    """The file of weights that the preset of a run begins from, which its settings name; a row has its preset's."""
    preset = wildcards.preset.removesuffix(runs.COMMON)
    return str(WEIGHTS[preset]) if preset in WEIGHTS else []


def prior_argument(wildcards, input):
    """--prior, where a rule has the saliency maps as an input."""
    return f"--prior {input.prior}" if input.prior else ""


def names_argument(wildcards, input):
    """--names, where the user's file says what the category folders are called."""
    return f"--names {shlex.quote(str(input.names))}" if input.names else ""


def annotated_input(wildcards):
    """The generated data set, where the probes are of that; a folder of the user's is no input, see prepare."""
    return rules.synthesize.output.root if ANNOTATED is None else []


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


def encoder_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.encoder)


def pretrain_log_of(wildcards):
    return made_for(wildcards, "pretrain", rules.pretrain.output.steps)


def features_of(wildcards):
    return made_for(wildcards, "extract", FEATURES)


def labels_of(wildcards):
    """Where the pseudo labels of a run come from, for what is taught by them or shows them."""
    return made_for(wildcards, "cluster", rules.cluster.output.clusters)


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


def record_source():
    """Bring the files of digests up to date; Snakemake compares their content with that of the last run.

    Also for a dry run, which could not tell otherwise what an edit of the source runs again.
    """
    made = {stage: (stage, None) for stage in (*STAGES, *PROBES, *ACROSS)}
    del made["pretrain"]
    for method in sorted({stages.pretrain.method.name for stages in PRESETS.values()}):
        made[f"pretrain-{method}"] = "pretrain", method
    for name, (stage, method) in made.items():
        digests = sources.of_stage(stage, BASE, method)
        sources.record(Path(SOURCE.format(stage=name)), digests, CONFIG.track_code)


def of_runs(pattern, presets):
    """A file of every run of the presets."""
    return expand(pattern, preset=presets, seed=CONFIG.seeds)


def run_arguments(presets, option="--run"):
    """OPTION NAME:SEED:FOLDER for every run of the presets, each called as the mapping has it."""
    return " ".join(
        text
        for name, preset in presets.items()
        for text in of_runs(f"{option} {name}:{{seed}}:{RUN}", [preset])
    )


def pages_message():
    """Where the pages are that exist, for the end of a run."""
    pages = [
        *of_runs(rules.report.output.page, PRESETS),
        rules.compare.output.page,
        rules.controls.output.page,
        rules.ablation.output.page,
        rules.probes.output.page,
    ]
    return "\n  ".join(["To open in a browser:", *filter(os.path.exists, pages)])


or_stop(record_source)
