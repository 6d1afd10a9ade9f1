"""Set the rows of an ablation beside Table 5 of the LUSS paper: their scores.json, examine.json, masks -> index.html.

Also written: scores.csv (every run), table5.csv (mean, deviation and paper for each row) and the figure as SVG. Every
encoder is given twice: with masks made in the pipeline that all rows have in common, and with those of its preset.
"""

from pathlib import Path

from luss_core import cli
from luss_core.config import ReportConfig, RowsConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.ablation import ablation

OUTPUTS = {
    "out": "index.html, to be written",
    "table": "scores.csv, to be written: a row a pipeline, run, split and rule",
    "table5": "table5.csv, to be written: a row a pipeline, preset and rule",
    "figure": "figure, to be written as SVG",
}


RUNS = {
    "--common": "one run in the common pipeline and its folder, which holds evaluate/ and infer/; give it once a run",
    "--run": "the same as the preset of the row makes it; its folder holds examine/ as well",
}


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images", "store")
    parser.add_argument("--prior", type=Path, help="prior.h5 of prior, to show the saliency")
    for option, text in RUNS.items():
        parser.add_argument(option, action="append", required=True, metavar="ROW:SEED:DIR", help=text)
    parser.add_argument(
        "--rows",
        required=True,
        metavar="JSON|FILE",
        help="the rows in their order, what sets each apart and the common pipeline: RowsConfig of luss_core/config",
    )
    for name, text in OUTPUTS.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    args = parser.parse_args(argv)
    ablation(
        cli.section(ReportConfig, "report", args.settings),
        common=[parse_run(text) for text in args.common],
        best=[parse_run(text) for text in args.run],
        rows=cli.section(RowsConfig, "rows", args.rows),
        images=args.images,
        store=args.store,
        prior=args.prior,
        **{name: getattr(args, name) for name in OUTPUTS},
    )


if __name__ == "__main__":
    cli.run(main)
