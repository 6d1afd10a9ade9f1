"""Where two views show the same place: painted coordinates must agree."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core.config import CropConfig, ViewsConfig
from luss_core.data.overlap import overlap_grids, overlapping, sample
from luss_core.data.views import Key, ViewParameters, sample_views
from tests.unit.placed import placed

HEIGHT, WIDTH = 90, 120


def painted(view: ViewParameters, size: int) -> torch.Tensor:
    """(B, 2, size, size) y and x of the middle of every pixel of the view, as fractions of the image, exactly."""
    out = []
    middles = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    for (top, left, height, width), flip in zip(view.box, view.flip, strict=True):
        y, x = top + height * middles, left + width * middles
        x = x.flip(0) if flip else x
        out.append(torch.stack(torch.meshgrid(y, x, indexing="ij")))
    return torch.stack(out)


def views(seed: int, count: int = 32, scale: tuple[float, float] = (0.2, 1.0)) -> list[ViewParameters]:
    cfg = ViewsConfig(crops=(CropConfig(count=2, size=48, scale=scale),))
    shapes = np.tile([HEIGHT, WIDTH], (count, 1))
    return sample_views(cfg, seed, [Key(0, row) for row in range(count)], shapes)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3, 7, 14]))
def test_painted_coordinates_agree_in_both_views(seed, side):
    first, second = views(seed)
    (one, two), overlaps = overlap_grids(first, second, side), overlapping(first, second)
    assert overlaps.any()
    a, b = (sample(painted(v, 48), grid)[overlaps] for v, grid in ((first, one), (second, two)))
    # A place within half a pixel of the border of a view takes the border's value.
    inside = ((one.abs() < 1 - 1 / 48) & (two.abs() < 1 - 1 / 48)).all(dim=3).flatten(1)[overlaps]
    assert inside.any()
    assert (a - b)[inside].abs().max() < 1e-3


def test_places_are_the_cells_of_the_shared_rectangle():
    first = placed([[0.0, 0.0, 0.5, 0.5]], [False])
    second = placed([[0.25, 0.25, 0.75, 0.75]], [True])
    one, two = overlap_grids(first, second, 2)
    # Shared: 0.25..0.5 in both directions; cell middles at 0.3125 and 0.4375.
    expected = 2 * np.array([0.3125, 0.4375]) / 0.5 - 1
    np.testing.assert_allclose(one[0, :, 0, 1], expected, atol=1e-6)
    np.testing.assert_allclose(one[0, 0, :, 0], expected, atol=1e-6)
    within = 2 * (np.array([0.3125, 0.4375]) - 0.25) / 0.75 - 1
    np.testing.assert_allclose(two[0, :, 0, 1], within, atol=1e-6)
    np.testing.assert_allclose(two[0, 0, :, 0], -within, atol=1e-6)
    assert overlapping(first, second).tolist() == [True]


@pytest.mark.parametrize(
    ("box", "overlaps"),
    [
        ([0.6, 0.6, 0.4, 0.4], False),  # apart
        ([0.45, 0.45, 0.5, 0.5], False),  # 0.05 x 0.05 shared, exactly a hundredth of the larger crop is 0.0025
        ([0.44, 0.44, 0.5, 0.5], True),
        ([0.0, 0.0, 1.0, 1.0], True),
        ([0.0, 0.5, 0.5, 0.5], False),  # they touch
    ],
)
def test_less_than_a_hundredth_of_either_crop_is_no_overlap(box, overlaps):
    first = placed([[0.0, 0.0, 0.499, 0.499]], [False])
    assert overlapping(first, placed([box], [False])).tolist() == [overlaps]
