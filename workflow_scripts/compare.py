"""Set runs of one data set side by side: their scores.json and masks -> index.html and scores.csv."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ReportConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.compare import compare


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images", "store")
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds evaluate/scores.json and infer/masks; give it once a run",
    )
    parser.add_argument("--out", type=Path, required=True, help="index.html, to be written")
    parser.add_argument(
        "--table", type=Path, required=True, help="scores.csv, to be written: a row a run, split and rule"
    )
    args = parser.parse_args(argv)
    compare(
        cli.section(ReportConfig, "report", args.settings),
        runs=[parse_run(text) for text in args.run],
        images=args.images,
        store=args.store,
        out=args.out,
        table=args.table,
    )


if __name__ == "__main__":
    cli.run(main)
