"""Segment images: images.csv, images.h5 and segmenter -> folder of masks, scored.h5, threshold.json."""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import InferConfig
from luss_core.stages.infer import infer


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "infer")
    cli.add_inputs(parser, "images", "store", "segmenter")
    cli.add_processes(parser)
    cli.add_part(parser)
    parser.add_argument("--masks", type=Path, required=True, help="folder of masks, to be written")
    parser.add_argument(
        "--scored", type=Path, required=True, help="scored.h5, to be written: label and score of every pixel"
    )
    parser.add_argument("--threshold", type=Path, required=True, help="threshold.json, to be written")
    args = parser.parse_args(argv)
    work = partial(
        infer,
        cli.section(InferConfig, "infer", args.settings),
        images=args.images,
        store=args.store,
        segmenter=args.segmenter,
        masks=args.masks,
        scored=args.scored,
        threshold=args.threshold,
        part=args.part,
    )
    cli.in_processes(args, "infer", argv, lambda resources: work(device=resources.device, threads=resources.threads))


if __name__ == "__main__":
    cli.run(main)
