"""The loss of a linear probe against the protocol as it is written: resize the logits to the label, cross-entropy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from luss_core.data.masks import IGNORE
from luss_core.losses.pixels import CrossEntropySum, labelled_cross_entropy, resized_at
from luss_core.train.linear import LinearHead, loss_of, make_cells, standardize

SHAPES = (((3, 4), (12, 17)), ((4, 3), (16, 11)), ((1, 2), (5, 9)))
"""Of map and label."""


class Given:
    """Random maps and labels of three sizes; some pixels do not count."""

    def __init__(self, shapes=SHAPES, width=6, classes=5):
        random = np.random.default_rng(0)
        self.maps = [random.normal(2, 3, (*cells, width)).astype(np.float16) for cells, _ in shapes]
        self.pixels = [random.integers(0, classes, pixels) for _, pixels in shapes]
        self.pixels = [np.where(random.random(p.shape) < 0.2, IGNORE, p).astype(np.int16) for p in self.pixels]

    def __len__(self):
        return len(self.maps)

    def map(self, i):
        return self.maps[i]

    def labels(self, i):
        return self.pixels[i]


class First:
    """Draws the offset that it is told."""

    def __init__(self, *offsets):
        self.offsets = list(offsets)

    def integers(self, limit):
        assert self.offsets[0] < limit
        return self.offsets.pop(0)


def written_out(head, cells, chosen):
    """Sum of the loss over all labelled pixels, and their number."""
    total, count = torch.zeros(()), 0
    for i in chosen:
        map_ = torch.from_numpy(cells.map(i).astype(np.float32))
        z = (map_ - head.mean) * head.scale
        logits = (z @ head.weight.t() + head.bias).movedim(-1, 0)[None]
        labels = torch.from_numpy(cells.labels(i).astype(np.int64))[None]
        resized = F.interpolate(logits, labels.shape[1:], mode="bilinear")
        total = total + F.cross_entropy(resized, labels, ignore_index=IGNORE, reduction="sum")
        count += int((labels != IGNORE).sum())
    return total, count


@pytest.fixture
def head():
    torch.manual_seed(0)
    made = LinearHead(6, 5)
    with torch.no_grad():
        made.weight.normal_()
        made.bias.normal_()
    return made


def test_every_pixel_gives_the_loss_and_the_gradient_of_the_protocol(head):
    cells, chosen = Given(), [2, 0, 1]
    standardize(head, cells)
    total, count = written_out(head, cells, chosen)
    wanted = torch.autograd.grad(total / count, [head.weight, head.bias])
    loss = loss_of(head, make_cells(cells, chosen, 1, np.random.default_rng(0), torch.device("cpu")))
    found = torch.autograd.grad(loss, [head.weight, head.bias])
    torch.testing.assert_close(loss, total / count, rtol=1e-5, atol=1e-5)
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_one_pixel_in_sixteen_gives_it_on_average(head):
    cells, chosen = Given(SHAPES[:2]), [0, 1]
    total, count = written_out(head, cells, chosen)
    parts, counts = [], []
    for top in range(4):
        for left in range(4):
            batch = make_cells(cells, chosen, 4, First(top, left), torch.device("cpu"))
            counts.append(sum(int((part.labels != IGNORE).sum()) for part in batch.parts))
            parts.append(loss_of(head, batch) * counts[-1])
    assert sum(counts) == count
    torch.testing.assert_close(torch.stack(parts).sum(), total, rtol=1e-5, atol=1e-5)


def test_maps_of_one_size_need_no_padding(head):
    cells = Given((SHAPES[0], SHAPES[0]))
    total, count = written_out(head, cells, [1, 0])
    loss = loss_of(head, make_cells(cells, [1, 0], 1, np.random.default_rng(0), torch.device("cpu")))
    torch.testing.assert_close(loss, total / count, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(12, 17), (3, 4), (2, 3), (50, 1)])
def test_resizing_some_pixels_is_that_of_torch(sizes):
    torch.manual_seed(1)
    maps = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    rows, columns = torch.arange(1, sizes[0]), torch.arange(0, sizes[1], 2)
    wanted = F.interpolate(maps, sizes, mode="bilinear")[..., rows, :][..., columns]
    shapes, pixels = torch.tensor([[3, 4]] * 2).double(), torch.tensor([sizes] * 2).double()
    found = resized_at(maps, shapes, pixels, rows, columns)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("scale", [1, 1000])
def test_the_sum_of_the_cross_entropy_and_its_gradient_are_those_of_torch(scale):
    torch.manual_seed(2)
    logits = (scale * torch.randn(2, 4, 7, dtype=torch.float64)).requires_grad_()
    labels = torch.tensor([[0, 1, 2, 3, IGNORE, 0, 1], [IGNORE] * 6 + [3]])
    wanted = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum")
    found = CrossEntropySum.apply(logits, labels, IGNORE)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    grads = [torch.autograd.grad(3 * value, logits)[0] for value in (found, wanted)]
    torch.testing.assert_close(*grads, rtol=1e-12, atol=1e-12)


def test_pixels_without_a_label_do_not_count():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]], dtype=torch.float64)
    found = labelled_cross_entropy(logits, torch.tensor([0, 0, IGNORE]), IGNORE)
    wanted = (-np.log(np.exp(2) / (np.exp(2) + 1)) - np.log(1 / (1 + np.e))) / 2
    assert float(found) == pytest.approx(wanted, abs=1e-12)
    assert float(labelled_cross_entropy(logits, torch.full((3,), IGNORE), IGNORE)) == 0


def test_channels_are_standardised_and_one_that_never_varies_is_left_out():
    cells = Given()
    for found in cells.maps:
        found[..., 2] = 7
    head = LinearHead(6, 5)
    standardize(head, cells)
    every = np.concatenate([found.reshape(-1, 6) for found in cells.maps]).astype(np.float64)
    standard = (torch.from_numpy(every).float() - head.mean) * head.scale
    varying = [0, 1, 3, 4, 5]
    torch.testing.assert_close(standard[:, varying].mean(dim=0), torch.zeros(5), rtol=0, atol=1e-4)
    torch.testing.assert_close(standard[:, varying].var(dim=0, correction=0), torch.full((5,), 0.2), rtol=2e-3, atol=0)
    assert head.scale[2] == 0
    weight, bias = head.folded()
    x = torch.from_numpy(every).half()
    torch.testing.assert_close(head(x).t(), standard @ head.weight.t() + head.bias, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(x.float() @ weight.t() + bias, head(x).t(), rtol=1e-4, atol=1e-4)
