"""Score masks against ground truth: images.csv, masks and scored maps -> scores.json, match.json, per_class.csv."""

from pathlib import Path

from luss_core import cli
from luss_core.config import EvaluateConfig
from luss_core.metrics.corrected import edits_of_clusters
from luss_core.stages.evaluate import evaluate


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "evaluate")
    cli.add_inputs(parser, "images", "classes")
    parser.add_argument("--masks", type=Path, required=True, help="folder of masks: <split>/<id>.png")
    parser.add_argument("--scored", type=Path, help="scored.h5 of infer; without it there is no oracle threshold")
    parser.add_argument("--threshold", type=Path, help="threshold.json of infer, needed with --scored")
    parser.add_argument("--balance", type=Path, help="balance.json of cluster; NMI is copied from it")
    parser.add_argument("--pretrain-log", type=Path, help="log.jsonl of pretrain; it may show that nothing was learned")
    parser.add_argument("--names", type=Path, help="text file with a category folder and its name in each line")
    parser.add_argument("--edits", type=Path, help="edits.yaml: what people corrected; scored beside what was found")
    parser.add_argument("--clusters", type=Path, help="clusters.h5 of cluster, to which the edits have to belong")
    parser.add_argument("--mark", help="what the edits go by in the workflow; changes nothing")
    parser.add_argument("--out", type=Path, required=True, help="scores.json to write")
    parser.add_argument("--match", type=Path, required=True, help="match.json to write: cluster to class")
    parser.add_argument("--table", type=Path, required=True, help="per_class.csv to write")
    args = parser.parse_args(argv)
    evaluate(
        cli.section(EvaluateConfig, "evaluate", args.settings),
        images=args.images,
        masks=args.masks,
        scored=args.scored,
        threshold=args.threshold,
        balance=args.balance,
        pretrain_log=args.pretrain_log,
        edits=edits_of_clusters(args.edits, args.clusters, args.classes),
        classes=args.classes,
        names=args.names,
        out=args.out,
        match=args.match,
        table=args.table,
        threads=args.threads,
    )


if __name__ == "__main__":
    cli.run(main)
