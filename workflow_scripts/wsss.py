"""Set weakly supervised methods beside each other and beside Table 4 of the LUSS paper: scores.json -> index.html.

Also written: scores.csv (every run) and wsss.csv (mean, deviation and paper for each row). What a network costs, and
the pictures, are read from what lies beside the scores: the segmenter, its scored maps and its masks.
"""

from pathlib import Path

from luss_core import cli
from luss_core.config import MissingRuns, ReportConfig
from luss_core.config.wsss import WSSSRows
from luss_core.report.comparison import parse_run
from luss_core.stages.wsss import wsss

OUTPUTS = {
    "out": "index.html, to be written",
    "table": "scores.csv, to be written: a row a run, split and rule",
    "summary": "wsss.csv, to be written: a row a method, encoder, labels and rule",
}


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images", "store")
    cli.add_rows(parser, "WSSSRows")
    for name, text in OUTPUTS.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    args = parser.parse_args(argv)
    wsss(
        cli.section(ReportConfig, "report", args.settings),
        runs=[parse_run(text) for text in args.run],
        rows=cli.section(WSSSRows, "rows", args.rows),
        missing=cli.section(MissingRuns, "missing", args.missing),
        images=args.images,
        store=args.store,
        **{name: getattr(args, name) for name in OUTPUTS},
    )


if __name__ == "__main__":
    cli.run(main)
