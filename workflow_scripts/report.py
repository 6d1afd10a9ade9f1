"""Show a run as one HTML page: its images, logs, clusters, masks and scores -> index.html (opens offline)."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ReportConfig
from luss_core.stages.report import report

FILES = {
    "pretrain-log": "log.jsonl of pretrain",
    "finetune-log": "log.jsonl of finetune",
    "examine": "examine.json of examine",
    "attention": "folder of attention maps of examine: <split>/<id>.png",
    "clusters": "clusters.h5 of cluster",
    "balance": "balance.json of cluster",
    "threshold": "threshold.json of infer",
    "masks": "folder of masks of infer: <split>/<id>.png",
    "scores": "scores.json of evaluate",
    "table": "per_class.csv of evaluate",
    "out": "index.html, to be written",
}


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images", "store")
    for name, text in FILES.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    parser.add_argument("--prior", type=Path, help="prior.h5 of prior, if the attention was taught by it")
    parser.add_argument("--title", required=True, help="heading of the page, for example: embedded, swav, seed 0")
    args = parser.parse_args(argv)
    files = {name.replace("-", "_"): getattr(args, name.replace("-", "_")) for name in FILES}
    report(
        cli.section(ReportConfig, "report", args.settings),
        images=args.images,
        store=args.store,
        prior=args.prior,
        title=args.title,
        **files,
    )


if __name__ == "__main__":
    cli.run(main)
