"""What the settings ask of the images, checked before any stage works."""

import json

import pytest
from folders import prepare, put, save

from luss_core import runs
from luss_core.bounds import Counts, Need, as_text, counts_before, counts_of, from_text, needs_of, stop_if_not_enough
from luss_core.config import PrepareConfig
from luss_core.data.arrange import arrange
from luss_core.errors import UserError


def needs(**values):
    config = runs.load(runs.over_defaults(values))
    return needs_of(config, runs.presets(config))


def test_of_the_default():
    assert needs() == [Need("images", 8, "classes")]


def test_every_bound_is_named_by_its_key():
    found = needs(
        run=["deepcluster", "taught"],
        gpus=4,
        shards=3,
        classes=5,
        presets={"taught": {"cluster": {"assign": "folders"}, "pretrain": {"method": {"name": "byol"}}}},
    )
    assert found == [
        Need("images", 4, "gpus x nodes"),
        Need("images", 3, "shards"),
        Need("images", 64, "presets.deepcluster.pretrain.method.clusters"),
        Need("images", 5, "classes"),
        Need("folders", 5, "classes"),
    ]
    assert from_text(as_text(found)) == found
    assert from_text("") == []


def test_one_image_is_no_batch():
    one = {"classes": 1, "finetune": {"segmenter": {"attend": True}}}
    found = needs(**one)  # the decoder of shape normalises over a batch
    assert found == [Need("batch", 2, "presets.shape.pretrain.method shape")]
    stop_if_not_enough(found, Counts(2))
    with pytest.raises(UserError, match=r"method shape needs batches of at least 2 images, and there is 1 training im"):
        stop_if_not_enough(found, Counts(1))


def test_the_supervised_bound_asks_for_folders():
    assert Need("folders", 2, "presets.supervised.pretrain.method supervised") in needs(run=["supervised"])


def test_all_that_lacks_is_in_one_message():
    asked = [Need("images", 8, "classes"), Need("images", 64, "presets.mine.pretrain.method.clusters")]
    stop_if_not_enough(asked, Counts(64))
    stop_if_not_enough(asked, None)
    with pytest.raises(UserError) as error:
        stop_if_not_enough(asked, Counts(3), 2)
    assert str(error.value) == (
        "the images are not enough for the settings: 3 training images (2 more cannot be used), but classes = 8 and"
        " presets.mine.pretrain.method.clusters = 64 need at least as many; add images, or lower them"
    )


@pytest.mark.parametrize(
    ("kind", "least", "message"),
    [
        (
            "folders",
            3,
            "m needs the images of each category in a folder of its own, at least 3 folders, and there are 2; sort the",
        ),
        ("masks", 1, "m needs a mask for each of the 5 training images, and 1 have one"),
        ("frames", 3, "m needs videos of at least 3 frames, and the longest has 2; lower it, or give longer ones"),
    ],
)
def test_what_methods_read_beside_the_images(kind, least, message):
    files = ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/1.jpg", "b/2.jpg", "masks/a/1.png"]
    there = counts_of(arrange(files, "masks").images)
    assert there == Counts(5, 2, 1)
    there = there._replace(frames=2)
    stop_if_not_enough([Need(kind, 2, "m")] if kind != "masks" else [], there)
    with pytest.raises(UserError, match=message):
        stop_if_not_enough([Need(kind, least, "m")], there)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("odc", {"clusters x smallest": 160}),
        ("moco", {"queue": 512}),
        ("pcl", {"queue": 512, "clusters": 128}),
        ("maskcontrast", {"queue": 256}),
    ],
)
def test_images_that_methods_need(name, expected):
    key = f"presets.{name}.pretrain.method"
    found = [need for need in needs(run=[name]) if need.key != "classes"]
    assert found == [Need("images", least, f"{key}.{setting}") for setting, least in expected.items()]
    with pytest.raises(UserError, match=rf"50 training images, but {key}\..* as many; add images, or lower (it|them)"):
        stop_if_not_enough(found, Counts(50))


def test_prepare_stops_before_it_decodes_anything(tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / "photographs" / f"{i}.jpg", seed=i)
    monkeypatch.setattr("luss_core.stages.prepare.headers", None)
    with pytest.raises(UserError, match="3 training images, but classes = 8 needs at least as many"):
        prepare(
            PrepareConfig(),
            root=tmp_path / "photographs",
            out=tmp_path / "out",
            threads=1,
            needs=[Need("images", 8, "classes")],
        )


def test_files_that_cannot_be_used_do_not_count(tmp_path):
    for i in range(20):
        save(tmp_path / "photographs" / f"{i}.jpg", seed=i)
    put(tmp_path / "photographs" / "0.jpg", b"broken")
    asked = {"root": tmp_path / "photographs", "threads": 1}
    with pytest.raises(UserError, match=r"19 training images \(1 more cannot be used\), but classes = 20 needs"):
        prepare(PrepareConfig(), out=tmp_path / "out", needs=[Need("images", 20, "classes")], **asked)
    assert not (tmp_path / "out" / "images.csv").exists()
    prepare(PrepareConfig(), out=tmp_path / "out", needs=[Need("images", 19, "classes")], **asked)


def test_what_is_known_before_any_stage(tmp_path):
    summary = tmp_path / "summary.json"
    assert counts_before(runs.load({"synthesize": {"train": 50}}), summary) == Counts(50)
    given = runs.load({"data_root": str(tmp_path)})
    assert counts_before(given, summary) is None
    summary.write_text(json.dumps({"images": {"train": 7, "test": 3}}))
    assert counts_before(given, summary) == Counts(7)
