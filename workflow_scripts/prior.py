"""Say what probably is object: images.csv and images.h5 -> prior.h5, a saliency map of every image, and two lists.

The maps are computed by region contrast, without learning, or read from a folder of your own (prior.folder).
"""

from pathlib import Path

from luss_core import cli
from luss_core.config import PriorConfig
from luss_core.stages.prior import prior


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "prior")
    cli.add_inputs(parser, "images", "store")
    parser.add_argument("--out", type=Path, required=True, help="folder for the three files")
    parser.add_argument("--mark", default="", help="what the workflow calls the folder of maps as it is now")
    cli.add_state(parser)
    args = parser.parse_args(argv)
    cfg = cli.section(PriorConfig, "prior", args.settings)
    prior(
        cfg,
        images=args.images,
        store=args.store,
        out=args.out,
        state=args.state,
        threads=args.threads,
        mark=args.mark,
    )


if __name__ == "__main__":
    cli.run(main)
