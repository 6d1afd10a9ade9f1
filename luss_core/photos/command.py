"""Find categories in a folder of photographs, without labels, and paint each of them as a mask.

    luss photos "/path/to/my photographs"
    luss photos photographs --categories 8            as many categories as you say
    luss photos photographs --minutes 10              an encoder that is ready in that time
    luss photos photographs --encoder weights.pth     weights that lie on this machine
    luss photos photographs --plan                    only look, write the settings, and say what would run

It looks at the folder, chooses a ready encoder, writes a small file of settings, says what will run and how long it
takes, and starts Snakemake; the command that it prints does the same by itself. The results come into results/ of the
working folder. The same command again goes on where it was; with another number of categories it keeps all that comes
before clustering.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from luss_core.errors import UserError
from luss_core.photos import folder, settings
from luss_core.photos.choice import Choice, Wish, settle
from luss_core.photos.encoders import ENCODERS
from luss_core.photos.running import say, start
from luss_core.photos.work import WORDS, in_words
from luss_core.start import DATA, program, snakefile

SIDE = max(ready.side for ready in ENCODERS.values())


def main(argv: list[str] | None = None) -> None:
    """Look, choose, write, say, start.

    Raises:
        UserError: something that has to be put right first.
    """
    words = sys.argv[1:] if argv is None else argv
    given = os.environ.pop(DATA, None)
    args = _parser().parse_args(words if given is None else [*words, "--", given])
    if args.folder is None:
        raise UserError(
            'no folder was named; name that of your photographs: luss photos "/path/to/my photographs", or, with make:'
            ' make photos DATA="/path/to/my photographs"'
        )
    root, cores = folder.checked(args.folder), args.cores or _cores()
    say(f"Looking at {root}")
    facts = folder.seen(root, SIDE, min(cores, 4))
    file = settings.place(root, args.name, Path.cwd()).file
    say(*(f"  {line}" for line in folder.told(facts, SIDE, file.name)))
    wish = Wish(root, args.categories, args.minutes, args.encoder, args.name, cores, args.suggest)
    choice = settle(wish, facts, Path.cwd())
    arguments = [*snakefile(), "--cores", str(args.cores or "all"), "--configfile", choice.file.name]
    say(*choice.said, "", *_plan(choice, cores))
    say("The command for this, which works without luss as well (on a cluster: docs/slurm.md):")
    say(f"  {program('snakemake')} {shlex.join(arguments)}", "")
    if not args.plan:
        sys.exit(start(arguments, choice, _again(words, given)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "luss photos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "folder",
        nargs="?",
        metavar="FOLDER",
        help="your photographs, with or without folders in it; in quotes if it has a space",
    )
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--categories", type=int, metavar="N", help="how many to look for (the photographs are asked)")
    number.add_argument("--suggest", action="store_true", help="ask the photographs, as for new settings")
    add("--minutes", type=_minutes, metavar="M", help="time that there is; decides the encoder (30)")
    add("--encoder", metavar="NAME|FILE", help=f"{', '.join(ENCODERS)}, or a file with weights of one of them")
    add("--name", metavar="NAME", help="of the settings and the folder of results (that of the folder)")
    add("--cores", type=_cores_of, metavar="N", help="processor cores to use (all)")
    add("--plan", action="store_true", help="write the settings and say what would run; start nothing")
    return parser


def _minutes(text: str) -> float:
    """Raises:
    ArgumentTypeError: no time.
    """
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}; give minutes, such as 30")
    return minutes


def _cores_of(text: str) -> int:
    """Raises:
    ArgumentTypeError: no number of cores.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"found {text!r}; give a number of cores, 1 or more")
    return int(text)


def _cores() -> int:
    """How many there are for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(choice: Choice, cores: int) -> list[str]:
    """What will run, with what each stage does and takes."""
    stages = {stage: seconds for stage, seconds in choice.estimates.items() if stage != "suggest"}
    total, width = sum(stages.values()), max(map(len, WORDS.values()))
    where = "a GPU" if choice.device == "cuda" else f"{cores} core{'' if cores == 1 else 's'}"
    return [
        f"What runs, about {in_words(total)} on {where} (tried on some photographs; what is made already stays):",
        *(f"  {stage:9} {WORDS[stage]:{width}} {max(0.1, seconds / 60):5.1f} min" for stage, seconds in stages.items()),
    ]


def _again(words: Sequence[str], given: str | None) -> str:
    """The command that was given, for a shell."""
    if given is not None:
        more = f" ARGS={shlex.quote(shlex.join(words))}" if words else ""
        return f"make photos DATA={shlex.quote(given)}{more}"
    return f"{program('luss')} {shlex.join(['photos', *words])}"
