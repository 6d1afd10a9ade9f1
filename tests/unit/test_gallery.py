"""The page of all images: what it knows of each, that it opens from a disk, and what people corrected in it."""

import json
import re
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_run import ABOUT, FakeRun, write_data, write_run
from page_reader import Page
from PIL import Image

from luss_core.colours import class_colours
from luss_core.config import ReportConfig
from luss_core.data.features import Change, read_clusters, write_features
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask, write_mask
from luss_core.data.nearness import changed, nearest, plane
from luss_core.data.store import Store
from luss_core.edits import Edits
from luss_core.edits_file import NAME, save
from luss_core.report.corrected import corrected_clusters
from luss_core.report.gallery_data import areas, gallery_data, source_of
from luss_core.report.gallery_files import as_script, overlay
from luss_core.stages.report import report
from workflow_scripts.report import main

EVIL = "</script><script>alert(1)</script>"


def make(folder: Path, *, truth: bool, edits: Edits | None = None, images: int = 5000) -> tuple[FakeRun, str, dict]:
    """A run with its report and gallery: the text of the report, and the data of the gallery."""
    fake = FakeRun(folder, folder / "swav" / "seed0", 3, truth)
    write_data(fake)
    write_run(fake)
    clusters = read_clusters(fake.run / "cluster" / "clusters.h5")
    vectors = np.random.default_rng(0).random((len(clusters.row), 4)).astype(np.float32)
    with write_features(fake.run / "features.h5", *vectors.shape, ABOUT) as writer:
        writer.append(vectors, clusters.row)
    if edits:
        base = Edits(clustering=clusters.fingerprint, categories=3)
        save(fake.run / NAME, Edits.model_validate(edits.model_dump() | base.model_dump(include=COMMON)), base)
    out, files = fake.run / "report" / "index.html", fake.arguments()
    more = {"features": fake.run / "features.h5", "edits": fake.run / NAME, "gallery": out.with_name("gallery")}
    given = [f"--{name.replace('_', '-')}={path}" for name, path in (files | more).items() if path]
    main([*given, f"--out={out}", "--title=made up", "--settings", json.dumps({"images": images})])
    page = (more["gallery"] / "index.html").read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*)</script>', page)
    return fake, out.read_text(encoding="utf-8"), json.loads(data[1])


COMMON = {"clustering", "categories"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeRun, str, dict]:
    return make(tmp_path_factory.mktemp("plain"), truth=False)


def test_opens_from_a_disk(plain):
    fake, text, data = plain
    folder = fake.run / "report" / "gallery"
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert '<a href="gallery/index.html">All images</a>' in text
    assert "://" not in page
    assert "src=" not in page.partition('id="data"')[0].replace("-src", "")
    assert {path.stem for path in (folder / "photo").iterdir()} == {str(image["r"]) for image in data["images"]}
    segmented = {str(image["r"]) for image in data["images"] if image["a"] is not None}
    assert {path.stem for path in (folder / "mask").iterdir()} == segmented
    assert len(segmented) == 18  # validation and test


def test_says_what_was_found(plain):
    fake, _, data = plain
    clusters, listing = read_clusters(fake.run / "cluster" / "clusters.h5"), read_images(fake.images)
    for image in data["images"]:
        row = image["r"]
        assert image["n"] == f"{listing.split[row]}/{listing.id[row]}"
        label = dict(zip(clusters.row.tolist(), (clusters.label + 1).tolist(), strict=True)).get(row, 0)
        assert image["k"] == label
        if image["a"] is not None:
            mask = read_mask(fake.run / "infer" / "masks" / f"{image['n']}.png")
            assert image["a"] == areas(mask)
            assert sum(share for _, share in image["a"]) == pytest.approx((mask > 0).mean(), abs=0.01)
        assert (image["t"] is not None) == (image["p"] is not None) == (label > 0)
    assert [one["name"] for one in data["categories"]] == ["category 1", "category 2", "category 3"]


def test_areas_are_sorted():
    mask = np.array([[0, 2, 2, 2], [1, 1, 1000, 3], [3, 3, 3, 3]], np.int32)
    assert areas(mask) == [[3, 0.4167], [2, 0.25], [1, 0.1667]]
    assert areas(None) is None
    assert areas(np.zeros((2, 2), np.int32)) == []


def test_names_are_of_the_matched_classes_where_there_is_truth(tmp_path):
    _, text, data = make(tmp_path, truth=True)
    assert [one["name"] for one in data["categories"]] == ["name001", "name002", "name000"]
    colours = ["#{:02x}{:02x}{:02x}".format(*colour) for colour in class_colours(3).tolist()]
    assert [one["colour"] for one in data["categories"]] == [colours[2], colours[3], colours[1]]
    assert "corrected" not in text


