"""Images that a run has not seen get the masks that infer would make of them, in a folder that keeps their tree."""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from exported_run import CLASSES, make_run
from movies import movie, pictures
from PIL import Image

import luss_core
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask
from luss_core.errors import UserError
from luss_core.models.tensor_file import read_about, read_tensors, write_tensors
from luss_core.predict.command import main
from luss_core.predict.inputs import gather


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_run(tmp_path_factory.mktemp("predict"))


@pytest.fixture
def photographs(run: dict[str, Path], tmp_path: Path) -> Path:
    """Three images in two folders, one of whose names is no plain text."""
    root = tmp_path / "new photographs"
    for name, path in (("a/0.png", "cat/0"), ("a/<b> & 'c'.png", "cat/1"), ("0.png", "cat/2")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((run["images"].parents[1] / "photographs/validation" / f"{path}.png").read_bytes())
    return root


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def indexed(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Ids, and (n, 3) the colours of a viewer."""
    with Image.open(path) as image:
        assert image.mode == "P"
        return np.asarray(image), np.array(image.getpalette("RGB")).reshape(-1, 3)


def predict(run: dict[str, Path], *arguments: str | Path, out: Path) -> None:
    main([str(run["model"]), "--device", "cpu", "--threads", "1", *map(str, arguments), "-o", str(out)])


def test_masks_are_those_of_infer(run: dict[str, Path], tmp_path: Path) -> None:
    listing, out = read_images(run["images"]), tmp_path / "out"
    predict(run, listing.root / "validation", listing.root / "test", out=out)
    rows = [row for split in ("validation", "test") for row in listing.rows(split)]
    assert len(rows) == 5
    found = set()
    for row in rows:
        name = f"{listing.split[row]}/{listing.id[row]}.png"
        ids, colours = indexed(out / "masks" / name)
        assert np.array_equal(ids, read_mask(run["masks"] / name))
        assert colours[: CLASSES + 1].tolist()[0] == [128, 128, 128]
        found |= set(ids.flat)
    assert len(found) > 1


def test_cores_change_nothing(run: dict[str, Path], photographs: Path, tmp_path: Path) -> None:
    """Each works on images of its own; the tables keep their order."""
    for threads in ("1", "3"):
        predict(run, photographs, "--overlays", "--threads", threads, out=tmp_path / threads)
    one, three = (
        {str(path.relative_to(tmp_path / n)): path.read_bytes() for path in (tmp_path / n).rglob("*") if path.is_file()}
        for n in ("1", "3")
    )
    assert len(one) == 10
    assert one == three


def test_tree_tables_and_overlays(run: dict[str, Path], photographs: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    (photographs / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff no more")
    (photographs / "a" / "empty.png").touch()
    predict(run, photographs, "--overlays", out=out)
    names = ["0", "a/0", "a/<b> & 'c'"]
    for name in names:
        size = Image.open(photographs / f"{name}.png").size
        assert Image.open(out / "masks" / f"{name}.png").size == size
        assert Image.open(out / "overlays" / f"{name}.jpg").size == tuple(
            min(s, round(s * 44 / min(size))) for s in size
        )
    images = table(out / "images.csv")
    assert [row["image"] for row in images] == [f"{name}.png" for name in names]
    areas = table(out / "areas.csv")
    for name in names:
        ids, _ = indexed(out / "masks" / f"{name}.png")
        own = {int(row["category"]): row for row in areas if row["image"] == f"{name}.png"}
        assert {k: int(row["pixels"]) for k, row in own.items()} == dict(
            zip(*np.unique(ids, return_counts=True), strict=True)
        )
        assert sum(float(row["share"]) for row in own.values()) == pytest.approx(1, abs=1e-5)
    categories = table(out / "categories.csv")
    assert [row["id"] for row in categories] == ["0", "1", "2", "3"]
    assert {row["name"] for row in categories} == {"other", "class 1", "class 2", "class 3"}
    reasons = {row["path"]: row["reason"] for row in table(out / "rejected.csv")}
    assert set(reasons) == {"a/broken.jpg", "a/empty.png"}
    assert reasons["a/empty.png"] == "empty file"
    assert "2 files could not be read" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["areas.csv", "categories.csv", "images.csv", "masks", "overlays", "predict.json", "rejected.csv"]
    )


def test_what_is_there_and_whole_is_not_made_again(run: dict[str, Path], photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(run, photographs, out=out)
    masks = sorted((out / "masks").rglob("*.png"))
    before = {path: path.read_bytes() for path in masks}
    first = (out / "areas.csv").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in masks}
    masks[0].write_bytes(before[masks[0]][:-20])  # cut short
    os.utime(photographs / "a" / "0.png", (2e9, 2e9))  # changed since
    again = (out / "masks/a/0.png").stat().st_mtime_ns
    predict(run, photographs, out=out)
    assert {path: path.read_bytes() for path in masks} == before
    assert (out / "areas.csv").read_bytes() == first
    made = [path for path in masks if path.stat().st_mtime_ns != times[path]]
    assert made == [masks[0], out / "masks/a/0.png"]
    assert again == times[out / "masks/a/0.png"]


def test_folders_with_other_things(run: dict[str, Path], photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    predict(run, photographs, out=out)
    assert (out / "notes.txt").read_text() == "mine"
    (tmp_path / "theirs" / "masks").mkdir(parents=True)
    (tmp_path / "theirs" / "masks" / "drawn.png").touch()
    with pytest.raises(UserError, match=r"already holds masks, which predict did not write; give another folder"):
        predict(run, photographs, out=tmp_path / "theirs")
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["masks"]
    with pytest.raises(UserError, match=r"is a file; give a folder"):
        predict(run, photographs, out=out / "notes.txt")
    with pytest.raises(UserError, match=r"holds masks of the images below .*; give another folder, or delete"):
        predict(run, photographs / "a", out=out)
    other = tmp_path / "other.safetensors"
    weights, about = read_tensors(run["model"], "np", "export")
    from safetensors.numpy import save_file

    write_tensors(other, weights, about | {"threshold": 11}, save_file)
    with pytest.raises(UserError, match=r"holds masks of another model; give another folder"):
        predict(run | {"model": other}, photographs, out=out)


def test_masks_of_an_earlier_call_are_no_photographs(run: dict[str, Path], photographs: Path) -> None:
    for _ in range(2):
        predict(run, photographs, out=photographs / "found")
        assert len(table(photographs / "found" / "images.csv")) == 3


def test_names_never_leave_the_folder_and_never_meet(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/1.PNG", "b/1.jpg", "b/2.jpg", "-dash.jpg", "b/1.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    asked = [str(tmp_path / "a"), str(tmp_path / "b" / "*.jpg"), str(tmp_path / "a" / ".." / "b" / "1.jpg")]
    found = gather(asked)
    assert found.root == tmp_path
    assert [source[:2] for source in found.sources] == [
        *(("a/1.PNG", "a/1.PNG"), ("a/1.jpg", "a/1.jpg"), ("b/1.jpg", "b/1"), ("b/2.jpg", "b/2"))
    ]
    assert [source.id for source in gather([str(tmp_path / "b" / "1.jpg")]).sources] == ["1"]
    assert [source.id for source in gather([str(tmp_path / "b")]).sources] == ["1", "1.mp4", "2"]
    (tmp_path / "a" / "1.jpg.png").touch()
    assert {source.id for source in gather([str(tmp_path / "a")]).sources} == {"1.PNG", "1.jpg", "1.jpg.png"}


def test_frames_of_a_video(run: dict[str, Path], tmp_path: Path) -> None:
    frames = pictures(7, 44, 60)
    movie(tmp_path / "films" / "walk.mkv", frames)
    (tmp_path / "films" / "none.mp4").write_bytes(b"no video")
    out = tmp_path / "out"
    predict(run, tmp_path / "films", "--every", "3", out=out)
    assert [row["image"] for row in table(out / "images.csv")] == [f"walk.mkv/00000{k}" for k in (0, 3, 6)]
    segmenter = luss_core.Segmenter.load(run["run"])
    for k in (0, 3, 6):
        assert np.array_equal(indexed(out / "masks" / "walk.mkv" / f"00000{k}.png")[0], segmenter(frames[k]))
    assert [row["path"] for row in table(out / "rejected.csv")] == ["none.mp4"]


def test_a_segmenter_takes_files_pictures_and_arrays(run: dict[str, Path], photographs: Path, tmp_path: Path) -> None:
    segmenter = luss_core.Segmenter.load(run["run"])
    path = photographs / "0.png"
    with Image.open(path) as image:
        image.load()
        ids = segmenter(path)
        assert ids.dtype == np.int32
        assert ids.shape == image.size[::-1]
        for other in (str(path), image, np.asarray(image), image.convert("RGBA")):
            assert np.array_equal(segmenter(other), ids)
        exif = Image.Exif()
        exif[274] = 6  # to be turned a quarter clockwise
        image.save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as turned:
        assert np.array_equal(segmenter(turned), segmenter(tmp_path / "turned.png"))
        assert segmenter(turned).shape == ids.shape[::-1]
    assert segmenter.names[0] == "other"
    assert segmenter.colours.shape == (CLASSES + 1, 3)
    with pytest.raises(UserError, match=r"cannot be read as an image"):
        segmenter(tmp_path / "none.png")
    with pytest.raises(UserError, match=r"give height x width x 3 values of uint8"):
        segmenter(np.zeros((4, 4)))


def test_what_a_person_corrected_is_respected(run: dict[str, Path], photographs: Path, tmp_path: Path) -> None:
    before = {path.name: path for path in [photographs / "0.png"]}
    plain = luss_core.Segmenter.load(run["run"])(before["0.png"])
    edits = run["run"] / "edits.yaml"
    edits.write_text("names: {2: 'beetle <i>'}\nmerged: {1: 2}\nbackground: [3]\n")
    try:
        segmenter = luss_core.Segmenter.load(run["model"])
        assert np.array_equal(segmenter(before["0.png"]), np.array([0, 2, 2, 0])[plain])
        predict(run, photographs, out=tmp_path / "out")
        assert [row["name"] for row in table(tmp_path / "out" / "categories.csv")] == ["other", "beetle <i>"]
        edits.write_text("names: {2: beetle}\n")
        with pytest.raises(UserError, match=r"before names or categories were corrected; give another folder"):
            predict(run, photographs, out=tmp_path / "out")
        edits.write_text("names: [")
        with pytest.raises(UserError, match=r"edits\.yaml"):
            luss_core.Segmenter.load(run["run"])
    finally:
        edits.unlink()


def test_models_old_new_cut_and_many(run: dict[str, Path], photographs: Path, tmp_path: Path) -> None:
    weights, about = read_tensors(run["model"], "np", "export")
    from safetensors.numpy import save_file

    old = {key: value for key, value in about.items() if key not in ("version", "categories", "white")}
    write_tensors(tmp_path / "old.safetensors", weights, old, save_file)
    assert luss_core.Segmenter.load(tmp_path / "old.safetensors").legend == luss_core.Segmenter.load(run["run"]).legend
    write_tensors(tmp_path / "new.safetensors", weights, about | {"version": 4}, save_file)
    (tmp_path / "cut.safetensors").write_bytes(run["model"].read_bytes()[:-9])
    run_of = run["run"].parents[1]
    for name, message in (
        (
            "new.safetensors",
            r"newer version of this program \(its files have version 4, this one reads up to 3\); update",
        ),
        ("cut.safetensors", "is not a whole weight file of export"),
        ("none.safetensors", "does not exist; give export/model.safetensors of a run"),
        ("new photographs", "holds no run with export/model.safetensors; give the folder of a finished run"),
    ):
        with pytest.raises(UserError, match=message):
            predict(run | {"model": tmp_path / name}, photographs, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert luss_core.Segmenter.load(run_of).digest == luss_core.Segmenter.load(run["model"]).digest
    assert read_about(run["model"], "export")["version"] == 2


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("none.jpg", "does not exist; give images, a folder of images"),
        ("*.tiff", "no file fits this pattern"),
        (".", "no images; found: 1 other file"),
    ],
)
def test_nothing_to_segment(run: dict[str, Path], tmp_path: Path, monkeypatch, asked: str, message: str) -> None:
    (tmp_path / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        predict(run, asked, out=tmp_path / "out")


def test_no_file_can_be_read(run: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no image")
    with pytest.raises(UserError, match=r"none of 1 files can be read, such as broken\.jpg: not an image"):
        predict(run, tmp_path / "broken.jpg", out=tmp_path / "out")
    assert len(table(tmp_path / "out" / "rejected.csv")) == 1


def test_the_package_alone_loads_no_torch() -> None:
    import subprocess

    code = "import sys, luss_core; luss_core.__version__; from luss_core.predict import inputs, command"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError):
        luss_core.nothing  # noqa: B018
