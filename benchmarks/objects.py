"""Who decides on a category, each pixel or each object: test scores of one finished run with both.

    python benchmarks/objects.py --run results/objects8/frozen/seed0 [--label pixel]

Repeats the stages infer and evaluate of the run with infer.vote pixel and object, in a folder that goes away, and
prints mIoU, F and image accuracy of the last split in percent, at the threshold without truth. --label takes the place
of finetune.segmenter.label of the run, which changes no training where head is centroids.
"""

import argparse
import json
import tempfile
from pathlib import Path

import torch

from luss_core import cli
from luss_core.config import EvaluateConfig, InferConfig
from luss_core.methods.cams import load_segmenter
from luss_core.models.tensor_file import read_about
from luss_core.models.weights import save_weights
from luss_core.stages.evaluate import evaluate
from luss_core.stages.infer import infer

SCORES = ("mIoU", "F", "img_acc")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--run", type=Path, required=True, help="folder of the run: results/<data set>/<preset>/seed<k>"
    )
    parser.add_argument("--label", choices=("pixel", "image"), help="default: that of the run")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    settings = json.loads((args.run / "infer" / "threshold.json").read_text("utf-8"))["provenance"]["settings"]["infer"]
    with tempfile.TemporaryDirectory() as folder:
        segmenter = relabelled(args.run / "finetune" / "segmenter.safetensors", args.label, Path(folder))
        for vote in ("pixel", "object"):
            cfg = InferConfig.model_validate(settings | {"vote": vote})
            found = scores(cfg, args.run, segmenter, Path(folder, vote), args.threads)
            print(f"vote: {vote:8}", *(f"{name} {found[name]:.1f}" for name in SCORES), sep="  ")


def relabelled(segmenter: Path, label: str | None, folder: Path) -> Path:
    """The file of a segmenter with another finetune.segmenter.label."""
    if label is None:
        return segmenter
    about, changed = read_about(segmenter, "finetune"), folder / "segmenter.safetensors"
    about["segmenter"] = about["segmenter"] | {"label": label}
    save_weights(changed, load_segmenter(segmenter), about)
    return changed


def scores(cfg: InferConfig, run: Path, segmenter: Path, out: Path, threads: int) -> dict[str, float]:
    """Of the last split, which is test if there is one."""
    images, infer_out = run.parents[1] / "prepare" / "images.csv", out / "infer"
    made = {"masks": infer_out / "masks", "scored": infer_out / "scored.h5", "threshold": infer_out / "threshold.json"}
    store, device = images.with_name("images.h5"), torch.device("cpu")
    infer(cfg, images=images, store=store, segmenter=segmenter, **made, device=device, threads=threads)
    classes = read_about(segmenter, "finetune")["classes"]
    written = {"out": out / "scores.json", "match": out / "match.json", "table": out / "per_class.csv"}
    given = {"balance": None, "classes": classes, "names": None, "threads": threads}
    evaluate(EvaluateConfig(), images=images, **made, **written, **given)
    splits = json.loads(written["out"].read_text("utf-8"))["splits"]
    found: dict[str, float] = splits[list(splits)[-1]]["automatic"]
    return found


if __name__ == "__main__":
    cli.run(main)
