"""Which source files a stage is made of, and a digest of each that comments, docstrings and messages do not change.

Snakemake does not see edits inside a package. The Snakefile therefore writes, for each stage, a small file of these
digests, and the rule of the stage has it as an input: an edit runs that stage and what follows again, and no other.
Of a training, which may take days, only what decides its numbers counts, and its checkpoints carry the same digests.
Imports no torch, since it runs each time the Snakefile is read.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

from luss_core import io
from luss_core.config import METHODS
from luss_core.errors import UserError
from luss_core.source_facts import facts

logger = logging.getLogger(__name__)

ROOT = Path(__file__).parents[1]
PACKAGE = "luss_core"
TRAININGS = ("pretrain", "finetune", "limited", "segment")

UNTRACKED = {
    "luss_core": "the version number, and where a class is imported from",
    "luss_core.config": "the values that reach a stage are parameters of its rule already",
    "luss_core.bounds": "compares settings with the number of images",
    "luss_core.changed": "keeps a record of the user's files, which no result depends on",
    "luss_core.cli": "reads arguments and shows errors",
    "luss_core.digests": "names what files hold",
    "luss_core.errors": "exceptions",
    "luss_core.explain": "says what is wrong with settings",
    "luss_core.io": "writes files whole or not at all; what is in them, its callers decide",
    "luss_core.methods": "names the methods; the module of the chosen one counts",
    "luss_core.paper_rows": "names the rows of tables, whose settings are parameters of their rules",
    "luss_core.presets": "says what presets set, which are parameters of their rules",
    "luss_core.running": "keeps runs apart",
    "luss_core.settings_file": "says what is wrong with files of settings, and reads them as YAML",
    "luss_core.shortage": "says what is lacking",
    "luss_core.source_facts": "looks at source",
    "luss_core.sources": "looks at source",
    "luss_core.wsss_rows": "names the rows of a table, whose settings are parameters of their rules",
}
"""Modules that do not count, nor what they import, and why."""

UNTRACKED_IN_TRAINING = {
    "luss_core.data.annotated.packed": "keeps decoded images; a digest of some as they are read is one of the settings",
    "luss_core.data.categories": "says whether folders are categories, to judge by",
    "luss_core.corrected": "says which masks people corrected; a digest of these is one of the settings",
    "luss_core.data.coding": "says what the values of masks mean, for the reader of true masks below",
    "luss_core.data.contents": "gives digests of files",
    "luss_core.data.corrected": "reads masks that people corrected; a digest of these is one of the settings",
    "luss_core.data.features": "gives vectors and pseudo labels as they were written; these are one of the settings",
    "luss_core.data.files": "lists files for the readers",
    "luss_core.data.find_coding": "says how corrected masks are coded; a digest of these is one of the settings",
    "luss_core.data.hdf5": "opens files for the readers",
    "luss_core.data.images": "reads which rows to train on; a digest of them as they were read is one of the settings",
    "luss_core.data.judged": "gives categories to judge by, which no training reads",
    "luss_core.data.kinds": "says what files are, by their names, for the stage before",
    "luss_core.data.mask_pixels": "opens files of masks",
    "luss_core.data.masks": "reads true masks; a digest of some as they were read is one of the settings",
    "luss_core.data.pairing": "pairs names of images and masks",
    "luss_core.data.seen": "looks at masks, to say how they are coded",
    "luss_core.data.sequences": "reads what is a frame of which video; a digest of the pairs is one of the settings",
    "luss_core.data.store": "reads pixels; a digest of some as they were read is one of the settings",
    "luss_core.edits": "says what is merged; what follows of it is one of the settings",
    "luss_core.edits_file": "reads what is merged",
    "luss_core.metrics": "the package around scores, which are modules of their own",
    "luss_core.metrics.diagnostics": "measures features, which changes nothing",
    "luss_core.models.foreign.anatomy": "says what a file that is refused looks like",
    "luss_core.models.foreign.kinds": "refuses files that are no checkpoint",
    "luss_core.models.foreign.objects": "refuses files that hold more than tensors, or converts them before a training",
    "luss_core.models.foreign.read": "reads tensors by name; a digest of the file is one of the settings",
    "luss_core.models.tensor_file": "reads tensors by name, all of them or none",
    "luss_core.models.weights": "reads and writes tensors by name, all of them or none",
    "luss_core.parallel": "spreads work over processes, in order",
    "luss_core.train.checkpoint": "reads and writes checkpoints, whole or not at all",
    "luss_core.train.diagnostics": "looks at a network between steps, which changes nothing",
    "luss_core.train.folder": "keeps checkpoints; going on from one changes nothing",
    "luss_core.train.interruption": "says when to write a checkpoint",
    "luss_core.train.journal": "writes numbers down",
}
"""Modules that do not count for a training either. The readers count for the stages before it (`prepare`, `prior`,
`extract`, `cluster`), so its job runs after an edit of them; it then gives what it made, unless what they read differs.

