"""A file of labels, several an image: what is read, what is refused, and what the stages make of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from luss_core import labelled, runs
from luss_core.config import ClusterConfig, FinetuneConfig, InferConfig
from luss_core.data import features
from luss_core.data.features import Features, read_clusters, write_features
from luss_core.data.image_labels import matched, read_labels
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask
from luss_core.errors import UserError
from luss_core.report.beyond import kind
from luss_core.stages.cluster import cluster
from luss_core.stages.finetune import finetune
from luss_core.stages.infer import infer
from luss_core.train.loop import Resources
from tests.unit.prior_data import prepared
from tests.unit.test_cluster import blobs, write_inputs
from tests.unit.test_finetune import write_encoder


def write(folder: Path, *lines: str, header: str = "image,category", ending: str = "\n") -> Path:
    path = folder / "labels.csv"
    path.write_bytes(ending.join([header, *lines, ""]).encode("utf-8", "surrogateescape"))
    return path


def test_categories_are_sorted_and_images_have_several(tmp_path):
    lines = ("b/1.jpg,sofa", 'a/ä.jpg,"cat, black"', "b/1.jpg,dog", "", "./b/1.jpg,sofa")
    for header, ending in (("image,category", "\n"), ("\ufeffimage, category", "\r\n")):
        found = read_labels(write(tmp_path, *lines, header=header, ending=ending))
        assert found.names == ["cat, black", "dog", "sofa"]
        assert dict(zip(found.image, found.categories, strict=True)) == {"b/1.jpg": (2, 1), "a/ä.jpg": (0,)}
        assert found.several == 1
    other = read_labels(write(tmp_path, "7,dog,b/1.jpg", header="id,category,image"))
    assert (other.image, other.names, other.several) == (["b/1.jpg"], ["dog"], 0)
    other.check_classes(1)
    with pytest.raises(UserError, match=r"labels.csv has 1 category \('dog'\), but classes = 8; set classes to 1"):
        other.check_classes(8)


@pytest.mark.parametrize(
    ("lines", "header", "message"),
    [
        (["a.jpg"], "image,category", "line 2: 1 values, but the first line has 2"),
        (["a.jpg,cat", "a.jpg,cat,dog"], "image,category", "line 3: 3 values"),
        (["a.jpg,cat", "a.jpg, "], "image,category", "line 3: no category; fill it in"),
        ([",cat"], "image,category", "line 2: no image"),
        (["a.jpg,cat", "b.jpg,\udce4"], "image,category", "line 3, is no UTF-8 text; save the file as CSV in UTF-8"),
        (["a.jpg;cat"], "image;category", "the first line must be image,category, and is 'image;category'"),
        (["a.jpg,cat"], "a.jpg,cat", "the first line must be image,category, and is 'a.jpg,cat'"),
        (["a,b,c"], "image,category,image", "the first line must be"),
        ([], "image,category", "has no labels; it should look like this:\nimage,category\n"),
        ([f"a.jpg,{'x' * 200_000}"], "image,category", "line 2: field larger than"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(tmp_path, lines, header, message):
    with pytest.raises(UserError) as error:
        read_labels(write(tmp_path, *lines, header=header))
    assert message in str(error.value)
    assert str(error.value).startswith("config: cluster.labels: ")
    with pytest.raises(UserError, match="cannot be read"):
        read_labels(tmp_path / "none.csv")


def test_images_are_found_with_and_without_their_ending(tmp_path):
    paths = ["a/1.jpg", "a/2.png", "b/1.jpg", "b.x/3", "a/1.jpg.png"]
    lines = ["b/1,dog", "a/1.jpg,cat", "b/1.jpg,cat", "c/1.jpg,cat", "b.x/3,dog", "b.x/3,cat"]
    found = matched(read_labels(write(tmp_path, *lines)), paths)
    assert found.kept.tolist() == [0, 2, 3]
    assert found.labels.tolist() == [[0, -1], [1, 0], [1, 0]]
    assert found.unknown == ["c/1.jpg"]
    with pytest.raises(UserError, match=r"'a/1' can be 'a/1.jpg' and 'a/1.png'; write it with its ending"):
        matched(read_labels(write(tmp_path, "a/1,dog")), ["a/1.jpg", "a/1.png"])
    with pytest.raises(UserError, match=r"none of the 5 training images: it names '1.jpg'.* such as 'a/1.jpg'"):
        matched(read_labels(write(tmp_path, "1.jpg,dog")), paths)


def settings(labels: Path | None, **finetune: object) -> dict[str, object]:
    return {
        "classes": 2,
        "cluster": {"assign": "file", "labels": labels and str(labels)},
        "finetune": {"method": {"classification": "soft-margin"}} | finetune,
    }


def look(values: dict[str, object], root: Path, images: Path | None = None) -> None:
    config = runs.load(values)
    presets = runs.presets(config)
    labelled.check(config, presets, labelled.files(config, presets), root, images)


def test_the_file_is_looked_at_before_any_work(tmp_path):
    with pytest.raises(UserError, match=r"assign: file needs a file of labels: set labels to a CSV file"):
        runs.load(settings(None))
    with pytest.raises(UserError, match=r"none.csv is not a file \(seen from .*\); name a CSV file with"):
        look(settings(tmp_path / "none.csv"), tmp_path)
    path = write(tmp_path, "a/1,cat", "a/1,dog")
    with pytest.raises(UserError, match=r"labels for none of the images in .*: it names 'a/1'"):
        look(settings(path), tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").touch()
    look(settings(path), tmp_path)
    with pytest.raises(UserError, match=r"has 2 categories \('cat', 'dog'\), but classes = 3"):
        look(settings(path) | {"classes": 3}, tmp_path)
    with pytest.raises(UserError, match=r"cross-entropy lets one .* 1 of 1 labelled images have several; set"):
        look(settings(path, method={"name": "cam"}), tmp_path)
    unused = settings(path) | {"cluster": {"labels": str(path)}}
    with pytest.raises(UserError, match=r"is named, and nothing reads it; set cluster.assign: file"):
        look(unused, tmp_path)
    look(runs.over_defaults(unused | {"presets": {"taught": {"cluster": {"assign": "file"}}}}), tmp_path)
    listing = write_inputs(tmp_path, blobs(3)[0])["images"]
    with pytest.raises(UserError, match=r"none of the 3 training images"):
        look(settings(path), tmp_path, listing)


def run_cluster(folder: Path, vectors: np.ndarray, labels: Path, classes: int, **settings: object) -> dict:
    cfg = ClusterConfig(assign="file", labels=str(labels), normalize=False, **settings)
    inputs = write_inputs(folder, vectors) | {"labels": labels, "out": folder / "clusters.h5"}
    cluster(cfg, **inputs, classes=classes, seed=0, balance=folder / "balance.json", threads=1)
    return json.loads((folder / "balance.json").read_text())


def test_clusters_of_a_file(tmp_path, monkeypatch, caplog):
    """Means over all images that have a category, over several blocks; images without a line are left out."""
    caplog.set_level("INFO")
    monkeypatch.setattr(features, "BLOCK_BYTES", 7 * 6 * 4)
    vectors, _ = blobs(20)
    own = {i: ["b", "a"] if i % 4 == 0 else ["abc"[i % 3]] for i in range(20) if i not in (3, 11)}
    lines = [f"train/g/{i},{name}" for i, names in own.items() for name in names]
    report = run_cluster(tmp_path, vectors, write(tmp_path, *lines, "val/g/0,a"), 3)
    found = read_clusters(tmp_path / "clusters.h5")
    assert found.row.tolist() == list(own)
    assert found.label.tolist() == ["abc".index(names[0]) for names in own.values()]
    assert found.several.tolist() == [
        ["abc".index(n) for n in names] + [-1] * (2 - len(names)) for names in own.values()
    ]
    members = [[i for i, names in own.items() if name in names] for name in "abc"]
    means = np.stack([vectors[rows].mean(axis=0) for rows in members])
    np.testing.assert_allclose(found.centroids, means, rtol=1e-5)
    apart = ((vectors[found.row] - means[found.label]) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.distance, apart, rtol=1e-4)
    assert report["sizes"] == [len(rows) for rows in members]
    assert (report["supervised"], report["labels_file"], report["warning"]) == (True, True, None)
    assert kind(report) == "labels of a file"
    assert "labels for 18 of 20 training images, 5 of them with several" in caplog.text
    assert "1 images are no training images, such as 'val/g/0'" in caplog.text
    source = Features(tmp_path / "features.h5")
    np.testing.assert_array_equal(source.take(source.positions(found.row[[2, 9]])), vectors[found.row[[2, 9]]])

    one = [f"train/g/{i}.png,{names[0]}" for i, names in own.items()]
    report = run_cluster(tmp_path, vectors, write(tmp_path, *one, "val/g/0,d"), 4)
    single = read_clusters(tmp_path / "clusters.h5")
    assert single.several is None
    assert single.labels.tolist() == found.label.tolist()
    assert single.fingerprint != found.fingerprint
    assert report["warning"].startswith("1 of 4 categories is empty: no training image has a line for it")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Four training images, of which three have labels, two of them two."""
    root = prepared(tmp_path_factory.mktemp("labels"))
    rows = read_images(root / "prepare/images.csv").rows("train")
    with write_features(root / "features.h5", len(rows), 4, {}) as writer:
        writer.append(np.eye(4, dtype=np.float32), rows)
    lines = ("train/cat/0,sofa", "train/cat/0,cat", "train/cat/2.png,cat", "train/cat/3,cat", "train/cat/3,sofa")
    labels = write(root, *lines)
    cfg = ClusterConfig(assign="file", labels=str(labels))
    paths = {"features": root / "features.h5", "images": root / "prepare/images.csv", "out": root / "clusters.h5"}
    cluster(cfg, **paths, labels=labels, classes=2, seed=0, balance=root / "balance.json", threads=1)
    write_encoder(root / "encoder.safetensors", 1)
    return root


