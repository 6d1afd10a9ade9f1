"""Runs side by side: the second run found the same as the first under other numbers, but for one image."""

import base64
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_run import ABOUT, FakeRun, write_data, write_run
from PIL import Image

from luss_core.config import ReportConfig
from luss_core.data.features import read_clusters, write_clusters
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask, write_mask
from luss_core.errors import UserError
from luss_core.report.aligned import packed, read_data
from luss_core.report.comparison import parse_run
from luss_core.stages.align import align
from luss_core.stages.all_images import GALLERY, Files, all_images
from workflow_scripts.align import main

OTHER = np.array([0, 3, 1, 2])
"""What the second run calls the categories of the first."""
ODD = "test/001/1"
"""The image in which they differ."""


def write_gallery(fake: FakeRun) -> None:
    given = fake.arguments()
    files = Files(*(given[name] for name in ("images", "store", "masks", "scores", "clusters")), None, None)
    all_images(ReportConfig(), files, out=fake.run / GALLERY, title="made up", threads=1)


def two_runs(folder: Path, *, truth: bool) -> list[FakeRun]:
    one, two = (FakeRun(folder, folder / "swav" / f"seed{seed}", 3, truth) for seed in (0, 1))
    write_data(one)
    write_run(one)
    shutil.copytree(one.run, two.run)
    for path in (two.run / "infer" / "masks").rglob("*.png"):
        write_mask(path, OTHER[read_mask(path)])
    odd = two.run / "infer" / "masks" / f"{ODD}.png"
    write_mask(odd, np.where(read_mask(odd) > 0, 0, 1).astype(np.int32))
    path = two.run / "cluster" / "clusters.h5"
    found = read_clusters(path)
    label = (OTHER[found.label + 1] - 1).astype(np.int32)
    write_clusters(path, found.__class__(found.centroids, found.row, label, found.distance, found.change), ABOUT)
    for fake in (one, two):
        write_gallery(fake)
    return [one, two]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[FakeRun]:
    return two_runs(tmp_path_factory.mktemp("align"), truth=False)


@pytest.fixture(scope="module")
def made(runs: list[FakeRun], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "align"
    given = [f"--run=swav:{seed}:{fake.run}" for seed, fake in enumerate(runs)]
    main([*given, f"--out={out}", "--threads=1"])
    return out


def test_categories_that_mean_the_same_are_found(made: Path):
    found = read_data(made / "runs.html")
    assert found["partners"] == [[0, 1, OTHER.tolist()]]
    assert [run["name"] for run in found["runs"]] == ["swav/seed0", "swav/seed1"]
    assert found["runs"][1]["names"] == ["other", "category 1", "category 2", "category 3"]


def test_seeds_disagree_on_one_image(made: Path, runs: list[FakeRun]):
    found, listing = read_data(made / "runs.html"), read_images(runs[0].images)
    apart = dict(zip(found["rows"], found["apart"]["swav"], strict=True))
    assert {f"{listing.split[row]}/{listing.id[row]}" for row, share in apart.items() if share} == {ODD}
    assert max(apart.values()) == 1


def test_presets_are_no_seeds(runs: list[FakeRun], tmp_path: Path):
    given = [parse_run(f"{name}:0:{fake.run}") for name, fake in zip("ab", runs, strict=True)]
    align(ReportConfig(images=20), runs=given, out=tmp_path / "align", threads=1)
    found = read_data(tmp_path / "align" / "runs.html")
    assert found["apart"] == {}
    assert found["partners"] == [[0, 1, OTHER.tolist()]]
    assert len(found["rows"]) == 20


def test_masks_hold_ids(made: Path, runs: list[FakeRun]):
    listing, content = read_images(runs[1].images), read_data(made / "1.html")
    assert content["about"]["run"] == "swav/seed1"
    assert content["about"]["clustering"] == read_clusters(runs[1].run / "cluster" / "clusters.h5").fingerprint
    for row, (label, mask) in content["found"].items():
        path = runs[1].run / "infer" / "masks" / listing.split[int(row)] / f"{listing.id[int(row)]}.png"
        assert (mask is not None) == path.exists()
        if mask:
            ids, png = mask
            entries = np.array(Image.open(BytesIO(base64.b64decode(png))))
            assert (np.array(ids)[entries % len(ids)] == read_mask(path)).all()
            assert label == max(ids)


def test_where_there_is_truth_classes_decide(tmp_path: Path):
    fakes = two_runs(tmp_path, truth=True)
    given = [parse_run(f"swav:{seed}:{fake.run}") for seed, fake in enumerate(fakes)]
    align(ReportConfig(), runs=given, out=tmp_path / "align", threads=1)
    assert read_data(tmp_path / "align" / "runs.html")["partners"] == [[0, 1, [0, 1, 2, 3]]]  # scores.json is the same


def test_runs_of_other_images_are_refused(runs: list[FakeRun], tmp_path: Path):
    (stranger, _) = two_runs(tmp_path, truth=False)
    given = [parse_run(f"swav:0:{runs[0].run}"), parse_run(f"swav:1:{stranger.run}")]
    with pytest.raises(UserError, match="give runs of one data set"):
        align(ReportConfig(), runs=given, out=tmp_path / "align", threads=1)
    assert not (tmp_path / "align").exists()


def test_masks_of_many_categories_and_ignored_pixels():
    mask = np.array([[0, 700], [1000, 701]], np.int32)
    ids, _ = packed(mask, 700)
    assert ids == [0, 700, 1000]  # 701 is no category
    assert packed(None, 3) is None


def test_a_damaged_file_says_nothing(tmp_path: Path):
    (tmp_path / "runs.html").write_text("<html>")
    assert read_data(tmp_path / "runs.html") is None
    assert read_data(tmp_path / "nowhere.html") is None
