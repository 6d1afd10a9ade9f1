"""Start the workflow: look at what was asked for, then become Snakemake with the same arguments."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import NoReturn

from luss_core import invocation
from luss_core.errors import UserError

DATA = "LUSS_DATA"
"""Variable in which `make run DATA=...` hands a folder over, whatever characters its path has."""


def main(argv: list[str]) -> NoReturn:
    """Become Snakemake.

    Raises:
        UserError: a mistake that Snakemake would end at with a traceback.
    """
    arguments = with_folder(argv, os.environ.pop(DATA, None))
    invocation.check(arguments, os.environ)
    sys.stderr.write(f"{shlex.join(['snakemake', *arguments])}\n")
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "snakemake", *arguments])


def with_folder(arguments: Sequence[str], folder: str | None) -> list[str]:
    """Arguments of Snakemake with a folder of images among those of --config.

    Of several --config Snakemake reads the last alone, so that it goes into that where there is one.

    Raises:
        UserError: the name of the folder is empty.
    """
    if folder is None:
        return list(arguments)
    if not folder.strip():
        raise UserError("DATA is empty; name the folder of photographs: make run DATA=/path/to/photographs")
    entry = f"data_root={folder}"
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    places = [place for place, word in enumerate(options) if word in ("--config", "-C")]
    if places:
        return [*arguments[: places[-1] + 1], entry, *arguments[places[-1] + 1 :]]
    return [*options, "--config", entry, *arguments[len(options) :]]
