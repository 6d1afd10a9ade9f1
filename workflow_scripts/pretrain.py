"""Learn a representation without labels: images.csv and images.h5 -> encoder.safetensors and log.jsonl.

Example:
  python workflow_scripts/pretrain.py --settings config.yaml --images results/embedded/prepare/images.csv
      --store results/embedded/prepare/images.h5 --state /tmp/state --out encoder.safetensors --log log.jsonl
"""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import PretrainConfig
from luss_core.stages.pretrain import pretrain

ASKED = {"auto": None, "true": True, "false": False}


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "pretrain")
    cli.add_inputs(parser, "images", "store")
    cli.add_training(parser)
    parser.add_argument("--prior", type=Path, help="prior.h5 of prior, where the method is taught by saliency maps")
    parser.add_argument("--begin", type=Path, help="encoder.safetensors of the preset that weights_of names")
    parser.add_argument(
        "--folders",
        choices=ASKED,
        default="auto",
        help="whether the folders of images are categories, as evaluate.folders; only diagnostics ask",
    )
    parser.add_argument("--out", type=Path, required=True, help="weights of the encoder, to be written")
    args = parser.parse_args(argv)
    work = partial(
        pretrain,
        cli.section(PretrainConfig, "pretrain", args.settings),
        images=args.images,
        store=args.store,
        prior=args.prior,
        seed=args.seed,
        state=args.state,
        out=args.out,
        log=args.log,
        begin=args.begin,
        folders=ASKED[args.folders],
    )
    cli.in_processes(args, "pretrain", argv, lambda resources: work(resources=resources))


if __name__ == "__main__":
    cli.run(main)
