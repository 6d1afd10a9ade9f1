"""Made-up runs as `snakemake wsss` reads them: scored maps and a segmenter beside the scores of fake_run."""

import json
from pathlib import Path

import numpy as np
from fake_run import ABOUT, FakeRun, write_data, write_run
from safetensors.numpy import save_file

from luss_core.config import EncoderConfig, SegmenterConfig
from luss_core.config.wsss import WSSSRow, WSSSRows
from luss_core.data.images import read_images
from luss_core.data.scored import pack, write_scored
from luss_core.wsss_rows import name_of

CLASSES = 3
ENCODER = EncoderConfig.model_validate({"backbone": {"width": 8}, "decoder": None, "attention": False})
STAGES = ("pretrain", "extract", "cluster", "finetune", "infer", "evaluate")


def rows_of(*methods: str, encoders: tuple[str, ...] = ("swav",), seeds: tuple[int, ...] = (0, 1)) -> WSSSRows:
    """Every method with both kinds of labels; rows on top of a method share its segmenter."""
    told = []
    for encoder in encoders:
        for labels in ("folders", "clusters"):
            for method in methods:
                name = name_of(encoder, labels, method)
                stages = dict.fromkeys(STAGES, name) | {
                    "finetune": name_of(encoder, labels, method.removesuffix("+advcam"))
                }
                told.append(
                    WSSSRow(
                        name=name,
                        method="swav",
                        stages=stages,
                        encoder=encoder,
                        learned="swav, 5 epochs",
                        labels=labels,
                        segmented=method,
                        size=40,
                    )
                )
    return WSSSRows(seeds=seeds, rows=tuple(told))


def write_rows(data: Path, rows: WSSSRows, values: dict[str, list[float]], truth: bool = True) -> list[FakeRun]:
    """A run of each row and seed for which there is a test mIoU, with that."""
    fakes: list[FakeRun] = []
    for row in rows.rows:
        for seed, value in zip(rows.seeds, values.get(row.name, []), strict=False):
            fake = FakeRun(data, data / row.name / f"seed{seed}", CLASSES, truth, seed=len(fakes))
            if fakes:
                fake.names = fakes[0].names
            else:
                write_data(fake)
            fakes.append(fake)
            scores = write_run(fake)
            for rule in ("automatic", "oracle") if truth else ():
                scores["splits"]["test"][rule]["mIoU"] = value
            (fake.run / "evaluate" / "scores.json").write_text(json.dumps(scores))
            _write_network(data / row.stages["finetune"] / f"seed{seed}", row.segmented)
            _write_scored(fake)
    return fakes


def _write_network(run: Path, method: str) -> None:
    (run / "finetune").mkdir(parents=True, exist_ok=True)
    about = {
        "encoder": ENCODER.model_dump(mode="json"),
        "segmenter": SegmenterConfig(attend=False).model_dump(mode="json"),
        "classes": CLASSES,
        "method": {"name": method.removesuffix("+advcam")},
        "provenance": ABOUT,
    }
    tensors = {"x": np.zeros(1, np.float32)}
    save_file(tensors, run / "finetune" / "segmenter.safetensors", metadata={"luss": json.dumps(about)})


def _write_scored(fake: FakeRun) -> None:
    images = read_images(fake.images)
    with write_scored(fake.run / "infer" / "scored.h5", ABOUT) as writer:
        for row in (*images.rows("validation"), *images.rows("test")):
            shape = int(images.height[row]), int(images.width[row])
            levels = np.full(shape, 20, np.uint8)
            levels[3:14, 3:14] = 70
            writer.append(int(row), *shape, pack(np.ones(shape, np.int32), levels))
