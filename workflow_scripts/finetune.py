"""Fine-tune on pseudo labels: images.h5, encoder and clusters -> segmenter.safetensors and log.jsonl."""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import FinetuneConfig
from luss_core.stages.finetune import finetune


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "finetune")
    cli.add_inputs(parser, "store", "encoder", "clusters", "classes")
    cli.add_training(parser)
    parser.add_argument("--out", type=Path, required=True, help="weights of the segmenter, to be written")
    args = parser.parse_args(argv)
    work = partial(
        finetune,
        cli.section(FinetuneConfig, "finetune", args.settings),
        store=args.store,
        encoder=args.encoder,
        clusters=args.clusters,
        classes=args.classes,
        seed=args.seed,
        state=args.state,
        out=args.out,
        log=args.log,
    )
    cli.in_processes(args, "finetune", argv, lambda resources: work(resources=resources))


if __name__ == "__main__":
    cli.run(main)
