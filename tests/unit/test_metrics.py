"""Counts and scores against the golden fixture, written-out cases, torchmetrics and invariants."""

import json
import math
from pathlib import Path

import numpy as np
import official
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_strategies import label_maps, mask_pairs
from torchmetrics.classification import MulticlassJaccardIndex

from luss_core.metrics.boundary import boundary, boundary_px
from luss_core.metrics.counts import (
    BOUNDARY,
    HIT,
    PREDICTED,
    RANGES,
    REGION,
    TRUTH,
    Counts,
    image_counts,
    size_range,
)
from luss_core.metrics.evaluation import match_images
from luss_core.metrics.joint import joint_histogram
from luss_core.metrics.matching import assign, identity
from luss_core.metrics.scores import scores

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "imagenet_s_fixture.json").read_text())
Pairs = list[tuple[np.ndarray, np.ndarray]]


def paint(rectangles: list[list[int]]) -> np.ndarray:
    ids = np.zeros((GOLDEN["height"], GOLDEN["width"]), np.int32)
    for top, bottom, left, right, value in rectangles:
        ids[top:bottom, left:right] = value
    return ids


def golden_pairs(clusters: dict[str, int] | None = None) -> Pairs:
    """Prediction and truth of the six images; predictions renamed if asked."""
    predictions = [paint(r) for r in GOLDEN["prediction"]]
    if clusters:
        predictions = [np.vectorize(lambda v: clusters[str(v)])(p) for p in predictions]
    return list(zip(predictions, [paint(r) for r in GOLDEN["truth"]], strict=True))


def total(pairs: Pairs, classes: int) -> Counts:
    counts = Counts.none(classes)
    for prediction, truth in pairs:
        counts = counts + image_counts(prediction, truth, classes)
    return counts


def matched(pairs: Pairs, classes: int) -> tuple[dict[int, int], Counts]:
    joints = [joint_histogram(*pair) for pair in pairs]
    match = match_images(joints, classes)
    renamed = np.array([match.get(i, 5000) for i in range(1001)])
    return match, total([(renamed[prediction], truth) for prediction, truth in pairs], classes)


def test_golden_counts() -> None:
    pairs = golden_pairs()
    areas = total(pairs, 4).areas[0]
    for kind, name in ((REGION, "areas"), (BOUNDARY, "boundary_areas")):
        for row, what in ((PREDICTED, "predicted"), (TRUTH, "truth"), (HIT, "hit")):
            assert areas[kind, row].tolist() == GOLDEN[name][what]
    single = [image_counts(*pair, 4) for pair in pairs]
    assert [c.correct for c in single] == GOLDEN["correct"]
    assert [c.f for c in single] == pytest.approx(GOLDEN["f"], abs=5e-7)


def test_golden_scores() -> None:
    found = scores(total(golden_pairs(), 4))
    for key, value in GOLDEN["scores"].items():
        assert found[key] == pytest.approx(value, abs=5e-5), key


def test_golden_matching() -> None:
    match, counts = matched(golden_pairs(GOLDEN["relabelled"]["clusters"]), 4)
    assert {str(k): v for k, v in match.items()} == GOLDEN["relabelled"]["match"]
    found = scores(counts)
    for key, value in GOLDEN["relabelled"]["scores"].items():
        assert found[key] == pytest.approx(value, abs=5e-5), key


def test_reference_agrees_with_the_golden_scores() -> None:
    found = official.evaluate(golden_pairs(), 4)
    for key, value in GOLDEN["scores"].items():
        if key != "BIoU":
            assert found[key] == pytest.approx(value, abs=5e-5), key


def test_boundary_width_is_three_percent_of_the_diagonal_with_halves_to_even() -> None:
    assert boundary_px(1, 1) == 1
    assert boundary_px(40, 50) == 2
    assert boundary_px(375, 500) == 19  # 18.75
    assert boundary_px(30, 40) == 2  # 1.5
    assert boundary_px(90, 120) == 4  # 4.5
    uniform = boundary(np.zeros((375, 500), int))
    assert uniform.sum() == 375 * 500 - (375 - 38) * (500 - 38)


def test_all_ignored_counts_nothing_but_the_image() -> None:
    counts = image_counts(np.full((30, 40), 2), np.full((30, 40), 1000), 3)
    assert not counts.areas.any()
    assert (counts.images, counts.correct, counts.f) == (1, 0, 0.0)
    found = scores(counts)
    assert (found["mIoU"], found["F"], found["img_acc"]) == (0, 0, 0)
    assert found["S"] is None
    assert found["mBIoU_L"] is None


def test_a_size_range_without_a_class_is_undefined_or_zero() -> None:
    truth = np.zeros((10, 10), int)
    truth[:6] = 1
    counts = image_counts(truth, truth, 2)
    assert [scores(counts)[name] for name in RANGES] == [None, None, None, pytest.approx(100)]
    zero = scores(counts, "zero")
    assert [zero[name] for name in RANGES] == [0, 0, 0, pytest.approx(200 / 3)]


def test_no_image_has_no_mean_over_images() -> None:
    found = scores(Counts.none(3))
    assert found["F"] is None
    assert found["img_acc"] is None


@pytest.mark.parametrize(
    ("area", "pixels", "size"),
    [(1, 10_000, "S"), (500, 10_000, "S"), (501, 10_000, "MS"), (2500, 10_000, "MS"), (2501, 10_000, "ML")]
    + [(5000, 10_000, "ML"), (5001, 10_000, "L"), (10_000, 10_000, "L"), (1, 20, "S"), (7, 140, "S"), (1, 1, "L")]
    + [(50_000_001, 10**9, "S")],  # float64 would say MS
)
def test_size_ranges_round_percent_up(area: int, pixels: int, size: str) -> None:
    assert RANGES[int(size_range(np.array([area]), pixels)[0])] == size == official.size_of(area, pixels)


