"""view-cos and cat-cos against their definitions written out in float64, and what must hold for any embeddings."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from luss_core.data.masks import IGNORE
from luss_core.metrics.consistency import CategorySums, view_cosines
from tests.unit.placed import placed

Box = tuple[float, float, float, float]


def bilinear(z: np.ndarray, y: float, x: float) -> np.ndarray:
    """(D, h, w) at a fraction of height and width; the value of a cell is that of its middle, the border is kept."""
    height, width = z.shape[1:]
    row, column = min(max(y * height - 0.5, 0), height - 1), min(max(x * width - 0.5, 0), width - 1)
    top, left = math.floor(row), math.floor(column)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    above = z[:, top, left] * (1 - column + left) + z[:, top, right] * (column - left)
    below = z[:, bottom, left] * (1 - column + left) + z[:, bottom, right] * (column - left)
    return above * (1 - row + top) + below * (row - top)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))


def written_out(maps: tuple[np.ndarray, np.ndarray], boxes: tuple[Box, Box], flips: tuple[bool, bool], side: int):
    """The cosines of one pair of views."""
    top, left = (max(boxes[0][k], boxes[1][k]) for k in (0, 1))
    bottom, right = (min(b[k] + b[k + 2] for b in boxes) for k in (0, 1))
    found = []
    for i in range(side):
        for j in range(side):
            y, x = top + (i + 0.5) / side * (bottom - top), left + (j + 0.5) / side * (right - left)
            seen = []
            for z, box, flip in zip(maps, boxes, flips, strict=True):
                v, u = (y - box[0]) / box[2], (x - box[1]) / box[3]
                seen.append(bilinear(z, v, 1 - u if flip else u))
            found.append(cosine(*seen))
    return found


def test_view_cosines_are_their_definition() -> None:
    rng = np.random.default_rng(0)
    boxes: list[tuple[Box, Box]] = [
        ((0.0, 0.0, 0.6, 0.5), (0.2, 0.1, 0.7, 0.8)),
        ((0.0, 0.0, 0.3, 0.3), (0.5, 0.5, 0.4, 0.4)),  # no overlap
        ((0.1, 0.3, 0.8, 0.6), (0.0, 0.2, 0.5, 0.5)),
    ]
    flips = [(False, True), (True, False), (True, True)]
    maps = rng.normal(size=(3, 2, 5, 6, 4))
    found = view_cosines(
        (torch.from_numpy(maps[:, 0]).float(), torch.from_numpy(maps[:, 1]).float()),
        (placed([b[0] for b in boxes], [f[0] for f in flips]), placed([b[1] for b in boxes], [f[1] for f in flips])),
        3,
    )
    wanted = [written_out((maps[k, 0], maps[k, 1]), boxes[k], flips[k], 3) for k in (0, 2)]
    assert found.shape == (2, 9)
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)


sides = st.floats(0.3, 1).flatmap(lambda size: st.tuples(st.floats(0, 1 - size), st.just(size)))
boxes = st.tuples(sides, sides).map(lambda s: (s[0][0], s[1][0], s[0][1], s[1][1]))


@given(boxes, st.booleans(), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_view_agrees_with_itself_and_with_its_mirror_image(box: Box, flip: bool, seed: int) -> None:
    z = torch.randn(1, 4, 5, 5, generator=torch.Generator().manual_seed(seed))
    same, mirrored = placed([box], [flip]), placed([box], [not flip])
    torch.testing.assert_close(view_cosines((z, z), (same, same), 4), torch.ones(1, 16))
    torch.testing.assert_close(view_cosines((z, z.flip(-1)), (same, mirrored), 4), torch.ones(1, 16))
    assert view_cosines((z, z), (same, mirrored), 4).min() < 0.999


def painted(box: Box, flip: bool, cells: int) -> Tensor:
    """The map of a network that answers with the place in the image."""
    middle = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    y, x = box[0] + middle * box[2], box[1] + (middle.flip(0) if flip else middle) * box[3]
    place = torch.stack([y[:, None].expand(cells, cells), x[None].expand(cells, cells)])
    return torch.cat([torch.sin(9 * place), torch.cos(9 * place)])[None].float()


@given(boxes, boxes, st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_same_place_is_found_in_any_two_views(first: Box, second: Box, flip: bool, other: bool) -> None:
    maps = painted(first, flip, 96), painted(second, other, 96)
    cosines = view_cosines(maps, (placed([first], [flip]), placed([second], [other])), 5)
    assert cosines.shape[0] in (0, 1)
    assert (cosines > 1 - 2e-3).all()


@given(st.integers(0, 999), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_view_cosines_are_in_range_and_know_no_scale(seed: int, scale: float) -> None:
    z = torch.randn(2, 3, 6, 4, 4, generator=torch.Generator().manual_seed(seed))
    where = placed([(0.0, 0.0, 0.8, 0.8)] * 3, [False] * 3), placed([(0.1, 0.2, 0.9, 0.8)] * 3, [True] * 3)
    found = view_cosines((z[0], z[1]), where, 3)
    assert found.abs().max() <= 1 + 1e-6
    torch.testing.assert_close(view_cosines((scale * z[0], z[1]), where, 3), found, atol=1e-5, rtol=1e-4)


def category_cosines(images: list[tuple[np.ndarray, np.ndarray]], categories: int) -> list[float]:
    """The mean cosine of the pixels of each category to their mean embedding, in two looks."""
    found = []
    for category in range(1, categories + 1):
        units = [
            z[:, i, j] / math.sqrt(z[:, i, j] @ z[:, i, j])
            for z, ids in images
            for i, j in zip(*np.nonzero(ids == category), strict=True)
        ]
        if units:
            mean = sum(units) / len(units)
            found.append(sum(cosine(u, mean) for u in units) / len(units))
    return found


def random_images(seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    shapes = rng.integers(1, 6, (4, 2))
    return [(rng.normal(size=(3, *s)), rng.choice([0, 1, 2, 4, IGNORE], size=s)) for s in shapes]


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_category_cosines_are_their_definition(seed: int) -> None:
    images = random_images(seed)
    sums = CategorySums(4, 3)
    for z, ids in images:
        sums.add(torch.from_numpy(z), torch.from_numpy(ids))
    wanted = category_cosines(images, 4)
    np.testing.assert_allclose(sums.cosines().numpy(), wanted, atol=1e-12)
    assert (sums.cosines() <= 1 + 1e-12).all()
    assert sums.cosine() == (pytest.approx(np.mean(wanted), abs=1e-12) if wanted else None)
    assert int(sums.pixels.sum()) == sum(int(np.isin(ids, (1, 2, 4)).sum()) for _, ids in images)


def test_alike_pixels_have_cosine_one_and_opposite_ones_none() -> None:
    direction = torch.tensor([3.0, -4.0])[:, None, None]
    sums = CategorySums(2, 2)
    sums.add(direction * torch.tensor([[1.0, 2.0, 0.1]]), torch.ones(1, 3, dtype=torch.int32))
    assert sums.cosine() == pytest.approx(1, abs=1e-6)
    sums.add(direction * torch.tensor([[1.0, -2.0]]), torch.full((1, 2), 2))
    assert sums.cosines().tolist() == pytest.approx([1, 0], abs=1e-6)
    assert sums.cosine() == pytest.approx(0.5, abs=1e-6)


def test_without_categories_there_is_none() -> None:
    sums = CategorySums(3, 2)
    sums.add(torch.ones(2, 2, 2), torch.tensor([[0, IGNORE], [4, 0]]))
    assert sums.cosine() is None
