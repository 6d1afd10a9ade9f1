"""Set encoders beside Table 7 of the LUSS paper: scores.json of segment -> index.html, transfer.csv and scores.csv."""

from pathlib import Path

from luss_core import cli
from luss_core.config import AnnotatedConfig, TransferConfig, TransferRows
from luss_core.report.comparison import parse_run
from luss_core.stages.transfer import transfer


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "transfer")
    parser.add_argument(
        "--run",
        action="append",
        required=True,
        metavar="PRESET:SEED:DIR",
        help="one run and its folder, which holds segment/<percent>; give it once a run",
    )
    parser.add_argument(
        "--rows",
        required=True,
        metavar="JSON|FILE",
        help="the encoders in their order: TransferRows of luss_core/config",
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the annotated data set")
    parser.add_argument(
        "--data", default="{}", metavar="JSON|FILE", help="the `data` section of `probes` as JSON text, or a YAML file"
    )
    parser.add_argument("--out", type=Path, required=True, help="index.html, to be written")
    parser.add_argument("--table", type=Path, required=True, help="transfer.csv, to be written: means and deviations")
    parser.add_argument("--scores", type=Path, required=True, help="scores.csv, to be written: a row a run and share")
    args = parser.parse_args(argv)
    transfer(
        cli.section(TransferConfig, "transfer", args.settings),
        rows=cli.section(TransferRows, "rows", args.rows),
        data=cli.section(AnnotatedConfig, "data", args.data),
        runs=[parse_run(text) for text in args.run],
        root=args.root,
        out=args.out,
        table=args.table,
        scores=args.scores,
    )


if __name__ == "__main__":
    cli.run(main)
