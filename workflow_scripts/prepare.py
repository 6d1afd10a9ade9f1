"""Check and pack a data set: folder of images -> images.csv, images.h5, rejected.csv, files.jsonl and summary.json.

The folder is in ImageNet-S layout (train/, validation/, test/, masks in <split>-segmentation/) or any folder of
images, with or without sub-folders.
"""

from pathlib import Path

from luss_core import cli
from luss_core.bounds import from_text
from luss_core.config import PrepareConfig
from luss_core.stages.prepare import prepare


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "prepare")
    parser.add_argument("--root", type=Path, required=True, help="folder of images")
    parser.add_argument("--out", type=Path, required=True, help="folder for the five files")
    parser.add_argument("--classes", type=int, help="number of categories; mask ids above it are an error")
    parser.add_argument(
        "--needs", type=from_text, default=[], metavar="KIND:LEAST:KEY,...", help="what later stages ask of the images"
    )
    parser.add_argument("--mark", default="", help="what the workflow calls the folder as it is now")
    parser.add_argument("--crop", type=int, default=0, help="largest crop of training; smaller images are told of")
    cli.add_state(parser)
    args = parser.parse_args(argv)
    cfg = cli.section(PrepareConfig, "prepare", args.settings)
    prepare(
        cfg,
        root=args.root,
        out=args.out,
        state=args.state,
        threads=args.threads,
        classes=args.classes,
        needs=args.needs,
        mark=args.mark,
        crop=args.crop,
    )


if __name__ == "__main__":
    cli.run(main)
