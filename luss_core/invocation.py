"""What Snakemake was started with, looked at before it works: it would end at these mistakes with a riddle.

Imports no torch, and no library but those of Snakemake: each start runs it.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from snakemake.common import get_appdirs

from luss_core import settings_file
from luss_core.errors import UserError

DEFAULTS = Path(__file__).parents[1] / "config.yaml"
LIBRARIES = {
    *("PIL", "faiss", "h5py", "jinja2", "matplotlib", "numpy", "pandas", "pydantic", "safetensors", "scipy"),
    *("skimage", "sklearn", "snakemake", "timm", "torch", "torchvision", "tqdm", "yaml"),
}
"""What the stages import; a module of the same name elsewhere would be taken for it."""


def stop_at_mistakes() -> None:
    """Look at this process's arguments and environment; profiles/ call this when Snakemake reads them."""
    try:
        check(sys.argv[1:], os.environ)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
    _forget()


def _forget() -> None:
    """Let the Snakefile import the package of its own checkout, which need not be the one that is installed."""
    loaded = {name for name in sys.modules if name.partition(".")[0] == "luss_core"}
    if loaded <= {"luss_core", "luss_core.errors", "luss_core.invocation", "luss_core.settings_file"}:
        for name in loaded:
            del sys.modules[name]


def check(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Stop at what Snakemake would end at with a traceback.

    Args:
        arguments: those of Snakemake.
        environment: its variables.

    Raises:
        UserError: modules of others on PYTHONPATH, no folder for caches, a file of settings that cannot be read, a
            word in --config that sets nothing.
    """
    no_strangers(environment.get("PYTHONPATH", ""))
    files, entries = settings_of(arguments)
    _check_entries(entries)
    for file in files:
        _check_file(file, files)
    if DEFAULTS.exists():
        settings_file.check(DEFAULTS)
    cache_can_be_written()


def settings_of(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files after --configfile and the words after --config.

    Raises:
        UserError: one of the two options is given twice, of which Snakemake would forget the first.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--configfile", "--configfiles", nargs="+", action="append", default=[])
    parser.add_argument("--config", "-C", nargs="*", action="append", default=[])
    try:
        found, _ = parser.parse_known_args(list(arguments))
    except argparse.ArgumentError:  # Snakemake says it better
        return [], []
    for option, given in (("--configfile", found.configfile), ("--config", found.config)):
        if len(given) > 1:
            words = " ".join(shlex.quote(word) for part in given for word in part)
            raise UserError(f"{option} is given twice, and only the last would count; write {option} {words}")
    return sum(found.configfile, []), sum(found.config, [])


def _check_file(file: str, files: Sequence[str]) -> None:
    if not Path(file).exists():
        whole = " ".join(files)
        if len(files) > 1 and Path(whole).exists():
            raise UserError(f"--configfile: the name {whole!r} has a space: put it in quotes")
        if "=" in file:
            raise UserError(f"--configfile {file}: is no file; settings stand behind --config")
        if not Path(file).suffix:
            raise UserError(
                f"--configfile {file}: no such file (seen from {Path.cwd()}); if it is what to make, put it behind --,"
                f" at the end: ... -- {file}"
            )
    settings_file.check(Path(file))


def _check_entries(entries: Sequence[str]) -> None:
    keys = [entry.partition("=")[0] for entry in entries if "=" in entry]
    twice = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
    if twice is not None:
        raise UserError(f"--config: {twice} is given twice, and only the last would count; give it once")
    for number, entry in enumerate(entries):
        if "=" in entry:
            continue
        before = next((e for e in reversed(entries[:number]) if "=" in e), None)
        if before is None:
            raise UserError(f"--config: {entry!r} sets nothing; write KEY=VALUE, such as --config classes=12")
        key, _, start = before.partition("=")
        end = next((i for i in range(number, len(entries)) if "=" in entries[i]), len(entries))
        whole = " ".join([start, *entries[number:end]])
        quoted = shlex.quote(whole)
        form = f"make run DATA={quoted}, or " if key == "data_root" else ""
        raise UserError(
            f"--config: {entry!r} sets nothing. If the value of {key} has a space, put it in quotes: {form}snakemake"
            f" ... --config {shlex.quote(before + ' ' + ' '.join(entries[number:end]))}. If it is what to make, put it"
            f" behind --, at the end: ... -- {entry}"
        )


def no_strangers(paths: str) -> None:
    """Stop where PYTHONPATH has a module that would be taken for a library.

    Raises:
        UserError: it has.
    """
    for folder in map(Path, filter(None, paths.split(os.pathsep))):
        try:
            files = sorted(folder.iterdir())
        except OSError:
            continue
        installed = {
            file.name.partition("-")[0].lower() for file in files if file.suffix in (".dist-info", ".egg-info")
        }
        for file in files:
            known = file.stem in LIBRARIES or (file.stem in sys.stdlib_module_names and file.suffix == ".py")
            if known and (file.suffix == ".py" or (file / "__init__.py").is_file()) and not installed:
                raise UserError(
                    f"PYTHONPATH names {folder}, where {file.name} would be taken for the library {file.stem}; start"
                    " with `make run`, which leaves PYTHONPATH out, or: unset PYTHONPATH"
                )


def cache_can_be_written() -> None:
    """Make the folder in which Snakemake keeps what it downloads, as it would do.

    Raises:
        UserError: that is not possible.
    """
    folder = Path(get_appdirs().user_cache_dir, "snakemake", "source-cache")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else "Permission denied"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        named = "XDG_CACHE_HOME" if os.environ.get("XDG_CACHE_HOME") else "HOME"
        raise UserError(
            f"{named}: the folder for caches, {folder}, cannot be written ({reason}); Snakemake and downloaded weights"
            " need one: export XDG_CACHE_HOME=/a/folder/that/can/be/written, and the same command again"
        )
