"""Counts and scores against the golden fixture, the literal reference, other libraries and invariants."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassJaccardIndex

from luss_core.data.masks import resize_nearest
from luss_core.metrics.boundary import boundaries, boundary, boundary_px
from luss_core.metrics.counts import (
    BOUNDARY,
    HIT,
    PREDICTED,
    RANGES,
    REGION,
    TRUTH,
    Counts,
    counts_of,
    image_counts,
    size_range,
)
from luss_core.metrics.evaluation import match_images
from luss_core.metrics.joint import joint_histogram
from luss_core.metrics.matching import assign, identity, matched_ids, presence
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


@st.composite
def label_maps(draw: st.DrawFn, shape: tuple[int, int], ids: list[int]) -> np.ndarray:
    """Blocks of ids, some with single pixels changed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pool = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=6))
    coarse = rng.choice(pool, (draw(st.integers(1, 6)), draw(st.integers(1, 6))))
    result = resize_nearest(coarse.astype(np.int32), *shape)
    noise = rng.random(shape) < draw(st.sampled_from([0.0, 0.0, 0.02, 0.5]))
    return np.where(noise, rng.choice(pool, shape), result).astype(np.int32)


@st.composite
def mask_pairs(draw: st.DrawFn, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth with ignored regions and ids above the number of classes in both."""
    shape = draw(st.sampled_from([(1, 1), (1, 9), (2, 2), (3, 3), (7, 5), (20, 31), (40, 50), (61, 90), (90, 64)]))
    everything = [*range(classes + 1), classes + 1, 999, 1000]
    return draw(label_maps(shape, everything)), draw(label_maps(shape, [*everything, 0, 1, 2, 1000]))


def assert_same_counts(found: Counts, wanted: dict[str, Any]) -> None:
    for place, name in enumerate(("all", *RANGES)):
        for kind, suffix in ((REGION, ""), (BOUNDARY, "_edge")):
            expected = wanted.get(name + suffix, np.zeros_like(found.areas[place, kind]))
            assert np.array_equal(found.areas[place, kind], expected), (name, suffix)
    assert found.correct == wanted["correct"]
    assert found.f == pytest.approx(wanted["f"], abs=1e-12)


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


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([1, 2, 5, 60]).flatmap(lambda c: st.tuples(st.just(c), mask_pairs(c))))
def test_counts_equal_the_literal_loops(case: tuple[int, tuple[np.ndarray, np.ndarray]]) -> None:
    classes, (prediction, truth) = case
    assert_same_counts(image_counts(prediction, truth, classes), official.count_image(prediction, truth, classes))


@settings(max_examples=60, deadline=None)
@given(mask_pairs(4), st.lists(st.integers(0, 4), min_size=5, max_size=5))
def test_matched_counts_equal_the_literal_loops(pair: tuple[np.ndarray, np.ndarray], names: list[int]) -> None:
    """Also where several ids get one name: boundaries stay those of the regions as predicted."""
    prediction, truth = np.where(pair[0] > 4, 0, pair[0]), pair[1]
    match = dict(enumerate(names))
    joint = joint_histogram(prediction, truth)
    found = counts_of(joint.renamed(matched_ids(joint.predicted, match)), 4)
    assert_same_counts(found, official.count_image(prediction, truth, 4, match))


@settings(max_examples=30, deadline=None)
@given(st.lists(mask_pairs(5), min_size=1, max_size=4), st.sampled_from(["skip", "zero"]))
def test_scores_equal_the_literal_loops(pairs: Pairs, absent: Any) -> None:
    found, wanted = scores(total(pairs, 5), absent), official.evaluate(pairs, 5, absent=absent)
    for key, value in wanted.items():
        assert found[key] == (None if value is None else pytest.approx(value, abs=1e-9)), key


@settings(max_examples=60, deadline=None)
@given(st.lists(mask_pairs(5), min_size=1, max_size=5))
def test_matching_counts_images_that_hold_both(pairs: Pairs) -> None:
    together = np.zeros((5, 5), int)
    for pair in pairs:
        clusters, classes = presence(joint_histogram(*pair), 5)
        together[np.ix_(clusters - 1, classes - 1)] += 1
    wanted = official.co_occurrence(pairs, 5)
    assert np.array_equal(together, wanted)
    match = match_images([joint_histogram(*pair) for pair in pairs], 5)
    best = official.match_pairs(pairs, 5)
    assert sorted(match.values()) == list(range(6))
    assert match[0] == 0
    reached = [sum(wanted[i - 1, m[i] - 1] for i in range(1, 6)) for m in (match, best)]
    assert reached[0] == reached[1]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_boundaries_equal_erosion_of_each_region(data: st.DataObject) -> None:
    """Shapes around 2 d + 1, where the first interior pixel appears, and several maps at once."""
    shape = data.draw(st.sampled_from([(1, 1), (2, 3), (3, 3), (4, 40), (45, 45), (90, 95), (7, 200), (120, 160)]))
    maps = [data.draw(label_maps(shape, [0, 1, 2, 1000])) for _ in range(3)]
    packed = boundaries(*maps)
    for bit, labels in enumerate(maps):
        wanted = official.boundary_map(labels) > 0
        assert np.array_equal(boundary(labels), wanted)
        assert np.array_equal((packed >> bit & 1).astype(bool), wanted)


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
