"""Whether a data set is told to be the official one: by made-up lists, since the official ones are not ours."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from luss_core.data import benchmark
from luss_core.data.benchmark import Benchmark, Names, digest, recognize
from luss_core.data.images import ListedFile, to_list

FILES = {
    "train": ["a/1", "b/2", "b/3"],
    "validation": ["a/x", "b/y"],
    "test": ["b/z"],
}


@pytest.fixture(autouse=True)
def lists(monkeypatch):
    splits = {split: Names(len(ids), None if split == "train" else digest(ids)) for split, ids in FILES.items()}
    monkeypatch.setattr(benchmark, "BENCHMARKS", (Benchmark("Small", digest("ab"), splits),))


def found(files: dict[str, list[str]]):
    rows = [ListedFile(s, name, f"{s}/{name}.jpg", name[0], "") for s, names in files.items() for name in names]
    return recognize(to_list(Path("data"), rows, np.ones((len(rows), 2), np.int64)))


def test_the_digest_is_that_of_the_published_lists():
    """Of https://github.com/LUSSeg/ImageNet-S: names one a line, no line break at the end."""
    assert digest(["b", "a"]) == digest(["a", "b"]) == hashlib.md5(b"a\nb").hexdigest()


def test_the_official_images_are_told(caplog):
    with caplog.at_level("INFO"):
        assert found(FILES) == {"name": "Small", "official": dict.fromkeys(FILES, True)}
    assert "Small train: 3 images, as many as the official list has" in caplog.text
    assert "Small validation: the official 2 images" in caplog.text
    assert "WARNING" not in caplog.text


@pytest.mark.parametrize(
    ("split", "names", "message"),
    [
        ("validation", ["b/y"], "Small validation: 1 images, not the official 2: scores are not comparable"),
        ("validation", ["a/x", "b/x"], "Small validation: 2 images, of other names: scores are not comparable"),
        ("train", ["a/1", "b/2"], "Small train: 2 images, not the official 3: scores are not comparable"),
    ],
)
def test_others_are_warned_of(caplog, split, names, message):
    official = dict.fromkeys(FILES, True) | {split: False}
    assert found(FILES | {split: names}) == {"name": "Small", "official": official}
    assert [record.levelname for record in caplog.records if record.message.startswith(message)] == ["WARNING"]


def test_other_categories_are_no_benchmark():
    assert found(FILES | {"test": ["c/z"]}) is None
    assert found({"train": ["1", "2"]}) is None


def test_the_counts_are_those_of_the_benchmark(monkeypatch):
    monkeypatch.undo()
    counts = [[names.size for names in one.splits.values()] for one in benchmark.BENCHMARKS]
    assert counts == [[64431, 752, 1682], [384862, 4097, 9088], [1183322, 12419, 27423]]
