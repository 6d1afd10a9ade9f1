"""Which categories of two runs mean the same, against all ways to pair them, and where the runs disagree."""

from itertools import permutations

import numpy as np
import pytest

from luss_core.metrics.agreement import (
    by_class,
    disagreement,
    mean_disagreement,
    partners,
    shared,
    summed,
    weighed,
)


def test_what_two_masks_share():
    one = np.array([[0, 0, 1], [2, 2, 1000]])
    other = np.array([[0, 3, 3], [3, 0, 1]])
    assert shared(one, other).tolist() == [[0, 0, 1], [0, 3, 1], [1, 3, 1], [2, 0, 1], [2, 3, 1]]


def test_an_image_weighs_the_same_whatever_its_size():
    pairs = np.array([[0, 0, 900], [1, 2, 30], [0, 2, 10]])
    assert weighed(pairs).tolist() == [[1, 2, 7500], [0, 2, 2500]]
    assert weighed(pairs[:1]).shape == (0, 3)


def test_partners_have_the_most_in_common():
    rng = np.random.default_rng(3)
    together = rng.integers(1, 100, (5, 5))
    images = [np.array([[i + 1, j + 1, together[i, j]]]) for i in range(5) for j in range(5)]
    best = max(permutations(range(5)), key=lambda order: sum(together[i, order[i]] for i in range(5)))
    assert partners(images, 5, 5).tolist() == [0, *(j + 1 for j in best)]
    assert partners([summed(images)], 5, 5).tolist() == [0, *(j + 1 for j in best)]


@pytest.mark.parametrize(("first", "second", "expected"), [(3, 2, [0, 2, 0, 0]), (1, 4, [0, 2]), (2, 2, [0, 2, 0])])
def test_what_never_meets_has_no_partner(first: int, second: int, expected: list[int]):
    assert partners([np.array([[1, 2, 5], [0, 1, 9]])], first, second).tolist() == expected
    assert partners([np.empty((0, 3), np.int64)], first, second).tolist() == [0] * (first + 1)


def test_categories_of_one_class_are_partners():
    first, second = {"0": 0, "1": 3, "2": 1, "3": 1000}, {"0": 0, "1": 1, "2": 2, "3": 3, "4": 1000}
    assert by_class(first, second, (3, 4)).tolist() == [0, 3, 1, 0]


def test_disagreement_is_of_what_either_finds():
    partner = np.array([0, 2, 1])
    pairs = np.array([[1, 2, 6000], [2, 2, 1000], [0, 1, 1000], [2, 1, 2000]])
    assert disagreement(pairs, partner) == pytest.approx(0.2)
    assert disagreement(np.empty((0, 3), np.int64), partner) == 0
    assert disagreement(np.array([[1, 0, 10000]]), np.array([0, 0])) == 1  # no partner is not background
    assert mean_disagreement([[0.5, 0], [0.25, 1]]) == [0.375, 0.5]
