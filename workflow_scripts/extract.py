"""Pool the features of every training image: images.csv, images.h5 and encoder -> features.h5."""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import ExtractConfig
from luss_core.stages.extract import extract


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "extract")
    cli.add_inputs(parser, "images", "store", "encoder")
    cli.add_processes(parser)
    cli.add_part(parser)
    parser.add_argument("--out", type=Path, required=True, help="features.h5, to be written")
    args = parser.parse_args(argv)
    work = partial(
        extract,
        cli.section(ExtractConfig, "extract", args.settings),
        images=args.images,
        store=args.store,
        encoder=args.encoder,
        out=args.out,
        part=args.part,
    )
    cli.in_processes(args, "extract", argv, lambda resources: work(device=resources.device))


if __name__ == "__main__":
    cli.run(main)
