"""Linear probe of an encoder: annotated images and encoder -> scores.json, per_class.csv and probe.safetensors."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ProbesConfig
from luss_core.stages.linear import linear
from luss_core.stages.probing import Outputs
from luss_core.train.loop import Resources


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "probes")
    parser.add_argument("--root", type=Path, required=True, help="folder of the annotated data set")
    cli.add_inputs(parser, "encoder", "seed")
    cli.add_state(parser)
    cli.add_device(parser)
    cli.add_checkpoints(parser)
    cli.add_probe_outputs(parser)
    parser.add_argument("--masks", type=Path, required=True, help="folder of the classes of some images, to be written")
    parser.add_argument("--log", type=Path, required=True, help="log.jsonl, to be written: one JSON object a step")
    args = parser.parse_args(argv)
    linear(
        cli.section(ProbesConfig, "probes", args.settings),
        root=args.root,
        encoder=args.encoder,
        seed=args.seed,
        state=args.state,
        outputs=Outputs(args.out, args.table, args.probe, args.log, args.masks),
        resources=Resources(cli.device(args), 0, args.threads, args.checkpoint_minutes),
    )


if __name__ == "__main__":
    cli.run(main)
