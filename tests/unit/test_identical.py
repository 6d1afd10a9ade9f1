"""Images that are there more than once."""

import csv

import numpy as np
from folders import imagenet_s, prepare, save

from luss_core.config import PrepareConfig
from luss_core.data.identical import Identical, find_identical
from luss_core.io import read_json


def test_same_pixels_are_found_and_same_checksums_are_not_enough():
    pixels = [np.full((2, 3, 3), value, np.uint8) for value in (1, 2, 1, 3, 2, 1, 4)]
    shapes = np.array([image.shape[:2] for image in pixels])
    read = []

    def one(row: int) -> np.ndarray:
        read.append(row)
        return pixels[row]

    found = find_identical(shapes, np.array([7, 8, 7, 8, 8, 7, 9]), one)
    assert found.groups == [[0, 2, 5], [1, 4]]
    assert found.copies == 3
    assert 6 not in read  # nothing has its checksum


def test_copies_are_counted_named_and_listed(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    for name, seed in (("a.jpg", 1), ("b.jpg", 2), ("more/c.jpg", 1), ("more/d.jpg", 1)):
        save(root / name, seed=seed)
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    look = read_json(out / "summary.json")["look"]
    assert "copies: 2 images are the same picture as another, in 1 group (e.g. more/c.jpg as a.jpg)" in look["found"]
    (question,) = look["questions"]
    assert question.startswith("2 copies of other images: each counts once more in learning and in scores")
    with (out / "identical.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "same_as"], ["more/c.jpg", "a.jpg"], ["more/d.jpg", "a.jpg"]]
    (root / "more/c.jpg").unlink()
    (root / "more/d.jpg").unlink()
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    assert not (out / "identical.csv").exists()


def test_frames_that_repeat_one_of_their_own_video_are_no_copies():
    found = Identical([[0, 1, 2], [3, 4, 7], [5, 6]])
    video = np.array([0, 0, 0, 0, 1, -1, -1, 1])
    assert found.between(video).groups == [[3, 4], [5, 6]]
    assert found.between(np.full(8, -1)).groups == found.groups


def test_a_video_in_which_nothing_moves_raises_no_question(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    for i in range(4):
        save(root / "still" / f"{i}.png", seed=1)
        save(root / "moving" / f"{i}.png", seed=2 + i)
    cfg = PrepareConfig.model_validate({"video": {"sources": ["folders"]}})
    prepare(cfg, root=root, out=out, threads=1)
    assert not (out / "identical.csv").exists()
    assert read_json(out / "summary.json")["look"]["questions"] == []
    save(root / "moving" / "9.png", seed=1)
    prepare(cfg, root=root, out=out, threads=1)
    with (out / "identical.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "same_as"], ["still/0.png", "moving/9.png"]]


def test_images_that_are_learned_and_scored_are_told(tmp_path):
    """The splits of this folder hold the same pictures."""
    root, out = imagenet_s(tmp_path / "data"), tmp_path / "out"
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    (question,) = read_json(out / "summary.json")["look"]["questions"]
    assert question == (
        "8 images of the other splits are in train as well (e.g. validation/cat/0.jpg as train/cat/0.jpg), so that"
        " scores say too much: take one of each pair out. prepare lists all in identical.csv"
    )
