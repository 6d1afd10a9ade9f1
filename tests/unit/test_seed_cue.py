"""The cue seed: by its definition, on maps whose foreground is known, and beside register tokens."""

import math

import pytest
import torch

from luss_core.losses.cues import CUES_OF_HEADS, concentration, seed, together


def heads(number: int, b: int = 2, m: int = 3, d: int = 4, h: int = 5, w: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, m, h, w) shares of attention and (B, m, d, h, w) keys with something in common."""
    draw = torch.Generator().manual_seed(number)
    attention = (2 * torch.randn(b, m, h * w, generator=draw, dtype=torch.float64)).softmax(dim=2).view(b, m, h, w)
    return 0.9 * attention, torch.randn(b, m, d, h, w, generator=draw, dtype=torch.float64) + 0.4


@pytest.mark.parametrize("number", range(3))
def test_by_its_definition(number):
    attention, keys = heads(number)
    found = seed(attention, keys)
    assert found.shape == (2, 1, 5, 6)
    for image in range(2):
        places = [(y, x) for y in range(5) for x in range(6)]
        mean = sum(float(attention[image, m, y, x]) for m in range(3) for y, x in places) / (3 * 30)
        share = [sum(float(attention[image, m, y, x]) > mean for y, x in places) / 30 for m in range(3)]
        beta = [math.log(sum(share) / q) if q else 0.0 for q in share]
        weighted = {p: sum(beta[m] * float(attention[image, m, p[0], p[1]]) for m in range(3)) for p in places}
        start = min(places, key=weighted.__getitem__)
        vector = {
            p: [beta[m] * float(keys[image, m, d, p[0], p[1]]) for m in range(3) for d in range(4)] for p in places
        }
        for p in places:
            product = sum(a * b for a, b in zip(vector[p], vector[start], strict=True))
            cosine = product / math.hypot(*vector[p]) / math.hypot(*vector[start])
            assert abs(cosine - 0.3) < 1e-9 or float(found[image, 0, p[0], p[1]]) == float(cosine <= 0.3)
        assert found[image, 0, start[0], start[1]] == 0


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Attention and keys of an object that reaches the border, where other cues look for background; and its mask."""
    truth = torch.zeros(1, 1, 6, 8)
    truth[..., 2:, 1:6] = 1
    attention = 0.001 + 0.02 * truth.expand(-1, 2, -1, -1)
    attention = attention - 0.0005 * torch.linspace(0, 1, 8)  # least at the right of the background
    background, thing = torch.tensor([1.0, 0.0, 0.2]), torch.tensor([-0.2, 1.0, 0.1])
    keys = torch.where(truth[:, :, None] > 0, thing.view(1, 1, 3, 1, 1), background.view(1, 1, 3, 1, 1))
    return attention, keys.expand(-1, 2, -1, -1, -1) + 0.05 * torch.randn(1, 2, 3, 6, 8), truth


def test_an_object_is_found_wherever_it_lies():
    torch.manual_seed(0)
    attention, keys, truth = scene()
    assert torch.equal(seed(attention, keys), truth)


def test_the_head_that_tells_things_apart_counts_most():
    """One head attends to nearly all of the image and has keys that say nothing, the other to the object alone."""
    torch.manual_seed(0)
    attention, keys, truth = scene()
    everywhere = torch.full((1, 1, 6, 8), 0.018)
    everywhere[..., 3, 3] = 0
    attention = torch.cat([attention[:, :1], everywhere], dim=1)
    keys = torch.cat([keys[:, :1], torch.ones(1, 1, 3, 6, 8)], dim=1)
    assert torch.equal(seed(attention, keys), truth)


def test_a_head_that_looks_at_no_patch_does_not_rule():
    torch.manual_seed(0)
    attention, keys, truth = scene()
    idle = torch.full((1, 1, 6, 8), 1e-9)
    weight = concentration(torch.cat([attention, idle], dim=1))
    assert weight[0].tolist() == pytest.approx([math.log(2), math.log(2), 0])
    noise = torch.cat([keys, 10 * torch.randn(1, 1, 3, 6, 8)], dim=1)
    assert torch.equal(seed(torch.cat([attention, idle], dim=1), noise), truth)


def test_a_head_counts_alone_where_no_other_looks_at_patches():
    torch.manual_seed(0)
    attention, keys, truth = scene()
    idle = torch.full((1, 1, 6, 8), 1e-9)
    both = torch.cat([attention[:, :1], idle], dim=1)
    assert concentration(both).tolist() == [[1, 0]]
    assert torch.equal(seed(both, keys), truth)
    assert torch.equal(seed(attention[:, :1], keys[:, :1]), truth)


def test_what_is_alike_everywhere_is_background():
    flat = torch.full((1, 2, 3, 4), 0.05)
    for keys in (torch.ones(1, 2, 5, 3, 4), torch.zeros(1, 2, 5, 3, 4)):
        assert together([seed(flat, keys)]).abs().max() == 0


@pytest.mark.parametrize("cue", CUES_OF_HEADS.values(), ids=CUES_OF_HEADS)
def test_it_does_not_round_where_the_network_does(cue):
    attention, keys = (part.float() for part in heads(0))
    with torch.autocast("cpu", torch.bfloat16):
        found = cue(attention, keys)
    assert found.dtype == torch.float32
    assert torch.equal(found, cue(attention, keys))
