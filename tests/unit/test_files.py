"""Which entries of folders are looked at, by every reader, and what is said of the others."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_run import FakeRun, write_data, write_run
from folders import prepare, put, save

from luss_core import io
from luss_core.config import PrepareConfig, ReportConfig
from luss_core.data import decode, kinds
from luss_core.data.files import list_files, passed_over
from luss_core.data.images import read_images
from luss_core.data.masks import write_mask
from luss_core.data.saliency_folder import find_maps
from luss_core.errors import UserError
from luss_core.metrics.files import pair_folders
from luss_core.stages.report import report

SYSTEM = (
    *("@eaDir", "#recycle", "#snapshot", "@Recycle", "@tmp"),
    *("$RECYCLE.BIN", "$Recycle.Bin", "RECYCLER", "System Volume Information", "FOUND.000", "Thumbs.db", "DESKTOP.INI"),
    *("__MACOSX", "__macosx", ".Trashes", ".Trash-1000", ".thumbnails", ".DS_Store", "lost+found"),
)


@pytest.mark.parametrize("name", SYSTEM)
def test_what_systems_leave_is_passed_over(name):
    assert passed_over(name) == kinds.SYSTEM


@pytest.mark.parametrize(
    "name", ["cat", "a.jpg", "trash", "#1.png", "@home", "$5.jpg", "thumbs", "found.jpg", "~a.png"]
)
def test_what_people_call_things_is_looked_at(name):
    assert passed_over(name) is None


def test_thumbnails_and_bins_are_neither_images_nor_categories(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    save(root / "cat/1.jpg")
    for folder in ("@eaDir/1.jpg", "$RECYCLE.BIN", "cat/#recycle", "cat/.Trash-1000"):
        save(root / folder / "SYNOPHOTO_THUMB_M.jpg")
    save(root / "cat/._1.jpg")
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    assert list(read_images(out / "images.csv").path) == ["cat/1.jpg"]
    summary = io.read_json(out / "summary.json")
    assert summary["categories"] == ["cat"]
    assert {kind["kind"]: (kind["count"], kind["example"]) for kind in summary["left_out"]} == {
        "thumbnails, bins and other things of the system": (4, "$RECYCLE.BIN"),
        "companion files of macOS": (1, "cat/._1.jpg"),
    }


def test_evaluation_passes_over_the_same(tmp_path):
    for folder in ("truth", "prediction"):
        write_mask(tmp_path / folder / "cat/a.png", np.zeros((4, 4), np.uint16))
    put(tmp_path / "truth/cat/._a.png", b"x")
    put(tmp_path / "truth/@eaDir/a.png", b"x")
    put(tmp_path / "prediction/._b.png", b"x")
    (pair,) = pair_folders(tmp_path / "prediction", tmp_path / "truth")
    assert pair[:2] == (tmp_path / "prediction/cat/a.png", tmp_path / "truth/cat/a.png")


def test_evaluation_of_own_results_reads_them(tmp_path):
    root = tmp_path / "seed0"
    for name in ("pretrain/log.jsonl", "truth/readme.txt"):
        put(root / name, b"")
    for folder in ("infer/masks", "truth/infer/masks"):
        write_mask(root / folder / "a.png", np.zeros((4, 4), np.uint16))
    assert len(pair_folders(root, root / "truth")) == 1


def test_saliency_maps_pass_over_the_same(tmp_path):
    save(tmp_path / "data/1.jpg", 60, 90)
    prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)
    save(tmp_path / "maps/1.png", 60, 90)
    put(tmp_path / "maps/._1.png", b"x")
    save(tmp_path / "maps/.thumbnails/1.png", 10, 10)
    assert find_maps(tmp_path / "maps", read_images(tmp_path / "out/images.csv"), 1) == ["1.png"]


@pytest.mark.parametrize(
    "mark",
    [
        "x/prepare/summary.json",
        "x/state/prepare/lock",
        "x/logs/prepare.log",
        "x/infer/masks/train/1.png",
        "source/prepare.json",
    ],
)
def test_own_results_are_no_photographs_wherever_they_lie(tmp_path, mark):
    save(tmp_path / "1.jpg")
    put(tmp_path / "deep/results" / mark, b"")
    save(tmp_path / "deep/results" / mark.partition("/")[0] / "panel.png")
    found = list_files(tmp_path, photographs=True)
    assert found.files == ["1.jpg"]
    assert found.left_out[kinds.RESULTS].first.startswith("deep/results")


def test_results_beside_the_photographs_leave_the_photographs(tmp_path):
    """As of `prepare --root photos --out photos/prepare`."""
    save(tmp_path / "cat/1.jpg")
    prepare(PrepareConfig(), root=tmp_path, out=tmp_path / "prepare", threads=1)
    save(tmp_path / "prepare/panel.png")
    found = list_files(tmp_path, photographs=True)
    assert [name for name in found.files if name.endswith(("jpg", "png"))] == ["cat/1.jpg"]


def test_the_folder_of_this_program_holds_no_photographs_but_those_put_there(tmp_path):
    for name in ("Snakefile", "luss_core/a.png", "workflow_scripts/b.png", "docs/c.png", "holiday/d.png"):
        put(tmp_path / name, b"")
    assert list_files(tmp_path, photographs=True).files == ["Snakefile", "holiday/d.png"]


def test_smaller_copies_in_libraries_are_no_photographs(tmp_path):
    library = tmp_path / "My.photoslibrary"
    for name in ("originals/0/1.jpg", "resources/derivatives/0/1.jpg", "Thumbnails/1.jpg", "database/search.png"):
        put(library / name, b"")
    put(tmp_path / "Catalog Previews.lrdata/1.jpg", b"")
    assert list_files(tmp_path, photographs=True).files == ["My.photoslibrary/originals/0/1.jpg"]


def test_links_that_lead_nowhere_are_named(tmp_path):
    (tmp_path / "itself.jpg").symlink_to(tmp_path / "itself.jpg")
    os.mkfifo(tmp_path / "pipe")
    found = list_files(tmp_path)
    ((path, reason),) = found.problems
    assert (path, found.files) == ("itself.jpg", [])
    assert "symbolic links" in reason or "does not exist" in reason
    assert found.left_out.lines == ["1 other file (e.g. pipe)"]


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A few photographs, and much of what else comes from a phone."""
    for i in range(4):
        save(tmp_path / f"data/{i}.jpg", seed=i)
    for i in range(20):
        put(tmp_path / f"data/IMG_{i:02}.HEIC", b"x")
    for i in range(3):
        put(tmp_path / f"data/trip/IMG_{i}.MOV", b"x")
        put(tmp_path / f"data/IMG_{i}.CR2", b"x")
        put(tmp_path / f"data/bare{i}", (tmp_path / "data/0.jpg").read_bytes())
    put(tmp_path / "data/\nodd.mp4", b"x")
    return tmp_path / "data"


