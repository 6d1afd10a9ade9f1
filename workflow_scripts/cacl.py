"""Set the rows of the CACL paper beside its Tables 1 to 4: scores.json of their probes -> index.html and cacl.csv.

Also written: scores.csv, a line for each run and probe. A run without scores is left out, and named on the page.
"""

from pathlib import Path

from luss_core import cli
from luss_core.config import CACLTablesConfig, PaperTablesConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.cacl import cacl


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "cacl")
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds probes/linear and probes/limited; give it once a run",
    )
    parser.add_argument(
        "--rows",
        required=True,
        metavar="JSON|FILE",
        help="the tables and their rows: PaperTablesConfig of luss_core/config",
    )
    parser.add_argument("--out", type=Path, required=True, help="index.html, to be written")
    parser.add_argument("--table", type=Path, required=True, help="cacl.csv, to be written: a row a table, row, column")
    parser.add_argument("--scores", type=Path, required=True, help="scores.csv, to be written: a row a run and probe")
    args = parser.parse_args(argv)
    cacl(
        cli.section(CACLTablesConfig, "cacl", args.settings),
        rows=cli.section(PaperTablesConfig, "rows", args.rows),
        runs=[parse_run(text) for text in args.run],
        out=args.out,
        table=args.table,
        scores=args.scores,
    )


if __name__ == "__main__":
    cli.run(main)
