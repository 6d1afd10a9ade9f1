"""Show a run as one HTML page: its images, logs, clusters, masks and scores -> index.html (opens offline)."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ReportConfig
from luss_core.stages.all_images import Files, all_images
from luss_core.stages.report import report

NEEDED = {
    "masks": "folder of masks: <split>/<id>.png",
    "scores": "scores.json of evaluate",
    "table": "per_class.csv of evaluate",
    "out": "index.html, to be written",
}
OPTIONAL = {
    "prior": "prior.h5 of prior, if the attention was taught by it",
    "pretrain-log": "log.jsonl of pretrain",
    "finetune-log": "log.jsonl of finetune",
    "examine": "examine.json of examine",
    "attention": "folder of attention maps of examine: <split>/<id>.png",
    "similarity": "folder of examine: what heads find alike in two frames",
    "videos": "videos.csv of prepare, where images are frames",
    "clusters": "clusters.h5 of cluster",
    "balance": "balance.json of cluster",
    "threshold": "threshold.json of infer",
    "features": "features.h5 of extract, for the distances of images to categories and for their map",
    "edits": "edits.yaml: what people corrected in this run",
    "gallery": "folder with a page of all images, to be written",
}
"""What is not given is left out of the page."""


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "report")
    cli.add_inputs(parser, "images", "store")
    for name, text in (NEEDED | OPTIONAL).items():
        parser.add_argument(f"--{name}", type=Path, required=name in NEEDED, help=text)
    parser.add_argument("--title", required=True, help="heading of the page, for example: embedded, swav, seed 0")
    args = parser.parse_args(argv)
    names = [name.replace("-", "_") for name in NEEDED | OPTIONAL if name not in ("features", "gallery")]
    settings = cli.section(ReportConfig, "report", args.settings)
    if args.gallery and args.clusters:
        parts = (args.images, args.store, args.masks, args.scores, args.clusters, args.features, args.edits)
        all_images(settings, Files(*parts), out=args.gallery, title=args.title, threads=args.threads)
    report(
        settings,
        images=args.images,
        store=args.store,
        title=args.title,
        gallery=f"{args.gallery.name}/index.html" if args.gallery and args.clusters else None,
        **{name: getattr(args, name) for name in names},
    )


if __name__ == "__main__":
    cli.run(main)
