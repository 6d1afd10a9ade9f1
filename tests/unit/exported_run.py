"""A run with random weights, as far as export: the folder of a data set with one preset and one seed."""

from pathlib import Path
from typing import Any

import torch
from prior_data import prepared

from luss_core.config import EncoderConfig, EvaluateConfig, ExportConfig, InferConfig, SegmenterConfig
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder
from luss_core.models.weights import save_weights
from luss_core.stages.evaluate import evaluate
from luss_core.stages.export import export
from luss_core.stages.infer import infer

CLASSES = 3
NETWORK: dict[str, Any] = {
    "backbone": {"width": 8},
    "decoder": {"channels": 8, "low_level_channels": 8, "low_level_stage": 2, "aspp_stride": 8, "decoder_stride": 4},
}


SMALLEST: dict[str, Any] = {"backbone": {"family": "timm", "name": "test_efficientnet"}, "decoder": None}
"""A network of timm, for tests that only need one."""


def make_run(
    folder: Path,
    *,
    attention: bool = True,
    network: dict[str, Any] = NETWORK,
    vote: str = "pixel",
    size: int = 40,
    advcam: dict[str, Any] | None = None,
) -> dict[str, Path]:
    """Where everything lies that infer, evaluate and export wrote, and ``run``, the folder of the run."""
    root = prepared(folder)
    torch.manual_seed(0)
    encoder = EncoderConfig.model_validate({**network, "attention": attention})
    cfg = SegmenterConfig(attend=attention)
    about = {
        "encoder": encoder.model_dump(mode="json"),
        "segmenter": cfg.model_dump(mode="json"),
        "classes": CLASSES,
        "provenance": {"settings": {"finetune": {}, "seed": 0}},
    }
    made_of = Segmenter(cfg, Encoder(encoder), CLASSES)
    torch.nn.init.normal_(made_of.head.weight)
    run = root / "net" / "seed0"
    files = {
        "run": run,
        "images": root / "prepare" / "images.csv",
        "store": root / "prepare" / "images.h5",
        "segmenter": run / "finetune" / "segmenter.safetensors",
        "masks": run / "infer" / "masks",
        "scored": run / "infer" / "scored.h5",
        "threshold": run / "infer" / "threshold.json",
        "scores": run / "evaluate" / "scores.json",
        "model": run / "export" / "model.safetensors",
    }
    save_weights(files["segmenter"], made_of, about)
    made = {name: files[name] for name in ("images", "store", "segmenter", "masks", "scored", "threshold")}
    settings = InferConfig.model_validate({"size": size, "vote": vote, "advcam": advcam})
    infer(settings, **made, device=torch.device("cpu"), threads=1)
    score(files, files["images"])
    return files


def score(files: dict[str, Path], images: Path) -> None:
    """Evaluate and export."""
    root = files["scores"].parent
    read = {"images": images, **{name: files[name] for name in ("masks", "scored", "threshold")}}
    written = {"out": files["scores"], "match": root / "match.json", "table": root / "per_class.csv"}
    evaluate(EvaluateConfig(), **read, **written, balance=None, classes=CLASSES, names=None, threads=1)
    given = {name: files[name] for name in ("segmenter", "threshold", "scores")}
    export(ExportConfig(), images=images, **given, out=files["model"])