def test_predictions_on_another_range_are_no_false_positives() -> None:
    """Class 1 is predicted on the large object 2 only: S looks at background and class 1, so it sees no mistake."""
    truth = np.zeros((20, 20), int)
    truth[0, :10] = 1  # 2.5 percent
    truth[5:20] = 2  # 75 percent
    prediction = np.where(truth == 2, 1, truth)
    found = scores(image_counts(prediction, truth, 2))
    assert found["S"] == pytest.approx(100)
    assert found["IoU"][1] == pytest.approx(100 * 10 / 310)
    assert found["L"] == pytest.approx(50)  # background right, class 2 never found


def test_largest_class_decides_image_accuracy_with_the_lowest_of_equals() -> None:
    truth = np.array([[2, 2, 0, 0]])
    assert image_counts(np.array([[2, 1, 0, 0]]), truth, 3).correct == 0  # 1 and 2 are equal: 1 counts
    assert image_counts(np.array([[2, 3, 0, 0]]), truth, 3).correct == 1
    assert image_counts(np.array([[0, 0, 0, 0]]), truth, 3).correct == 0
    assert image_counts(np.array([[2, 999, 999, 999]]), truth, 3).correct == 1  # ids above C are invisible


def test_f_is_written_out() -> None:
    prediction, truth = np.array([[1, 1, 1, 0, 0]]), np.array([[0, 2, 2, 2, 1000]])
    precision, recall = 2 / 3, 2 / 3
    assert image_counts(prediction, truth, 2).f == pytest.approx(
        1.3 * precision * recall / (0.3 * precision + recall), abs=1e-12
    )
    assert image_counts(np.zeros((1, 5), int), np.zeros((1, 5), int), 2).f == 0


@settings(max_examples=60, deadline=None)
@given(label_maps((40, 50), [0, 1, 2, 3, 1000]))
def test_truth_against_itself_is_perfect(truth: np.ndarray) -> None:
    found = scores(image_counts(truth, truth, 3))
    present = [c for c in range(4) if (truth == c).any()]
    assert [found["IoU"][c] for c in present] == pytest.approx([100] * len(present), abs=1e-7)
    assert found["mIoU"] == pytest.approx(100 * len(present) / 4, abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.lists(mask_pairs(4), min_size=2, max_size=4))
def test_counts_do_not_depend_on_the_order_of_images(pairs: Pairs) -> None:
    forth, back = total(pairs, 4), total(pairs[::-1], 4)
    assert np.array_equal(forth.areas, back.areas)
    assert (forth.images, forth.correct) == (back.images, back.correct)
    assert forth.f == pytest.approx(back.f)


@settings(max_examples=30, deadline=None)
@given(st.permutations([1, 2, 3, 4]), st.integers(0, 1000))
def test_relabelling_clusters_changes_no_matched_score(order: list[int], seed: int) -> None:
    """Truths with one class an image, so that the best matching is unique."""
    rng = np.random.default_rng(seed)
    truths = [np.where(rng.random((12, 14)) < 0.4, c, 0) for c in (1, 1, 2, 2, 3, 3, 4, 4)]
    predictions = [np.where(rng.random(t.shape) < 0.2, 0, t) for t in truths]
    names = np.array([0, *order])
    plain, renamed = (
        matched(list(zip(p, truths, strict=True)), 4) for p in (predictions, [names[p] for p in predictions])
    )
    assert scores(renamed[1]) == scores(plain[1])
    assert [renamed[0][int(names[c])] for c in range(5)] == [plain[0][c] for c in range(5)]


def test_miou_agrees_with_torchmetrics() -> None:
    rng = np.random.default_rng(3)
    pairs = [(rng.integers(0, 7, (30, 35)), rng.integers(0, 7, (30, 35))) for _ in range(5)]
    for _, truth in pairs:
        truth[rng.random(truth.shape) < 0.1] = 1000
    metric = MulticlassJaccardIndex(7, average="none", ignore_index=1000)
    for prediction, truth in pairs:
        metric.update(torch.from_numpy(prediction), torch.from_numpy(truth))
    assert scores(total(pairs, 6))["IoU"] == pytest.approx((100 * metric.compute()).tolist(), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.lists(label_maps((40, 50), [0, 0, 1, 2, 3, 4, 1000]), min_size=1, max_size=5))
def test_truth_as_prediction_counts_classes_present_in_each_range(truths: list[np.ndarray]) -> None:
    """The upper bounds of the zero-filled size scores: how many of the C + 1 classes a range ever holds."""
    holders: dict[str, set[int]] = {name: set() for name in RANGES}
    for truth in truths:
        kept = truth[truth != 1000]
        for c in set(kept.tolist()) - {0}:
            share = math.ceil(100 * (kept == c).sum() / kept.size)
            size = RANGES[sum(share > limit for limit in (5, 25, 50))]
            holders[size] |= {c} | ({0} if (kept == 0).any() else set())
    found = scores(total([(t, t) for t in truths], 4), "zero")
    for name in RANGES:
        assert found[name] == pytest.approx(100 * len(holders[name]) / 5, abs=1e-7)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        image_counts(np.zeros((2, 3), int), np.zeros((3, 2), int), 1)


def test_assignment_is_one_to_one_even_without_any_co_occurrence() -> None:
    assert assign(np.zeros((3, 3), np.int64)) == identity(3)
    together = np.array([[0, 9, 1], [2, 8, 0], [5, 0, 4]])
    assert assign(together) == {0: 0, 1: 2, 2: 1, 3: 3}
