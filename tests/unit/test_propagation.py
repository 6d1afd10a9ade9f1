"""What PixPro compares, against what its paper writes, pair by pair in float64."""

import math

import pytest
import torch
import torch.nn.functional as F

from luss_core.config import CropConfig, ViewsConfig
from luss_core.data.loader import Key
from luss_core.data.overlap import cell_diagonal, cells
from luss_core.data.views import ViewParameters, sample_views
from luss_core.losses import propagation
from luss_core.losses.propagation import pixel_consistency, propagate


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def two_views() -> list[ViewParameters]:
    """Of six images, some flipped."""
    cfg = ViewsConfig(crops=(CropConfig(count=2, size=24, scale=(0.1, 1)),))
    views = sample_views(cfg, 0, [Key(0, row) for row in range(6)], torch.tensor([[30, 34]] * 6).numpy())
    assert 0 < sum(int(view.flip.sum()) for view in views) < 12
    return views


def middle(view: ViewParameters, image: int, row: int, column: int, height: int, width: int) -> tuple[float, float]:
    """y and x of a cell in the image, as fractions of it."""
    top, left, h, w = view.box[image].tolist()
    across = (column + 0.5) / width
    return top + (row + 0.5) / height * h, left + (1 - across if view.flip[image] else across) * w


def test_cells_lie_where_their_pixels_come_from():
    for view in two_views():
        found = cells(view, 2, 3)
        for image in range(6):
            expected = [middle(view, image, row, column, 2, 3) for row in range(2) for column in range(3)]
            torch.testing.assert_close(found[image], torch.tensor(expected, dtype=found.dtype))


def test_propagation_mixes_what_is_alike():
    """Eq. 3 and 4."""
    maps, values = draw(2, 5, 2, 3).double(), draw(2, 5, 2, 3, seed=1).double()
    found = propagate(maps, values, 2).flatten(2)
    for b in range(2):
        x, v = (m[b].flatten(1).t() for m in (maps, values))
        for i in range(6):
            alike = [max(float(x[i] @ x[j] / (x[i].norm() * x[j].norm())), 0) ** 2 for j in range(6)]
            expected = sum(s * v[j] / v[j].norm() for j, s in enumerate(alike))
            torch.testing.assert_close(found[b, :, i].double(), expected, rtol=1e-5, atol=1e-5)


def consistency(scale: float = 0.7) -> tuple[torch.Tensor, torch.Tensor]:
    """What is found and what the definition says, for each image; maps of 3 x 4."""
    y, x, (one, two) = draw(6, 5, 3, 4), draw(6, 5, 3, 4, seed=1), two_views()
    reach = scale * torch.maximum(cell_diagonal(one, 3, 4), cell_diagonal(two, 3, 4))
    found = pixel_consistency(y, x, cells(one, 3, 4), cells(two, 3, 4), reach)
    expected = []
    for b in range(6):
        diagonals = [math.hypot(float(view.box[b, 2]) / 3, float(view.box[b, 3]) / 4) for view in (one, two)]
        losses = []
        for i in range(12):
            for j in range(12):
                distance = math.dist(middle(one, b, *divmod(i, 4), 3, 4), middle(two, b, *divmod(j, 4), 3, 4))
                if distance < scale * max(diagonals):
                    p, t = y[b].flatten(1)[:, i].double(), x[b].flatten(1)[:, j].double()
                    losses.append(2 - 2 * float(p @ t / (p.norm() * t.norm())))
        expected.append(sum(losses) / len(losses) if losses else 0.0)
    return found, torch.tensor(expected)


@pytest.mark.parametrize("scale", [0.7, 0.1])
def test_consistency_is_a_mean_over_the_pairs_that_are_near(scale):
    found, expected = consistency(scale)
    torch.testing.assert_close(found, expected)
    assert len(set(expected.tolist())) > 2


def test_images_without_a_pair_count_nothing():
    y = draw(2, 5, 2, 2).requires_grad_()
    here, there = torch.zeros(2, 4, 2), torch.stack([torch.zeros(4, 2), torch.ones(4, 2)])
    found = pixel_consistency(y, draw(2, 5, 2, 2, seed=1), here, there, torch.full((2,), 0.1))
    assert found[0] > 0
    assert found[1] == 0
    found.sum().backward()
    assert y.grad[0].abs().sum() > 0
    assert not y.grad[1].any()


def test_parts_change_nothing(monkeypatch):
    whole = consistency()[0], propagate(draw(3, 5, 2, 3), draw(3, 5, 2, 3, seed=1), 2)
    monkeypatch.setattr(propagation, "SCORES", 200)  # one image of 12 x 12 pairs
    torch.testing.assert_close((consistency()[0], propagate(draw(3, 5, 2, 3), draw(3, 5, 2, 3, seed=1), 2)), whole)


def test_the_same_map_of_the_same_view_costs_little_more_than_nothing():
    x = F.normalize(draw(6, 5, 1, 1), dim=1).expand(6, 5, 3, 4)
    view = two_views()[0]
    found = pixel_consistency(x, x, cells(view, 3, 4), cells(view, 3, 4), 0.7 * cell_diagonal(view, 3, 4))
    torch.testing.assert_close(found, torch.zeros(6), atol=1e-6, rtol=0)
