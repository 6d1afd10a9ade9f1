"""Weights of a checkpoint that holds Python objects too, as a safetensors file, without running what stands in it.

The tensors keep their names, so that the layout is still recognised. Objects, numbers and optimizers are left out.
"""

import argparse
import sys
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from luss_core.errors import UserError
from luss_core.io import atomic
from luss_core.models.foreign.read import read

OPTIMIZERS = ("optimizer", "optimizer_states", "opt")
"""First parts of the names of what only a training that goes on needs."""


def main(argv: list[str] | None = None) -> None:
    """Write IN's tensors to OUT and say what was left out."""
    args = _parser().parse_args(argv)
    if args.out.suffix != ".safetensors":
        raise UserError(f"OUT {args.out}: must end in .safetensors, which is what is written")
    if args.out.resolve() == args.file.resolve():
        raise UserError(f"OUT {args.out}: is the file that is read; give another name")
    contents = read(args.file, inert=True)
    kept = {name: t for name, t in contents.tensors.items() if name.partition(".")[0] not in OPTIMIZERS}
    if not kept:
        raise UserError(f"{args.file}: holds tensors of an optimizer only; give a checkpoint with a network")
    with atomic(args.out) as partial:
        save_file(_apart(kept), partial, {"format": "pt"})
    objects = ", ".join(contents.left_out) or "none"
    sys.stdout.write(
        f"{args.out}: {len(kept)} tensors; left out: {len(contents.tensors) - len(kept)} tensors of optimizers,"
        f" Python objects: {objects}\n"
    )


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each with memory of its own, as safetensors wants them: two names of one tensor become two tensors."""
    seen: set[int] = set()
    found = {}
    for name, tensor in tensors.items():
        where = tensor.untyped_storage().data_ptr()
        found[name] = tensor.clone().contiguous() if where in seen else tensor.contiguous()
        seen.add(where)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "luss convert-weights",
        description=__doc__,
        epilog="example:\n  luss convert-weights checkpoint.pth checkpoint.safetensors",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="IN", help="checkpoint that torch.save wrote")
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write; ends in .safetensors")
    return parser
