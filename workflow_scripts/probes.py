"""Set probes of several encoders side by side: their scores.json -> index.html and scores.csv."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ProbesConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.probes import probes


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "probes")
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds probes/linear and probes/limited; give it once a run",
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the annotated data set")
    cli.add_inputs(parser, "images", "store")
    parser.add_argument("--out", type=Path, required=True, help="index.html, to be written")
    parser.add_argument("--table", type=Path, required=True, help="scores.csv, to be written: a row a run and probe")
    args = parser.parse_args(argv)
    probes(
        cli.section(ProbesConfig, "probes", args.settings),
        runs=[parse_run(text) for text in args.run],
        root=args.root,
        images=args.images,
        store=args.store,
        out=args.out,
        table=args.table,
    )


if __name__ == "__main__":
    cli.run(main)
