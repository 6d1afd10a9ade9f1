"""Fine-tune on pseudo labels: images.h5, encoder and clusters -> segmenter.safetensors and log.jsonl."""

from functools import partial
from pathlib import Path

from luss_core import cli
from luss_core.config import FinetuneConfig
from luss_core.edits import Edits
from luss_core.stages.finetune import finetune


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "finetune")
    cli.add_inputs(parser, "store", "encoder", "clusters", "classes")
    cli.add_training(parser)
    parser.add_argument(
        "--images", type=Path, help="images.csv of prepare; needed with corrected masks only, as --size"
    )
    parser.add_argument("--size", type=int, default=0, help="shorter side in pixels at which infer segments")
    parser.add_argument("--edits", default="{}", metavar="JSON", help="what is merged or split, as edits.yaml says it")
    parser.add_argument("--mark", help="what the corrected masks go by in the workflow; changes nothing")
    parser.add_argument("--out", type=Path, required=True, help="weights of the segmenter, to be written")
    args = parser.parse_args(argv)
    cfg = cli.section(FinetuneConfig, "finetune", args.settings)
    if cfg.corrected is not None and not (args.images and args.size):
        parser.error("finetune.corrected needs --images and --size")
    work = partial(
        finetune,
        cfg,
        store=args.store,
        encoder=args.encoder,
        clusters=args.clusters,
        classes=args.classes,
        seed=args.seed,
        state=args.state,
        out=args.out,
        log=args.log,
        images=args.images,
        size=args.size,
        edits=Edits.model_validate_json(args.edits),
    )
    cli.in_processes(args, "finetune", argv, lambda resources: work(resources=resources))


if __name__ == "__main__":
    cli.run(main)
