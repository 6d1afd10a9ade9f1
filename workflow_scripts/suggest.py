"""How many categories do features show? features.h5 of runs -> index.html with a recommendation, and suggest.json."""

from pathlib import Path

from luss_core import cli
from luss_core.config import SuggestConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.suggest import FILE, suggest


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "suggest")
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds extract/features.h5; give it once a run",
    )
    parser.add_argument("--out", type=Path, required=True, help="index.html, to be written")
    parser.add_argument("--table", type=Path, required=True, help="suggest.json, to be written")
    args = parser.parse_args(argv)
    runs = [parse_run(text) for text in args.run]
    suggest(
        cli.section(SuggestConfig, "suggest", args.settings),
        features=[(f"{run.preset}, seed {run.seed}", run.folder / FILE) for run in runs],
        out=args.out,
        table=args.table,
    )


if __name__ == "__main__":
    cli.run(main)
