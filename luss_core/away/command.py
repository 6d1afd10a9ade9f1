"""Take what was found to other programs.

  luss export results/photographs/frozen/seed0 --to coco -o annotations
  luss export found --to cvat -o annotations           found: a folder that luss predict wrote
  luss export results/photographs/frozen/seed0 --to onnx -o network

Masks: coco, cvat, labelstudio, xanylabeling, fiftyone, png. The network: model (one file, with what was corrected),
onnx, torch. docs/export.md says how each program reads them.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from luss_core.errors import UserError


class Form(NamedTuple):
    """Something to export to."""

    write: str
    """module:function."""
    names: tuple[str, ...]
    """What it writes."""
    masks: bool = True
    """Whether it is masks that are exported, or the network."""


FORMS = {
    "coco": Form("luss_core.away.coco:write", ("annotations.json",)),
    "cvat": Form("luss_core.away.cvat:write", ("annotations.xml",)),
    "fiftyone": Form("luss_core.away.folders:write_fiftyone", ("data", "labels", "mask_targets.json")),
    "labelstudio": Form("luss_core.away.label_studio:write", ("tasks.json", "label-config.xml")),
    "model": Form("luss_core.away.network:write_model", ("model.safetensors",), masks=False),
    "onnx": Form("luss_core.away.network:write_onnx", ("model.onnx",), masks=False),
    "png": Form("luss_core.away.folders:write_png", ("masks", "categories.csv")),
    "torch": Form("luss_core.away.network:write_torch", ("model.pt2",), masks=False),
    "xanylabeling": Form("luss_core.away.xanylabeling:write", ("annotations",)),
}


def main(argv: list[str] | None = None) -> None:
    """Write a run in the form of another program."""
    parser = argparse.ArgumentParser(
        "luss export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="folder of a finished run, or one that luss predict wrote")
    add("--to", choices=FORMS, required=True, help="the form")
    add("-o", "--out", type=Path, metavar="OUT", help="folder for what is written (default: export/<form> in RUN)")
    args = parser.parse_args(argv)
    form, out = FORMS[args.to], args.out or args.run / "export" / args.to
    _stop_if_taken(out, form.names)
    module, _, function = form.write.partition(":")
    write: Callable[..., None] = getattr(import_module(module), function)
    if form.masks:
        from luss_core.away.found import find

        found = find(args.run)
        write(found, out)
        sys.stdout.write(f"{found.count:,} images, {len(found.categories) - 1} categories: ")
    else:
        write(args.run, out)
    sys.stdout.write(", ".join(str(out / name) for name in form.names) + "\n")


def _stop_if_taken(out: Path, names: tuple[str, ...]) -> None:
    """Raises:
    UserError: what would be written is there; somebody may have corrected it by now.
    """
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give a folder")
    if taken := [name for name in names if (out / name).exists()]:
        raise UserError(f"{out} already holds {' and '.join(taken)}; delete it, or give another folder with -o")
