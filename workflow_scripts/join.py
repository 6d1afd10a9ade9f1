"""Put the parts of extract or infer together: files of features -> features.h5; folders of infer -> one.

Example:
  python workflow_scripts/join.py features part1.h5 part2.h5 --images images.csv --out features.h5
  python workflow_scripts/join.py masks part1 part2 --masks masks --scored scored.h5 --threshold threshold.json
"""

import argparse
from pathlib import Path

from luss_core import cli
from luss_core.stages.join import join_features, join_masks


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="features|masks")
    features = kinds.add_parser("features", help="files of features, in the order of their images")
    features.add_argument("parts", nargs="+", type=Path)
    cli.add_inputs(features, "images")
    features.add_argument("--out", type=Path, required=True, help="features.h5, to be written")
    masks = kinds.add_parser("masks", help="folders that each hold masks/, scored.h5 and threshold.json")
    masks.add_argument("parts", nargs="+", type=Path)
    masks.add_argument("--masks", type=Path, required=True, help="folder of masks, to be written")
    masks.add_argument("--scored", type=Path, required=True, help="scored.h5, to be written")
    masks.add_argument("--threshold", type=Path, required=True, help="threshold.json, to be written")
    args = vars(parser.parse_args(argv))
    {"features": join_features, "masks": join_masks}[args.pop("kind")](args.pop("parts"), **args)


if __name__ == "__main__":
    cli.run(main)