def train(data: Path, out: Path, method: dict[str, object], epochs: int = 2) -> None:
    cfg = {
        "method": method,
        "segmenter": {"attend": False, "encoder": "trained"},
        "views": {"crops": [{"count": 1, "size": 24, "scale": [0.5, 1]}]},
        "train": {"epochs": epochs, "batch_size": 3},
    }
    files = {"store": data / "prepare/images.h5", "encoder": data / "encoder.safetensors"}
    own = {"state": out / "state", "out": out / "segmenter.safetensors", "log": out / "log.jsonl"}
    common = {"clusters": data / "clusters.h5", "classes": 2, "seed": 0, "resources": Resources(torch.device("cpu"))}
    finetune(FinetuneConfig.model_validate(cfg), **files, **own, **common)


@pytest.mark.parametrize(
    "method",
    [
        {"name": "cam", "classification": "soft-margin", "present": "several"},
        {"name": "seam", "present": "several", "scale": 0.5},
        {"name": "sc-cam", "present": "several", "subcategories": 2, "rounds": 1},
    ],
)
def test_from_a_file_of_labels_to_masks(data, tmp_path, method):
    train(data, tmp_path, method)
    logs = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert len(logs) == 2
    assert all(np.isfinite(log["loss"]) for log in logs)
    files = {"images": data / "prepare/images.csv", "store": data / "prepare/images.h5"}
    made = {name: tmp_path / name for name in ("masks", "scored", "threshold")}
    cfg = InferConfig(size=24, splits=("validation",))
    infer(cfg, **files, **made, segmenter=tmp_path / "segmenter.safetensors", device=torch.device("cpu"), threads=1)
    masks = [read_mask(path) for path in (tmp_path / "masks").rglob("*.png")]
    assert len(masks) == 3
    assert all(mask.max() <= 2 for mask in masks)


def test_cross_entropy_of_several_labels_is_refused(data, tmp_path):
    with pytest.raises(UserError, match=r"2 of 3 labelled images have several; set classification: soft-margin"):
        train(data, tmp_path, {"name": "cam"})
