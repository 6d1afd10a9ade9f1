"""Write one file that segments images on its own: segmenter, threshold.json and scores.json -> model.safetensors."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ExportConfig
from luss_core.stages.export import export


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "export")
    cli.add_inputs(parser, "images", "segmenter")
    parser.add_argument("--threshold", type=Path, required=True, help="threshold.json of infer")
    parser.add_argument("--scores", type=Path, required=True, help="scores.json of evaluate, which knows the classes")
    parser.add_argument("--out", type=Path, required=True, help="model.safetensors, to be written")
    args = parser.parse_args(argv)
    export(
        cli.section(ExportConfig, "export", args.settings),
        images=args.images,
        segmenter=args.segmenter,
        threshold=args.threshold,
        scores=args.scores,
        out=args.out,
    )


if __name__ == "__main__":
    cli.run(main)
