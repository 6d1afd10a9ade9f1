"""Ground truth that is missing stops the stage prepare, or is told with every score."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_run import FakeRun, write_data, write_run
from folders import OUTPUTS, imagenet_s, prepare, save

from luss_core import io
from luss_core.config import PrepareConfig, ReportConfig, RowConfig, RowsConfig
from luss_core.data import find
from luss_core.data.files import list_files
from luss_core.data.images import read_images
from luss_core.data.masks import write_mask
from luss_core.data.outcome import LISTED
from luss_core.errors import UserError
from luss_core.report.comparison import ScoredRun
from luss_core.report.page import images
from luss_core.stages.ablation import ablation
from luss_core.stages.compare import compare
from luss_core.stages.report import report


def unlink(path: Path) -> None:
    path.unlink()


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def shrink(path: Path) -> None:
    write_mask(path, np.zeros((9, 9), np.uint16))


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        *(("validation", damage) for damage in (unlink, dangle, cut)),
        *(("validation-segmentation", damage) for damage in (unlink, dangle, cut, shrink)),
    ],
)
def test_no_image_of_a_split_with_truth_goes_missing_without_a_word(tmp_path, kind, damage):
    root, out = imagenet_s(tmp_path / "data"), tmp_path / "out"
    damage(next((root / kind / "dog").glob("1.*")))
    with pytest.raises(UserError) as error:
        prepare(PrepareConfig(), root=root, out=out, threads=1)
    for part in ("where there is ground truth (validation)", "prepare.allow_missing", "dog/1.", str(out / LISTED)):
        assert part in str(error.value)
    assert [path.name for path in out.iterdir()] == [LISTED]
    prepare(PrepareConfig(allow_missing=True), root=root, out=out, threads=1)
    summary = io.read_json(out / "summary.json")
    assert (summary["expected"]["validation"], summary["masks"]["validation"]) == (4, 3)


def test_images_without_ground_truth_may_be_rejected(tmp_path):
    """As test of ImageNet-S, whose masks are private, or photographs."""
    root, out = imagenet_s(tmp_path / "data"), tmp_path / "out"
    shutil.rmtree(root / "test-segmentation")
    cut(root / "test/cat/0.jpg")
    cut(root / "train/cat/0.jpg")
    prepare(PrepareConfig(max_rejected_fraction=0.2), root=root, out=out, threads=1)
    summary = io.read_json(out / "summary.json")
    assert summary["images"] == {"train": 5, "validation": 4, "test": 3}
    assert summary["expected"] == {"train": 6, "validation": 4, "test": 4}


def test_a_folder_of_masks_that_cannot_be_read_is_missed(tmp_path, monkeypatch):
    root = imagenet_s(tmp_path / "data")
    shutil.rmtree(root / "validation-segmentation")
    unreadable = "validation-segmentation", "folder cannot be read: Permission denied"
    monkeypatch.setattr(
        find, "list_files", lambda folder, **more: list_files(folder, **more)._replace(problems=[unreadable])
    )
    with pytest.raises(UserError, match="'validation-segmentation': folder cannot be read"):
        prepare(PrepareConfig(), root=root, out=tmp_path / "out", threads=1)


def test_two_images_of_one_name_and_one_mask_stop(tmp_path):
    root, out = imagenet_s(tmp_path / "data"), tmp_path / "out"
    save(root / "test/cat/0.png", 90, 120)
    with pytest.raises(UserError, match=r"cat/0.jpg and cat/0.png have the same name.*test-segmentation/cat/0.png"):
        prepare(PrepareConfig(), root=root, out=out, threads=1)
    shutil.copy(root / "test-segmentation/cat/0.png", root / "test-segmentation/cat/0.png.png")
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    images = read_images(out / "images.csv")
    masks = {images.path[row]: images.mask[row] for row in images.rows("test")}
    assert masks["test/cat/0.png"] == "test-segmentation/cat/0.png.png"
    assert masks["test/cat/0.jpg"] == "test-segmentation/cat/0.png"


def test_no_output_depends_on_the_number_of_classes(tmp_path):
    root = imagenet_s(tmp_path / "data")
    for classes in (2, 7):
        prepare(PrepareConfig(), root=root, out=tmp_path / str(classes), threads=1, classes=classes)
    for name in OUTPUTS:
        assert (tmp_path / "2" / name).read_bytes() == (tmp_path / "7" / name).read_bytes(), name


def test_pages_say_of_how_many_images_scores_are(tmp_path):
    fake = FakeRun(tmp_path, tmp_path / "swav" / "seed0", 3)
    write_data(fake)
    scores = write_run(fake)
    scores["splits"]["test"]["of"] = 11
    fake.arguments()["scores"].write_text(json.dumps(scores))
    runs = [ScoredRun("swav", 0, fake.run)]
    files = {"images": fake.images, "store": fake.store}
    report(ReportConfig(), **fake.arguments(), prior=None, out=tmp_path / "report.html", title="made up")
    compare(ReportConfig(), runs=runs, **files, out=tmp_path / "compare.html", table=tmp_path / "scores.csv")
    others = {"table": tmp_path / "s.csv", "table5": tmp_path / "table5.csv", "figure": tmp_path / "figure.svg"}
    rows = RowsConfig(rows=(RowConfig(name="swav"),))
    out = tmp_path / "ablation.html"
    ablation(ReportConfig(), common=runs, best=runs, rows=rows, **files, prior=None, out=out, **others)
    for page, sentence in (
        ("report", "test images (9 of 11)"),
        ("compare", "Test images (9 of 11), "),
        ("ablation", "Test: 9 of 11 images."),
    ):
        text = (tmp_path / f"{page}.html").read_text(encoding="utf-8")
        assert sentence in text
        assert "9 of 9" not in text
    assert images({"images": 1748, "of": 1752}) == "1,748 of 1,752"
