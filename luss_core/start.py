"""Start the workflow: look at what was asked for, then become Snakemake with the same arguments."""

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from luss_core import invocation
from luss_core.errors import UserError

DATA = "LUSS_DATA"
"""Variable in which `make run DATA=...` hands a folder over, whatever characters its path has."""
CHECKOUT = Path(__file__).resolve().parents[1]
"""What holds the Snakefile and the recipes beside this package."""

HELP = """\
usage: luss run [ARGUMENTS OF SNAKEMAKE]

Looks at the arguments, says what is wrong with them, and starts Snakemake with them, from any folder.

  luss run --cores all                                            generated data, into results/ of this folder
  luss run --cores all --configfile mine.yaml -n                  what settings of yours would run
  luss run --cores all --config data_root=/path/to/photographs classes=12

All that Snakemake takes: snakemake --help
"""


def main(argv: list[str]) -> NoReturn:
    """Become Snakemake.

    Raises:
        UserError: a mistake that Snakemake would end at with a traceback.
    """
    if argv in (["-h"], ["--help"]):
        sys.stdout.write(HELP)
        raise SystemExit(0)
    arguments = with_folder(argv, os.environ.pop(DATA, None))
    if not Path("Snakefile").exists() and not any(word.startswith(("-s", "--snakefile")) for word in arguments):
        arguments = [*snakefile(), *arguments]
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


def snakefile() -> list[str]:
    """Arguments that lead Snakemake to the workflow of this package; none where it lies in the working folder.

    Raises:
        UserError: the package was installed without it.
    """
    file = CHECKOUT / "Snakefile"
    if not file.is_file():
        raise UserError(
            f"the package luss in {CHECKOUT} was installed without its workflow; fetch the whole project (git clone)"
            " and install it with: pip install -e /path/to/it"
        )
    return [] if Path.cwd() == CHECKOUT else ["--snakefile", str(file)]


def program(name: str) -> str:
    """How a program that belongs to this Python is called here, for a shell: by its name, where that finds it."""
    beside, found = Path(sys.executable).with_name(name), shutil.which(name)
    if beside.exists() or name != "luss":
        return name if found and Path(found) == beside else shlex.quote(str(beside))
    return shlex.join([sys.executable, "-m", "luss_core"])
