"""Every reader of the project, with a real file that our own stages or those of others write."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from luss_core import cli, runs
from luss_core.config import Config, InferConfig
from luss_core.data.check import attempt
from luss_core.data.decode import Decoded, decode
from luss_core.data.features import Features, read_clusters
from luss_core.data.images import ImageList, read_expected, read_images, write_images
from luss_core.data.masks import read_mask, read_prediction, write_mask
from luss_core.data.saliency_folder import read_map
from luss_core.data.scored import read_scored, scored_images
from luss_core.io import write_json
from luss_core.metrics.matching import read_match
from luss_core.metrics.threshold import KINDS, read_threshold
from luss_core.models.foreign.read import read as read_foreign
from luss_core.models.tensor_file import read_tensors
from luss_core.models.weights import save_weights
from luss_core.names import read_names
from luss_core.report.logs import read_log
from luss_core.train.folder import TrainingFolder
from tests.unit.hdf5_files import IMAGES, clusters, features, read_store, scored
from tests.unit.stores import write_store


class Reader(NamedTuple):
    """A file and how it is read."""

    name: str
    make: Callable[[Path], object]
    read: Callable[[Path], Any]
    checked: bool = False
    """Whether the file carries checksums: then nothing but what was written may be read."""


def _checkpoint_of(path: Path) -> TrainingFolder:
    return TrainingFolder(path.parent, {"lr": 1}, "source")


def _checkpoint(path: Path) -> None:
    state = {"step": 3, "method": {"a": torch.arange(50.0)}, "optimizer": {"state": {0: {"b": torch.ones(9)}}}}
    _checkpoint_of(path).save(state)


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))


def _stream(path: Path) -> None:
    torch.save({"state_dict": _network().state_dict()}, path, _use_new_zipfile_serialization=False)


def _list(path: Path) -> None:
    names = [f"a/{i}.jpg" for i in range(30)]
    ids, sizes = [name[:-4] for name in names], np.arange(30) + 40
    masks = ["", *[f"m/{i}.png" for i in range(29)]]
    write_images(path, ImageList(path.parent, ids, names, ["train"] * 30, sizes, sizes + 1, ["a"] * 30, masks))
    write_json(path.with_name("summary.json"), {"root": ".", "expected": {"train": 30}})


def _summary(path: Path) -> object:
    """What is beside it is whole."""
    images = path.with_name("images.csv")
    return read_images(images).root.is_absolute(), sum(read_expected(images).values())


def _write_threshold(path: Path) -> None:
    content = {"automatic": 43, "rule": "otsu", "histogram": [5] * 81, "score_max": 2.5, "size": 64, "weights": None}
    write_json(path, content | {"provenance": {"settings": {}}})


def _ids() -> np.ndarray:
    ids = np.zeros((40, 50), np.int32)
    ids[5:20, 8:30], ids[25:30] = 300, 1000
    return ids


def _picture(path: Path) -> None:
    small = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(small).resize((64, 48)).save(path)


def _log(path: Path) -> None:
    lines = [{"step": i, "epoch": i / 9, "loss": 1 / (i + 1), "lr": 0.1, "seconds": 0.5} for i in range(20)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _settings(path: Path) -> None:
    path.write_text(yaml.safe_dump(Config().model_dump(mode="json")), encoding="utf-8")


def _load_settings(path: Path) -> object:
    """As Snakemake reads them: what is no YAML, or no mapping, it refuses itself."""
    try:
        values = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return runs.load(values) if isinstance(values, dict) else None


def _decoded(path: Path) -> object:
    found = attempt(decode, path, 32)
    assert isinstance(found, str | Decoded)
    return found


def _mask(ids: np.ndarray) -> str:
    assert ids.ndim == 2
    assert (ids >= 0).all()
    return str(ids.shape)


def _weights(path: Path) -> object:
    tensors, about = read_tensors(path, "np", "pretrain")
    return {name: values.tolist() for name, values in tensors.items()}, about


def _foreign(path: Path) -> object:
    return {name: tensor.tolist() for name, tensor in read_foreign(path).tensors.items()}


def _threshold(path: Path) -> object:
    cut = read_threshold(path, *KINDS)
    assert isinstance(cut["automatic"], int)
    return cut


READERS = [
    Reader("images.h5", lambda path: write_store(path, IMAGES, {"settings": {}}), read_store, checked=True),
    Reader("features.h5", features, lambda path: list(Features(path).blocks()), checked=True),
    Reader("clusters.h5", clusters, read_clusters, checked=True),
    Reader("scored.h5", scored, lambda path: [read_scored(one) for one in scored_images(path).values()], checked=True),
    Reader("last.pt", _checkpoint, lambda path: _checkpoint_of(path).load(torch.device("cpu")), checked=True),
    Reader("encoder.safetensors", lambda path: save_weights(path, _network(), {"encoder": {}}), _weights, checked=True),
    Reader("own.safetensors", lambda path: save_weights(path, _network(), {"encoder": {}}), _foreign, checked=True),
    Reader("zip.pth", lambda path: torch.save({"state_dict": _network().state_dict()}, path), _foreign),
    Reader("stream.pth", _stream, _foreign),
    Reader("plain.safetensors", lambda path: save_file(_network().state_dict(), path), _foreign),
    Reader("images.csv", _list, lambda path: len(read_images(path).id)),
    Reader("summary.json", lambda path: _list(path.with_name("images.csv")), _summary),
    Reader("mask.png", lambda path: write_mask(path, _ids()), lambda path: _mask(read_mask(path))),
    Reader(
        "truth.png",
        lambda path: Image.fromarray(_ids().astype(np.uint8)).save(path),
        lambda path: _mask(read_mask(path)),
    ),
    Reader("prediction.png", lambda path: write_mask(path, _ids()), lambda path: _mask(read_prediction(path))),
    Reader(
        "map.png",
        lambda path: Image.fromarray(_ids().astype(np.uint8)).save(path),
        lambda path: attempt(read_map, path, 40, 50),
    ),
    *[Reader(f"photograph.{kind}", _picture, _decoded) for kind in ("jpg", "png", "webp", "tif", "gif", "bmp")],
    Reader(
        "match.json",
        lambda path: write_json(path, {str(i): 9 - i for i in range(10)}),
        lambda path: read_match(path, 9),
    ),
    Reader("threshold.json", _write_threshold, _threshold),
    Reader("names.txt", lambda path: path.write_text("n01 goldfish\nn02\tgreat white, shark\n", "utf-8"), read_names),
    Reader("log.jsonl", _log, read_log),
    Reader("config.yaml", _settings, _load_settings),
    Reader("section.yaml", _settings, lambda path: cli.section(InferConfig, "infer", str(path))),
]
