"""Train DeepLabV3+ with labels: annotated images and encoder -> network.safetensors, scores.json and per_class.csv."""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import AnnotatedConfig, SegmentConfig
from luss_core.stages.segment import SegmentOutputs, segment


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "segment")
    parser.add_argument("--root", type=Path, required=True, help="folder of the annotated data set")
    parser.add_argument(
        "--data", default="{}", metavar="JSON|FILE", help="the `data` section of `probes` as JSON text, or a YAML file"
    )
    cli.add_inputs(parser, "encoder")
    parser.add_argument("--percent", type=float, required=True, help="of the labelled images that are learned from")
    cli.add_training(parser)
    parser.add_argument("--out", type=Path, required=True, help="scores.json, to be written")
    parser.add_argument("--table", type=Path, required=True, help="per_class.csv, to be written: a row a class")
    parser.add_argument("--network", type=Path, required=True, help="network.safetensors, to be written")
    parser.add_argument("--masks", type=Path, required=True, help="folder of some masks, to be written for the page")
    args = parser.parse_args(argv)
    work = partial(
        segment,
        cli.section(SegmentConfig, "segment", args.settings),
        data=cli.section(AnnotatedConfig, "data", args.data),
        root=args.root,
        encoder=args.encoder,
        percent=args.percent,
        seed=args.seed,
        state=args.state,
        outputs=SegmentOutputs(args.out, args.table, args.network, args.masks, args.log),
    )
    cli.in_processes(args, "segment", argv, lambda resources: work(resources=resources))


if __name__ == "__main__":
    cli.run(main)
