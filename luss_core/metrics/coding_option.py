"""The coding of a folder of masks that a command is given: found from the masks, or said by an option."""

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from luss_core.config.mask_table import MaskTable
from luss_core.data.coding import Coding, fixed_coding
from luss_core.data.find_coding import Ask
from luss_core.data.outcome import examples
from luss_core.data.survey import by_kind, survey
from luss_core.errors import UserError
from luss_core.metrics.legend import beside

log = logging.getLogger(__name__)

NAMES = ("auto", "ids", "imagenet_s", "binary")


def add_coding(parser: argparse.ArgumentParser, option: str, what: str) -> None:
    """The option ``option``-coding."""
    parser.add_argument(
        f"{option}-coding",
        default="auto",
        metavar="auto|ids|imagenet_s|binary|FILE",
        help=f"how {what} are read\n"
        "auto: as their values say (default)\n"
        "ids: the value of one channel, or the index of a palette, is the id; 255 is ignored\n"
        "imagenet_s: id = R + 256 G, 1000 is ignored\n"
        "binary: 0 is nothing, the one other value is the object, id 1\n"
        'FILE: JSON of what each colour or value means, {"#ff0000": 1, "#e0e0c0": "ignore"}',
    )


def folder_coding(folder: Path, names: Sequence[Path], option: str, said: str, classes: int, threads: int) -> Coding:
    """The coding of a folder of masks.

    Args:
        names: of the masks, below ``folder``.
        option: that gave the folder, such as --truth.
        said: the value of ``option``-coding.
        classes: number of categories, which no id of a truth exceeds.

    Raises:
        UserError: no such coding, or a question of which coding it is.
    """
    ask = Ask(
        f"{option} {folder}",
        f"give {option}-coding {{}}",
        f"write what each colour means into a file colours.json (0 = nothing, ignore = not scored) and give"
        f" {option}-coding colours.json; ready to paste, with the ids to be corrected:\n  {{}}",
        "leave these masks out",
        option == "--truth",
    )
    paths = [name.as_posix() for name in names]
    fixed = _said(option, said)
    if said == "auto" and beside(folder):
        fixed = Coding()  # as predict and export write masks: the index of a palette is the id, whatever its colours
    coding, seen, reasons = survey(folder, paths, fixed, classes, False, threads, ask)
    if not seen:
        raise UserError(f"{option} {folder}: none of the {len(reasons)} masks looked at is one:{examples(reasons)}")
    if coding != Coding():
        log.warning("%s: of %d masks looked at, %s", option, len(seen), coding.describe(by_kind(seen)))
    return coding


def _said(option: str, said: str) -> Coding | None:
    if said in NAMES:
        return fixed_coding(said, {})  # type: ignore[arg-type]
    path = Path(said)
    if not path.is_file():
        raise UserError(f"{option}-coding {said}: neither a file nor one of {', '.join(NAMES)}")
    try:
        table: dict[str, Any] = TypeAdapter(MaskTable).validate_python(json.loads(path.read_text(encoding="utf-8-sig")))
    except ValidationError as error:
        raise UserError(f"{option}-coding {said}: {'; '.join(entry['msg'] for entry in error.errors())}") from error
    except (OSError, ValueError) as error:
        raise UserError(f'{option}-coding {said} is no JSON such as {{"#ff0000": 1}}: {error}') from error
    return fixed_coding("auto", table)
