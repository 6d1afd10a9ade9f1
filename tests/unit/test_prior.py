"""The stage prior: maps in step with the images, scored beside the baselines, whole or not at all."""

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from prior_data import draw, make, prepared, save_map

from luss_core import io
from luss_core.config import PrepareConfig, PriorConfig
from luss_core.data.baselines import centre_prior, spectral_residual
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask
from luss_core.data.saliency import region_contrast
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.metrics.saliency import foreground_f, salient
from luss_core.stages.prepare import prepare
from luss_core.stages.prior import prior

OUTPUTS = ["files.jsonl", "prior.h5", "summary.json"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return prepared(tmp_path_factory.mktemp("data"))


def test_rows_of_maps_and_images_agree(data, tmp_path):
    make(data, tmp_path)
    maps, images = Store(tmp_path / "prior.h5", "prior"), Store(data / "prepare/images.h5")
    assert sorted(p.name for p in tmp_path.iterdir()) == OUTPUTS
    assert len(maps) == len(images) == 9
    for row in range(9):
        expected = np.rint(255 * region_contrast(images.read(row), PriorConfig()))[..., None]
        np.testing.assert_array_equal(maps.read(row), expected)
        assert maps.read(row).dtype == np.uint8
    np.testing.assert_array_equal(maps.shapes, images.shapes)


def test_the_summary_sets_the_maps_beside_the_baselines(data, tmp_path):
    make(data, tmp_path)
    summary = io.read_json(tmp_path / "summary.json")
    listing = read_images(data / "prepare/images.csv")
    maps, images = Store(tmp_path / "prior.h5"), Store(data / "prepare/images.h5")
    planes = [maps.read(row)[..., 0] / 255 for row in range(9)]
    expected = []
    for row in listing.rows("validation"):
        truth, image = read_mask(listing.root / listing.mask[row]), images.read(row)
        candidates = planes[row].astype(np.float32), centre_prior(image.shape[:2]), spectral_residual(image)
        whole = [Image.fromarray(p).resize(truth.shape[::-1], Image.Resampling.BILINEAR) for p in candidates]
        expected.append([100 * foreground_f(salient(np.asarray(p)), truth) for p in whole])
    found = summary["F"]
    assert (found["split"], found["images"]) == ("validation", 3)
    np.testing.assert_allclose(
        [found["prior"], found["centre"], found["spectral_residual"]], np.mean(expected, axis=0), rtol=1e-9
    )
    assert found["prior"] > 85
    assert summary["images"] == 9
    assert summary["empty"] == 0
    assert summary["mean"] == pytest.approx(np.mean([plane.mean() for plane in planes]))
    assert summary["salient"] == pytest.approx(np.mean([salient(plane).mean() for plane in planes]))
    assert summary["provenance"]["settings"]["prior"]["size"] == 256
    with h5py.File(tmp_path / "prior.h5") as file:
        assert json.loads(file.attrs["provenance"])["settings"]["images"] == images.fingerprint


def test_without_masks_there_is_no_f(tmp_path):
    save_map(tmp_path / "photographs/x.png", draw(40, 60, 0)[0])
    prepare(
        PrepareConfig(), root=tmp_path / "photographs", out=tmp_path / "prepare", state=tmp_path / "state", threads=1
    )
    assert io.read_json(make(tmp_path, tmp_path / "out") / "summary.json")["F"] is None


def test_large_images_are_reduced(data, tmp_path):
    make(data, tmp_path, size=30)
    maps, images = Store(tmp_path / "prior.h5"), Store(data / "prepare/images.h5")
    for row in range(9):
        shape, image = np.array(maps.read(row).shape[:2]), images.read(row)
        assert shape.max() == 30
        np.testing.assert_allclose(shape / 30, np.array(image.shape[:2]) / max(image.shape), atol=0.5 / 30)
        reduced = Image.fromarray(image).resize(shape[::-1].tolist(), Image.Resampling.BICUBIC)
        expected = np.rint(255 * region_contrast(np.asarray(reduced), PriorConfig()))
        np.testing.assert_array_equal(maps.read(row)[..., 0], expected)
    summary = io.read_json(tmp_path / "summary.json")
    assert summary["F"]["images"] == 3  # of another size than the masks


def test_outputs_do_not_depend_on_the_number_of_processes(data, tmp_path, monkeypatch):
    monkeypatch.setattr("luss_core.stages.prior.BATCH", 2)
    for threads in (1, 2):
        make(data, tmp_path / str(threads), threads)
    for name in OUTPUTS:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name
    prints = [Store(tmp_path / str(threads) / "prior.h5").fingerprint for threads in (1, 2)]
    make(data, tmp_path / "other", size=32)
    assert prints[0] == prints[1] != Store(tmp_path / "other/prior.h5").fingerprint


def test_lists_and_stores_of_two_runs_are_refused(data, tmp_path):
    for name in ("images.csv", "summary.json"):
        text = (data / "prepare" / name).read_text()
        (tmp_path / name).write_text(re.sub(r'"cat/1","test.*\n', "", text) if name == "images.csv" else text)
    with pytest.raises(UserError, match="has 8 images, .* has 9; run the stage prepare again"):
        prior(
            PriorConfig(),
            images=tmp_path / "images.csv",
            store=data / "prepare/images.h5",
            out=tmp_path / "out",
            state=tmp_path / "state",
            threads=1,
        )
