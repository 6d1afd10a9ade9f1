"""The work itself: Snakemake once, or twice where the photographs are asked how many categories there are."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from luss_core import invocation
from luss_core.__main__ import COMMANDS
from luss_core.io import read_json
from luss_core.photos import ending, settings
from luss_core.photos.choice import Choice
from luss_core.photos.watch import End, watch
from luss_core.photos.work import WORDS
from luss_core.start import program

FEATURES = Path("extract", "features.h5")


def start(arguments: Sequence[str], choice: Choice, again: str) -> int:
    """Run to the end, and say where the results are or how to go on; the exit status.

    Args:
        arguments: of Snakemake.
        again: the command that goes on.
    """
    invocation.check(arguments, os.environ)
    command = [sys.executable, "-m", "snakemake", *arguments]
    log, began = choice.file.with_suffix(".log"), time.monotonic()
    say(f"All that is said meanwhile: {log.name}. Ctrl-C stops; what is made stays.")
    end = End(0, False, [])
    if choice.undecided is not None:
        end, choice = _ask(command, choice, log)
    if end.status == 0:
        end = watch(command, log, choice.estimates)
    if end.stopped:
        say(*ending.stopped(again))
    elif end.status:
        say(*ending.failure(end.said, log, again))
    else:
        say(*ending.success(choice.config, time.monotonic() - began, COMMANDS, program("luss")))
    return end.status


def _ask(command: Sequence[str], choice: Choice, log: Path) -> tuple[End, Choice]:
    """Ask the photographs how many categories there are, and write the answer into the settings.

    What can be described and yet not be asked, as too few photographs cannot, gets the usual number.
    """
    config = choice.config
    later = list(WORDS)[list(WORDS).index("cluster") :]
    end = watch([*command, "--", "suggest"], log, {**choice.estimates, **dict.fromkeys(later, 0.0)})
    described = (ending.run_folder(config) / FEATURES).exists()
    if end.stopped or (end.status and not described):
        return end, choice
    found = Path("results", config.dataset, "suggest", "suggest.json")
    if end.status or not found.exists():
        classes, words = choice.undecided or 2, ["the photographs do not say how many categories there are"]
    else:
        first = read_json(found)["runs"][0]
        classes, words = int(first["categories"]), first["words"][:1]
        words.append(f"why: {found.with_name('index.html')}")
    largest = read_json(Path("results", config.dataset, "prepare", "summary.json")).get("largest_mask_id", 0)
    if classes < largest:
        classes = largest
        words.append(f"your masks hold ids up to {largest}, and there are at least as many categories")
    say(
        *(f"  {text}" for text in words),
        f"  taken: {classes}; for another number give the same command with --categories N",
    )
    return End(0, False, end.said), choice._replace(
        config=settings.change_classes(choice.file, classes), undecided=None
    )


def say(*lines: str) -> None:
    """Lines on the screen, at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