LINES = [
    "20 HEIC photographs (.heic, e.g. IMG_00.HEIC): install what reads them: pip install pillow-heif",
    r"4 videos (.mov, .mp4, e.g. '\nodd.mp4'): save frames of them as JPEG, or set prepare.video.sources",
    "3 files without a suffix (e.g. bare0): by their first bytes they are images: add .jpg or .png, ...",
    "3 raw photographs of cameras (.cr2, e.g. IMG_0.CR2): convert them to JPEG or TIFF",
]


def test_the_log_and_the_summary_say_what_was_left_out(tmp_path, phone, monkeypatch, caplog):
    monkeypatch.setattr(kinds, "readable", lambda: kinds.READ)
    with caplog.at_level("INFO"):
        prepare(PrepareConfig(), root=phone, out=tmp_path / "out", threads=1)
    warned = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in warned if text.startswith("left")] == [f"left out: {line}" for line in LINES]
    summary = io.read_json(tmp_path / "out/summary.json")
    assert [kind["text"] for kind in summary["left_out"]] == LINES
    assert summary["images"] == {"train": 4}


def test_the_page_says_what_was_left_out(tmp_path):
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3)
    write_data(fake)
    write_run(fake)
    path = fake.images.with_name("summary.json")
    left_out = [{"text": line} for line in LINES[:2]]
    io.write_json(path, io.read_json(path) | {"rejected": 0, "noted": 0, "left_out": left_out})
    report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "report.html", title="made up")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No file had to be set aside" not in text
    assert "No image had to be set aside." in text
    assert f"<li>{LINES[0]}</li>" in text


def test_photographs_of_phones_are_read_where_the_plugin_is(tmp_path, monkeypatch):
    """A stand-in for the package teaches Pillow to read .heic, as pillow-heif does."""
    from PIL import Image, JpegImagePlugin

    class Stand(JpegImagePlugin.JpegImageFile):
        format = "HEIF"

    def register_heif_opener() -> None:
        Image.register_open("HEIF", Stand, lambda start: start[:3] == b"\xff\xd8\xff")

    monkeypatch.setitem(sys.modules, kinds.PLUGIN, SimpleNamespace(register_heif_opener=register_heif_opener))
    for module in (kinds, decode):
        monkeypatch.setattr(module, "find_spec", lambda name: name == kinds.PLUGIN)
    decode._formats.cache_clear()
    kinds.readable.cache_clear()
    try:
        save(tmp_path / "data/a.jpg", 60, 90).rename(tmp_path / "data/IMG_1.HEIC")
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)
        images = read_images(tmp_path / "out/images.csv")
        assert (images.path, images.height.tolist()) == (["IMG_1.HEIC"], [60])
        assert "HEIF" in decode._formats()
    finally:
        Image.OPEN.pop("HEIF", None)
        Image.ID.remove("HEIF")
        decode._formats.cache_clear()
        kinds.readable.cache_clear()


def test_nothing_but_what_cannot_be_read_is_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(kinds, "readable", lambda: kinds.READ)
    put(tmp_path / "data/IMG_1.HEIC", b"x")
    with pytest.raises(UserError, match="holds no images; found: 1 HEIC photograph .*pip install pillow-heif"):
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)
