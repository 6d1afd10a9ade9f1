"""Set methods beside each other and beside Tables 2, 3 and 6 of the LUSS paper: scores.json, logs -> index.html.

Also written: scores.csv (every run), benchmark.csv (mean, deviation, cost and paper for each row) and the figure as
SVG. Costs are read from what lies beside the scores: the log of the training, its encoder, and Snakemake's benchmarks.
"""

from pathlib import Path

from luss_core import cli
from luss_core.config import BenchmarkRows, MissingRuns, ReportConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.benchmark import benchmark

OUTPUTS = {
    "out": "index.html, to be written",
    "table": "scores.csv, to be written: a row a run, split and rule",
    "summary": "benchmark.csv, to be written: a row a method and rule",
    "figure": "figure, to be written as SVG",
}


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images")
    cli.add_rows(parser, "BenchmarkRows")
    for name, text in OUTPUTS.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    args = parser.parse_args(argv)
    benchmark(
        cli.section(ReportConfig, "report", args.settings),
        runs=[parse_run(text) for text in args.run],
        rows=cli.section(BenchmarkRows, "rows", args.rows),
        missing=cli.section(MissingRuns, "missing", args.missing),
        images=args.images,
        **{name: getattr(args, name) for name in OUTPUTS},
    )


if __name__ == "__main__":
    cli.run(main)
