"""Learning rates of the methods of `snakemake benchmark`, tried alike for all: what "tuned with equal care" means.

    python benchmarks/tune.py [--methods byol odc ...] [--rates 0.002 0.006 0.018] [--epochs 14] [--seed 7] [--cores 2]

Every method is trained on the embedded set once with each rate, for a quarter of the epochs of the default, with a seed
that no table uses; all else is as its preset says. Printed is the NMI of the clusters with the category folders of the
training images. A method whose best rate beats train.lr by more than chance (some 3 points) gets it as its lr_factor;
where that is the first or the last rate, one more beyond is tried. Runs that were there are not made again.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from sklearn.metrics import normalized_mutual_info_score

from luss_core.config import METHODS, PRESETS
from luss_core.data.features import read_clusters
from luss_core.data.images import read_images

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = ("cacl", "foreground")
"""Learn from videos, or with weights of others."""


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=[name for name in METHODS if name not in LEFT_OUT])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.002, 0.006, 0.018])
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--cores", default="2")
    parser.add_argument("--folder", type=Path, default=Path("build/tune"), help="where results go")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    settings = args.folder / "rates.yaml"
    settings.write_text(yaml.safe_dump(presets(args)), encoding="utf-8")
    wanted = {(name, rate): clusters(name, rate, args.seed) for name in args.methods for rate in args.rates}
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", args.cores]
    command += ["--directory", str(args.folder), "--keep-going", "--set-threads", "pretrain=1", "prior=1", "extract=1"]
    command += ["--configfile", str(ROOT / "config.yaml"), str(settings), "--config", "device=cpu"]
    subprocess.run([*command, "--", *wanted.values()], check=False, stdout=subprocess.DEVNULL)
    print("method", *(f"{rate:g}" for rate in args.rates), sep="\t")
    for name in args.methods:
        files = (args.folder / wanted[name, rate] for rate in args.rates)
        print(name, *(f"{nmi(args.folder, file):.1f}" if file.is_file() else "failed" for file in files), sep="\t")


def presets(args: argparse.Namespace) -> dict[str, Any]:
    """A preset for each method and rate, and the runs that the workflow is to know."""
    made = {}
    for name in args.methods:
        for rate in args.rates:
            pretrain = PRESETS[name]["pretrain"]
            train = pretrain.get("train", {}) | {"lr": rate, "epochs": args.epochs}
            own = {"train": train, "method": pretrain["method"] | {"lr_factor": 1}}
            made[preset(name, rate)] = PRESETS[name] | {"pretrain": pretrain | own}
    return {"presets": made, "run": list(made), "seeds": [args.seed]}


def preset(method: str, rate: float) -> str:
    return f"{method}-{rate:g}"


def clusters(method: str, rate: float, seed: int) -> str:
    return f"results/embedded/{preset(method, rate)}/seed{seed}/cluster/clusters.h5"


def nmi(folder: Path, file: Path) -> float:
    """In percent, of pseudo labels and folders."""
    found = read_clusters(file)
    images = read_images(folder / "results" / "embedded" / "prepare" / "images.csv")
    folders = [images.folder[row] for row in found.row]
    return 100 * float(normalized_mutual_info_score(folders, found.label))


if __name__ == "__main__":
    main()