def test_corrections_are_respected(tmp_path):
    edits = Edits(categories=3, names={2: EVIL}, merged={1: 2}, background=(3,))
    fake, text, data = make(tmp_path, truth=False, edits=edits)
    page = Page(text)
    assert "People corrected the categories since: 1 named, 1 merged into another, 1 called background." in text
    assert "<script" not in text
    named = {shown for _, shown in page.all("span", **{"class": "chip"})}
    assert named == {EVIL}
    assert data["edits"]["names"] == {"2": EVIL}
    assert data["edits"]["merged"] == {"1": 2}
    assert (fake.run / "report" / "gallery" / "index.html").read_text().count("alert(1)") == 1
    assert EVIL not in (fake.run / "report" / "gallery" / "index.html").read_text()


def test_corrections_of_another_clustering_are_not_applied(tmp_path):
    fake, _, _ = make(tmp_path, truth=False)
    (fake.run / NAME).write_text("clustering: another\nnames: {1: tulip}\n")
    out = tmp_path / "again.html"
    report(ReportConfig(), **fake.arguments(), edits=fake.run / NAME, prior=None, out=out, title="x")
    assert "belongs to another clustering" in out.read_text()
    assert "tulip" not in out.read_text()


def test_moved_images_and_splits(plain):
    fake, _, _ = plain
    listing, found = read_images(fake.images), read_clusters(fake.run / "cluster" / "clusters.h5")
    row, label = int(found.row[0]), int(found.label[0]) + 1
    name = f"{listing.split[row]}/{listing.id[row]}"
    edits = Edits(categories=3, split={4: label}, moved={name: {label: 4}})
    grouped, _ = corrected_clusters(found, listing, edits)
    assert grouped.label.tolist() == [3, *found.label[1:].tolist()]
    mask = np.full((8, 8), label, np.int32)
    picture = Image.open(BytesIO(overlay(mask, name, edits, class_colours(4)))).convert("RGB")
    assert picture.getpixel((4, 4)) == tuple(class_colours(4)[4].tolist())


def test_many_images_are_sampled_evenly(tmp_path):
    _, _, data = make(tmp_path, truth=False, images=4)
    assert len(data["images"]) == 4
    assert data["total"] == 27


def test_without_features_there_is_no_map(plain):
    fake, _, _ = plain
    found, listing = read_clusters(fake.run / "cluster" / "clusters.h5"), read_images(fake.images)
    result = json.loads((fake.run / "evaluate" / "scores.json").read_text())
    source = source_of(result, listing, Store(fake.store), fake.run / "infer" / "masks", found, None)
    data = gallery_data(source, [int(found.row[2])], [None], Edits(categories=3), "x")
    (image,) = data["images"]
    assert image["p"] is None
    assert image["t"] == [[image["k"], pytest.approx(float(found.distance[2]) ** 0.5, abs=1e-4)]]


def test_images_without_a_label_change_nothing_of_the_others(plain):
    """Features are of all training images, clusters of those that have labels."""
    fake, _, _ = plain
    found, listing = read_clusters(fake.run / "cluster" / "clusters.h5"), read_images(fake.images)
    result = json.loads((fake.run / "evaluate" / "scores.json").read_text())
    kept = np.arange(1, len(found.row), 2)
    few = replace(found, row=found.row[kept], label=found.label[kept], distance=found.distance[kept])
    told = []
    for clusters in (found, few):
        given = listing, Store(fake.store), fake.run / "infer" / "masks", clusters, fake.run / "features.h5"
        rows = found.row[kept].tolist()
        told.append(gallery_data(source_of(result, *given), rows, [None] * len(rows), Edits(categories=3), "x"))
    assert told[0]["images"] == told[1]["images"]


def test_nearest_and_plane():
    vectors = np.array([[3, 4], [0, 1]], np.float32)
    change = Change(True, np.eye(2, dtype=np.float32) * 2, np.ones(2, np.float32), False)
    assert changed(vectors, change) == pytest.approx(np.array([[2.2, 2.6], [1, 3]]))
    ids, distances = nearest(vectors, np.array([[0, 0], [3, 4], [0, 3]], np.float32), 2)
    assert ids.tolist() == [[1, 2], [0, 2]]
    assert distances == pytest.approx(np.array([[0, 10**0.5], [1, 2]]))
    at = plane(np.array([[0, 0], [10, 0], [10, 1], [0, 1]], np.float32))
    assert at.min() == 0
    assert at.max() == 1
    assert abs(at[0, 0] - at[1, 0]) == pytest.approx(1)
    assert plane(vectors[:1]).tolist() == [[0.5, 0.5]]


def test_json_ends_no_script():
    text = as_script({"a": "</script>&<!--", "b": "caf\udce9"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script>&<!--", "b": "caf\udce9"}


def test_an_image_of_another_shape_is_drawn(tmp_path):
    write_mask(tmp_path / "a.png", np.ones((1, 700), np.int32))
    assert overlay(read_mask(tmp_path / "a.png"), "train/a", Edits(categories=1), class_colours(1))
