"""Presets beside their controls, from the table that `snakemake controls` writes: mean and spread over the seeds.

snakemake controls --cores all --configfile recipes/default.yaml
python benchmarks/controls.py results/embedded/controls/scores.csv
"""

import argparse
from pathlib import Path

import pandas as pd

COLUMNS = ["mIoU", "mBIoU", "F", "img_acc", "nmi"]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, help="scores.csv")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rule", default="automatic", choices=["automatic", "oracle"])
    args = parser.parse_args(argv)
    table = pd.read_csv(args.table)
    table = table[(table["split"] == args.split) & (table["rule"] == args.rule)]
    found = [name for name in COLUMNS if name in table]
    summary = table.groupby("preset", sort=False)[found].agg(["mean", "std"]).round(1)
    lines = [" | ".join(["preset", "seeds", *found])]
    for preset, row in summary.iterrows():
        seeds = (table["preset"] == preset).sum()
        lines.append(" | ".join([str(preset), str(seeds), *(f"{row[c]['mean']} ± {row[c]['std']}" for c in found)]))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
