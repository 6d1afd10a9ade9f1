"""Classes that do not occur in the truth are said, and a mean without them stands beside the official one."""

from pathlib import Path

import numpy as np
import pytest

from luss_core.data.masks import write_mask
from luss_core.metrics import command
from luss_core.metrics.absent import absence
from luss_core.metrics.counts import Counts, image_counts
from luss_core.metrics.scores import scores


def perfect(classes: int, occurring: tuple[int, ...], other: bool = True) -> dict[str, object]:
    """Scores of a perfect prediction of images with one class each."""
    counts = Counts.none(classes)
    for label in occurring:
        truth = np.full((20, 30), label, np.int32)
        truth[:, :12] = 0 if other else label
        counts = counts + image_counts(truth, truth, classes)
    return scores(counts)


def test_the_mean_of_what_occurs_stands_beside_the_official_one() -> None:
    found = perfect(12, (2, 5, 9))
    assert found["mIoU"] == pytest.approx(100 * 4 / 13, abs=1e-6)  # other and three classes
    assert found["mIoU_present"] == pytest.approx(100, abs=1e-6)
    assert found["mBIoU_present"] == pytest.approx(100, abs=1e-6)
    assert found["absent_classes"] == [1, 3, 4, 6, 7, 8, 10, 11, 12]
    assert absence(found) == (
        "9 of 12 classes do not occur in the truth and count 0 in the mean: 1, 3, 4, 6, 7, 8, 10, 11 and 1 more."
        " Over the 4 that occur, other included, mIoU is 100.00"
    )


def test_a_class_that_is_found_where_it_is_not_counts_in_no_mean_of_what_occurs() -> None:
    truth, found = np.zeros((10, 10), np.int32), np.zeros((10, 10), np.int32)
    truth[:, 5:], found[:, 5:], found[:, :2] = 1, 1, 2
    values = scores(image_counts(found, truth, 2))
    assert values["mIoU_present"] == pytest.approx((60 + 100) / 2)
    assert values["mIoU"] == pytest.approx((60 + 100 + 0) / 3)
    assert values["absent_classes"] == [2]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (perfect(2, (1, 2)), None),
        (
            perfect(2, (1,)),
            "1 of 2 classes does not occur in the truth and counts 0 in the mean: dog. Over the 2 that occur, other"
            " included, mIoU is 100.00",
        ),
        (
            perfect(1, (0,)),
            "1 of 1 class does not occur in the truth and counts 0 in the mean: cat. Over the one that occurs, mIoU is"
            " 100.00",
        ),
        (
            perfect(2, (1, 2), other=False),
            "other does not occur in the truth and counts 0 in the mean. Over the 2 that occur, mIoU is 100.00",
        ),
        (
            perfect(2, (1,), other=False),
            "1 of 2 classes does not occur in the truth and counts 0 in the mean: dog; nor does other. Over the one"
            " that occurs, mIoU is 100.00",
        ),
        (
            scores(Counts.none(2)),
            "2 of 2 classes do not occur in the truth and count 0 in the mean: cat, dog; nor does other",
        ),
    ],
)
def test_what_is_said(found: dict[str, object], text: str | None) -> None:
    assert absence(found, ["other", "cat", "dog"]) == text


def test_the_command_says_it_below_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = np.zeros((20, 20), np.int32)
    mask[5:, 5:] = 3
    for kind in ("prediction", "truth"):
        write_mask(tmp_path / kind / "a.png", mask)
    folders = ["--prediction", str(tmp_path / "prediction"), "--truth", str(tmp_path / "truth"), "--threads", "1"]
    command.main([*folders, "--classes", "4", "--match", "identity"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.split()[:1] in (["mean"], ["present"])] == [
        ["mean", "40.00", "40.00"],
        ["present", "100.00", "100.00"],
    ]
    assert lines[-1] == (
        "3 of 4 classes do not occur in the truth and count 0 in the mean: 1, 2, 4. Over the 2 that occur, other"
        " included, mIoU is 100.00."
    )
    command.main([*folders, "--classes", "3", "--match", "identity", "--json"])
    assert '"absent_classes": [1, 2]' in capsys.readouterr().out
