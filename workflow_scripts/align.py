"""Set what several runs found in the same images side by side, for their pages of all images -> a folder of files."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ReportConfig
from luss_core.report.comparison import parse_run
from luss_core.stages.align import align


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds report/gallery; give it once a run",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder, to be written: runs.html and the masks")
    args = parser.parse_args(argv)
    align(
        cli.section(ReportConfig, "report", args.settings),
        runs=[parse_run(text) for text in args.run],
        out=args.out,
        threads=args.threads,
    )


if __name__ == "__main__":
    cli.run(main)
