"""Agreement of cluster labels with known labels."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luss_core.metrics.clustering import clustering_accuracy, nmi

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=40)


def entropy(*columns: list[int]) -> float:
    joined = list(zip(*columns, strict=True))
    shares = [joined.count(value) / len(joined) for value in set(joined)]
    return -sum(share * math.log(share) for share in shares)


@given(LABELS)
def test_nmi_is_mutual_information_over_the_mean_entropy(pairs: list[tuple[int, int]]) -> None:
    labels, truth = ([pair[i] for pair in pairs] for i in range(2))
    mean = (entropy(labels) + entropy(truth)) / 2
    mutual = entropy(labels) + entropy(truth) - entropy(labels, truth)
    assert nmi(labels, truth) == pytest.approx(100 * mutual / mean if mean > 0 else 100, abs=1e-6)


def test_equal_partitions_and_no_partition() -> None:
    assert nmi([5, 5, 1, 1], ["cat", "cat", "dog", "dog"]) == pytest.approx(100)
    assert clustering_accuracy([5, 5, 1, 1], ["cat", "cat", "dog", "dog"]) == 100
    assert nmi([0, 0, 0, 0], [0, 0, 1, 1]) == 0
    assert clustering_accuracy([0, 0, 0, 0], [0, 0, 1, 1]) == 50


def test_accuracy_uses_each_cluster_once() -> None:
    labels, truth = [0, 0, 0, 1, 1, 2], [7, 7, 8, 8, 7, 8]
    # cluster 0 -> 7 (2 images), cluster 1 or 2 -> 8 (1 image); a majority vote would give 4 of 6
    assert clustering_accuracy(labels, truth) == pytest.approx(100 * 3 / 6)


@given(LABELS, st.permutations(range(4)))
def test_names_of_clusters_do_not_matter(pairs: list[tuple[int, int]], order: list[int]) -> None:
    labels, truth = (np.array([pair[i] for pair in pairs]) for i in range(2))
    renamed = np.array(order)[labels]
    assert nmi(renamed, truth) == pytest.approx(nmi(labels, truth))
    assert clustering_accuracy(renamed, truth) == pytest.approx(clustering_accuracy(labels, truth))