No stage before a training reads weights of others. Which tensors of a file go where in a network (`layouts`,
`spellings`, `fill`, `fit`, `own`, and `load`, which imports them) decides numbers and counts; what is left out above
gives all tensors of a file, or a message.
"""

NUMERIC = ("torch", "torchvision", "timm", "numpy")
"""Libraries that decide the numbers of a training."""

PAGES = (".html", ".css", ".js")
"""Files of the package that are no modules; they count where a module of the same folder does."""

LOCKS = Path(".snakemake") / "locks"
"""Where Snakemake marks, in the working folder, that a run is going on."""


def of_stage(stage: str, root: Path = ROOT, method: str | None = None) -> dict[str, str]:
    """Digest of each file that a stage is made of, by its path below ``root``.

    Args:
        root: folder that holds the package and the scripts.
        method: the algorithm of pretrain.
    """
    extra = [METHODS[method].implementation.partition(":")[0]] if method else []
    files = imports(root / "workflow_scripts" / f"{stage}.py", root, extra, training=stage in TRAININGS)
    return {str(file.relative_to(root)): digest(file) for file in files}


def of_training(stage: str, method: str | None = None) -> str:
    """SHA-256 of the source that decides the numbers of a training, as `of_stage`, and of the libraries that do."""
    found = [of_stage(stage, method=method), io.versions(NUMERIC)]
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def imports(script: Path, root: Path, extra: Iterable[str] = (), *, training: bool = False) -> list[Path]:
    """Files that a script is made of: itself, the modules of luss_core it imports, directly or not, and their pages.

    Args:
        script: a Python file outside the package.
        root: folder that holds the package.
        extra: dotted names of modules that are imported by name only while running.
        training: leave out what decides no number of a training.

    Returns:
        Sorted paths.
    """
    seen: set[Path] = {script}
    waiting = [*_imported(script, root, training), *(_file(name, root, training) for name in extra)]
    while waiting:
        file = waiting.pop()
        if file is not None and file not in seen:
            seen.add(file)
            waiting += _imported(file, root, training)
    pages = {page for file in seen - {script} for page in file.parent.iterdir() if page.suffix in PAGES}
    return sorted(seen | pages)


@cache
def digest(file: Path) -> str:
    """SHA-256 of what a file does: layout, comments, docstrings and messages of Python source do not count."""
    if file.suffix == ".py":
        return facts(file).digest
    return hashlib.sha256(file.read_bytes()).hexdigest()


def record(path: Path, digests: Mapping[str, str], tracked: bool = True) -> None:
    """Write ``digests`` to ``path`` if they differ from what is there.

    Args:
        tracked: False leaves an existing file as it is.

    Raises:
        UserError: the file is missing and cannot be written.
    """
    if not would_change(path, digests, tracked):
        return
    try:
        io.write_text(path, _text(digests))
    except UserError as error:
        if not path.exists():
            raise
        logger.warning("%s; changes of the source since then are not noticed", error)


def would_change(path: Path, digests: Mapping[str, str], tracked: bool = True) -> bool:
    """Whether `record` has something to write.

    Nothing is written while a workflow runs in the working folder: a stage that started before an edit must not be
    taken for one made from the edited source.
    """
    if path.exists() and (not tracked or any(LOCKS.glob("*.lock"))):
        return False
    return not path.exists() or path.read_text(encoding="utf-8") != _text(digests)


def _text(digests: Mapping[str, str]) -> str:
    return json.dumps(digests, indent=1) + "\n"


@cache
def _imported(file: Path, root: Path, training: bool) -> frozenset[Path]:
    """Files of the package that one file imports, with the packages around them."""
    package = ".".join(file.relative_to(root).parts[:-1])
    names = {resolve_name(name, package) for name in facts(file).imports}
    names |= {name[: dot.start()] for name in names for dot in re.finditer(r"\.", name)}  # packages run as well
    return frozenset(found for name in names if (found := _file(name, root, training)) is not None)


def _file(name: str, root: Path, training: bool) -> Path | None:
    """The file of a module of the package; None for other names and for what does not count."""
    if name in UNTRACKED or (training and name in UNTRACKED_IN_TRAINING):
        return None
    if name.startswith("luss_core.config.") or name.partition(".")[0] != PACKAGE:
        return None
    place = root.joinpath(*name.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)
