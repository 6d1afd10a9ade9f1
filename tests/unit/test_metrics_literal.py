"""Counts, matching and boundaries equal the literal loops of tests/unit/official.py on random masks."""

from typing import Any

import numpy as np
import official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_strategies import label_maps, mask_pairs

from luss_core.metrics.boundary import boundaries, boundary
from luss_core.metrics.counts import BOUNDARY, RANGES, REGION, Counts, counts_of, image_counts
from luss_core.metrics.evaluation import match_images
from luss_core.metrics.joint import joint_histogram
from luss_core.metrics.matching import matched_ids, presence
from luss_core.metrics.scores import scores

Pairs = list[tuple[np.ndarray, np.ndarray]]


def assert_same_counts(found: Counts, wanted: dict[str, Any]) -> None:
    for place, name in enumerate(("all", *RANGES)):
        for kind, suffix in ((REGION, ""), (BOUNDARY, "_edge")):
            expected = wanted.get(name + suffix, np.zeros_like(found.areas[place, kind]))
            assert np.array_equal(found.areas[place, kind], expected), (name, suffix)
    assert found.correct == wanted["correct"]
    assert found.f == pytest.approx(wanted["f"], abs=1e-12)


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
    found, wanted = (
        scores(sum((image_counts(*pair, 5) for pair in pairs), Counts.none(5)), absent),
        official.evaluate(pairs, 5, absent=absent),
    )
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
