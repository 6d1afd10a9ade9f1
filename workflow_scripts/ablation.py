"""Set the rows of an ablation beside Table 5 of the LUSS paper: their scores.json, examine.json, masks -> index.html.

Also written: scores.csv (every run), table5.csv (mean, deviation and paper for each row) and the figure as SVG.
"""

from pathlib import Path

from luss_core import cli
from luss_core.config import ReportConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.ablation import ablation

OUTPUTS = {
    "out": "index.html, to be written",
    "table": "scores.csv, to be written: a row a run, split and rule",
    "table5": "table5.csv, to be written: a row a preset and rule",
    "figure": "figure, to be written as SVG",
}


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images", "store")
    parser.add_argument("--prior", type=Path, help="prior.h5 of prior, to show the saliency")
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds evaluate/, examine/ and infer/; give it once a run, in the order of"
        " the rows",
    )
    for name, text in OUTPUTS.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    args = parser.parse_args(argv)
    ablation(
        cli.section(ReportConfig, "report", args.settings),
        runs=[parse_run(text) for text in args.run],
        images=args.images,
        store=args.store,
        prior=args.prior,
        **{name: getattr(args, name) for name in OUTPUTS},
    )


if __name__ == "__main__":
    cli.run(main)
