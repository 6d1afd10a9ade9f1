"""Measure what the encoder learned: images.csv, images.h5 and encoder -> examine.json, folder of attention maps."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ExamineConfig
from luss_core.stages.examine import examine


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "examine")
    cli.add_inputs(parser, "images", "store", "encoder", "classes")
    cli.add_device(parser)
    parser.add_argument("--prior", type=Path, help="prior.h5, to set its F beside that of the attention")
    parser.add_argument("--out", type=Path, required=True, help="examine.json, to be written")
    parser.add_argument("--attention", type=Path, required=True, help="folder of attention maps, to be written")
    parser.add_argument(
        "--similarity",
        type=Path,
        required=True,
        help="folder of what heads beside the encoder find alike, to be written",
    )
    args = parser.parse_args(argv)
    examine(
        cli.section(ExamineConfig, "examine", args.settings),
        images=args.images,
        store=args.store,
        encoder=args.encoder,
        prior=args.prior,
        classes=args.classes,
        out=args.out,
        attention=args.attention,
        similarity=args.similarity,
        device=cli.device(args),
    )


if __name__ == "__main__":
    cli.run(main)
