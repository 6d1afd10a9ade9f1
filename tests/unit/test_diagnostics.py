"""Measures of features by their definitions, and by scikit-learn; the sample that is looked at."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from luss_core.metrics.diagnostics import (
    NEIGHBOURS,
    TEMPERATURE,
    cluster_use,
    deviation,
    effective_rank,
    largest_share,
    nearest_neighbours,
    unit,
)
from luss_core.train.diagnostics import CATEGORIES, LEAST, MOST, chosen


def vectors(count: int = 60, width: int = 7, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


def test_deviation_by_its_definition() -> None:
    rows = [[x / math.hypot(*row) for x in row] for row in vectors().tolist()]
    columns = list(zip(*rows, strict=True))
    means = [sum(column) / 60 for column in columns]
    deviations = [math.sqrt(sum((x - m) ** 2 for x in c) / 60) for c, m in zip(columns, means, strict=True)]
    assert deviation(unit(vectors())) == pytest.approx(sum(deviations) / 7 * math.sqrt(7), abs=1e-12)


def test_deviation_is_one_over_the_sphere_and_zero_in_a_point() -> None:
    directions = torch.eye(5).repeat(2, 1) * torch.tensor([3.0] * 5 + [-1.0] * 5)[:, None]
    assert deviation(unit(directions)) == pytest.approx(1, abs=1e-12)
    assert deviation(unit(torch.ones(9, 4))) == pytest.approx(0, abs=1e-12)
    assert deviation(unit(torch.zeros(9, 4))) == 0


def test_effective_rank_by_its_definition() -> None:
    values = np.linalg.svd(vectors().numpy(), compute_uv=False)
    shares = values / values.sum()
    assert effective_rank(vectors()) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), abs=1e-10)


def test_effective_rank_of_what_is_known() -> None:
    assert effective_rank(torch.eye(6)) == pytest.approx(6, abs=1e-12)
    assert effective_rank(torch.ones(6, 3)) == pytest.approx(1, abs=1e-6)
    assert effective_rank(torch.zeros(6, 3)) == 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_use_of_clusters_by_its_definition(labels: list[int]) -> None:
    shares = [labels.count(k) / len(labels) for k in set(labels)]
    perplexity = math.exp(-sum(p * math.log(p) for p in shares))
    found = cluster_use(torch.tensor(labels), 5)
    assert found == pytest.approx(perplexity / min(5, len(labels)), abs=1e-12)
    assert 0 < found < 1 + 1e-12


def test_neighbours_vote_as_in_scikit_learn() -> None:
    label = torch.arange(60) % 3
    units = unit(vectors() + 0.8 * torch.nn.functional.one_hot(label, 7))
    right = 0
    for i in range(60):
        others = np.arange(60) != i
        votes = KNeighborsClassifier(
            NEIGHBOURS, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / TEMPERATURE)
        ).fit(units.numpy()[others], label.numpy()[others])
        right += int(votes.predict(units.numpy()[i : i + 1])[0] == label[i])
    assert 20 < right < 60
    assert nearest_neighbours(units, label) == pytest.approx(right / 60, abs=1e-12)


def test_neighbours_of_few_images_and_of_equal_ones() -> None:
    label = torch.tensor([0, 0, 1, 1])
    assert nearest_neighbours(unit(torch.eye(2)[label]), label) == 1
    assert nearest_neighbours(unit(torch.ones(40, 3)), torch.arange(40) % 4) <= 0.25
    assert largest_share(torch.tensor([0, 1, 1, 2, 1])) == 0.6


@pytest.mark.parametrize(
    ("count", "expected"), [(40, 40), (300, LEAST), (1000, 250), (5000, MOST), (1_300_000, MOST), (1, 1)]
)
def test_the_sample_is_bounded_and_the_same_each_time(count: int, expected: int) -> None:
    positions, none = chosen(count, None, seed=3)
    assert none is None
    assert len(positions) == expected
    assert (np.diff(positions) > 0).all()
    assert positions.max() < count
    assert np.array_equal(positions, chosen(count, None, seed=3)[0])
    assert count < LEAST or not np.array_equal(positions, chosen(count, None, seed=4)[0])


def test_of_many_categories_some_are_drawn_so_that_images_have_neighbours() -> None:
    category = np.repeat(np.arange(900), 100)
    positions, label = chosen(len(category), category, seed=0)
    assert label is not None
    assert len(positions) == len(label) == MOST
    assert len(np.unique(category[positions])) == CATEGORIES == int(label.max()) + 1
    names = np.unique(category[positions])
    assert np.array_equal(names[label.numpy()], category[positions])


def test_one_category_is_none() -> None:
    assert chosen(50, np.zeros(50, np.int64), seed=0)[1] is None
