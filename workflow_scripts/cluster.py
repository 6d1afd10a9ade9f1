"""Find C categories by k-means: features.h5 -> clusters.h5 (centroids, a pseudo label an image) and balance.json."""

from pathlib import Path

from luss_core import cli
from luss_core.config import ClusterConfig
from luss_core.stages.cluster import cluster


def main(argv: list[str] | None = None) -> None:
    parser = cli.parser(__doc__, "cluster")
    cli.add_inputs(parser, "features", "images", "classes", "seed")
    parser.add_argument("--out", type=Path, required=True, help="clusters.h5, to be written")
    parser.add_argument("--balance", type=Path, required=True, help="balance.json, to be written")
    parser.add_argument("--labels", type=Path, help="CSV file of labels, with cluster.assign: file")
    args = parser.parse_args(argv)
    cluster(
        cli.section(ClusterConfig, "cluster", args.settings),
        features=args.features,
        images=args.images,
        classes=args.classes,
        seed=args.seed,
        out=args.out,
        balance=args.balance,
        threads=args.threads,
        labels=args.labels,
    )


if __name__ == "__main__":
    cli.run(main)
