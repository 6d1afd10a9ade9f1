"""Generate the embedded data set: nothing -> a folder of scenes with exact masks, in ImageNet-S layout."""

from pathlib import Path

from luss_core import cli
from luss_core.config import SynthesizeConfig
from luss_core.stages.synthesize import synthesize


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "synthesize")
    parser.add_argument("--out", type=Path, required=True, help="folder to make: train/, validation/, test/ and masks")
    args = parser.parse_args(argv)
    synthesize(cli.section(SynthesizeConfig, "synthesize", args.settings), out=args.out, threads=args.threads)


if __name__ == "__main__":
    cli.run(main)
