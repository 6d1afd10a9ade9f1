"""Fine-tune with a few labels: annotated images and encoder -> scores.json, per_class.csv and probe.safetensors."""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import ProbesConfig
from luss_core.stages.limited import limited
from luss_core.stages.probing import Outputs


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "probes")
    parser.add_argument("--root", type=Path, required=True, help="folder of the annotated data set")
    cli.add_inputs(parser, "encoder")
    parser.add_argument("--percent", type=float, required=True, help="of the labelled images that are learned from")
    cli.add_training(parser)
    cli.add_probe_outputs(parser)
    args = parser.parse_args(argv)
    work = partial(
        limited,
        cli.section(ProbesConfig, "probes", args.settings),
        root=args.root,
        encoder=args.encoder,
        percent=args.percent,
        seed=args.seed,
        state=args.state,
        outputs=Outputs(args.out, args.table, args.probe, args.log),
    )
    cli.in_processes(args, "limited", argv, lambda resources: work(resources=resources))


if __name__ == "__main__":
    cli.run(main)
