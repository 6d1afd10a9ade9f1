"""81 thresholds from one look at each image, against 81 evaluations from the start."""

import numpy as np
import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core.data.masks import at_threshold, resize_nearest
from luss_core.metrics.matching import identity
from luss_core.metrics.sweep import Sweep, level_histogram

Scored = list[tuple[np.ndarray, np.ndarray]]


def random_images(seed: int, count: int, classes: int) -> tuple[Scored, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    scored, truths = [], []
    for _ in range(count):
        shape = tuple(rng.integers(8, 25, 2))
        ids = resize_nearest(rng.integers(1, classes + 1, (2, 3)).astype(np.int32), *shape)
        scored.append((ids, rng.integers(0, 81, shape).astype(np.uint8)))
        truth = resize_nearest(rng.choice([0, 0, *range(1, classes + 1)], (3, 2)).astype(np.int32), *shape)
        truths.append(np.where(rng.random(shape) < 0.1, 1000, truth))
    return scored, truths


def sweep_of(scored: Scored, truths: list[np.ndarray], classes: int) -> Sweep:
    sweep = Sweep(classes)
    for (ids, bins), truth in zip(scored, truths, strict=True):
        sweep.add(level_histogram(ids, bins, truth))
    return sweep


@pytest.mark.parametrize("seed", [0, 1])
def test_curve_equals_an_evaluation_at_each_threshold(seed: int) -> None:
    scored, truths = random_images(seed, 5, 3)
    sweep = sweep_of(scored, truths, 3)
    wanted = official.threshold_curve(scored, truths, 3)
    # equal co-occurrences leave several best matchings, so the curve is compared under the reference's
    assert sweep.curve([match for match, _ in wanted]) == pytest.approx([miou for _, miou in wanted], abs=1e-9)
    own = sweep.matches()
    for level, (match, _) in enumerate(wanted):
        pairs = [(at_threshold(*image, level), truth) for image, truth in zip(scored, truths, strict=True)]
        together = official.co_occurrence(pairs, 3)
        reached = [sum(together[i - 1, m[i] - 1] for i in (1, 2, 3)) for m in (own[level], match)]
        assert reached[0] == reached[1]
    identical = [official.evaluate([(at_threshold(*s, k), t) for s, t in zip(scored, truths, strict=True)], 3)["mIoU"]
                 for k in range(0, 81, 8)]  # fmt: skip
    assert sweep.curve([identity(3)] * 81)[::8] == pytest.approx(identical, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 80))
def test_presence_at_a_threshold_comes_from_the_highest_score(seed: int, level: int) -> None:
    scored, truths = random_images(seed, 3, 4)
    pairs = [(at_threshold(*image, level), truth) for image, truth in zip(scored, truths, strict=True)]
    found = sweep_of(scored, truths, 4).together[level:].sum(axis=0)
    assert np.array_equal(found, official.co_occurrence(pairs, 4))


def test_histogram_of_one_image_is_written_out() -> None:
    histogram = level_histogram(
        np.array([[1, 1, 2, 2, 3]]), np.array([[0, 80, 5, 5, 7]], np.uint8), np.array([[0, 4, 4, 4, 1000]])
    )
    assert histogram.truth.tolist() == [0, 4]
    assert histogram.clusters.tolist() == [1, 2]  # 3 lies in the ignored pixel only
    wanted = np.zeros((2, 2, 81), int)
    wanted[0, 0, 0] = wanted[1, 0, 80] = 1
    wanted[1, 1, 5] = 2
    assert np.array_equal(histogram.pixels, wanted)


def test_ignored_images_leave_no_trace() -> None:
    sweep = Sweep(2)
    sweep.add(level_histogram(np.array([[1, 2]]), np.array([[3, 4]], np.uint8), np.array([[1000, 1000]])))
    assert not sweep.pixels.any()
    assert not sweep.together.any()
    assert sweep.curve(sweep.matches()) == [0.0] * 81
