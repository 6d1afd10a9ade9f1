"""The parts of the shape-enhanced method, and what each may and may not move."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from luss_core.config import EncoderConfig, ShapeConfig, SwAVConfig
from luss_core.data.batch import Batch, make_batch
from luss_core.data.loader import Plane
from luss_core.data.overlap import overlap_grids, overlapping, sample
from luss_core.losses.alignment import image_to_pixel, pixel_to_pixel
from luss_core.methods import Progress, build_method
from luss_core.methods.shape import Shape
from luss_core.models.encoder import Encoder, pool
from tests.method.test_methods import FULL, IMAGES, SMALL, batch_of, make, views
from tests.unit.placed import placed

LATE = Progress(5, 15, 5)
OFF = {"attention_target": "none", "i2p_weight": 0.0, "p2p_weight": 0.0}


def shape(encoder: EncoderConfig = FULL, **settings: object) -> Shape:
    torch.manual_seed(0)
    method = build_method(
        ShapeConfig.model_validate(SMALL | {"queue": 0, "grid": 3} | settings), Encoder(encoder), IMAGES
    )
    assert isinstance(method, Shape)
    return method.train()


def batch(size: int = 8) -> Batch:
    return batch_of(size)


def test_without_its_parts_it_is_swav():
    torch.manual_seed(0)
    swav = build_method(SwAVConfig(**SMALL), Encoder(FULL), IMAGES).train()
    other = shape(**SMALL, **OFF)
    b = batch()
    assert torch.equal(swav(b.views(), b, LATE).loss, other(b.views(), b, LATE).loss)


def test_parts_add_up_with_their_weights():
    weights = {"attention_weight": 2.0, "i2p_weight": 0.5, "p2p_weight": 3.0}
    b = batch()
    plain = shape(**OFF)(b.views(), b, LATE).loss
    out = shape(**weights)(b.views(), b, LATE)
    total = plain + sum(weights[f"{name}_weight"] * out.logs[name] for name in ("attention", "i2p", "p2p"))
    torch.testing.assert_close(out.loss, total)


def test_attention_weighs_the_pixels_that_are_pooled():
    encoder = Encoder(FULL).eval()
    maps = encoder(torch.randn(2, 3, 24, 24))
    c, z = maps.attention.sigmoid(), maps.output
    expected = torch.stack([(c[b] * z[b]).flatten(1).mean(dim=1) for b in range(2)])
    torch.testing.assert_close(pool(maps), expected)
    torch.testing.assert_close(pool(maps, attend=False), z.mean(dim=(2, 3)))
    assert pool(maps, "stage4").shape == (2, encoder.width_of("stage4"))


@pytest.mark.parametrize("part", ["i2p_weight", "p2p_weight"])
def test_pixels_teach_the_encoder_but_not_the_projection(part):
    method, b = shape(**(OFF | {part: 1.0})), batch()
    embedded = method.embed(b.views())
    scores = [method.prototypes(z).float() for z in embedded.z]
    before = {name: value.clone() for name, value in method.projector.named_buffers()}
    [(_, _, loss)] = method.parts(embedded.maps[:2], method.codes(scores, LATE), b)
    loss.backward()
    assert [n for n, p in method.projector.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0] == []
    last = method.encoder.decoder.decoder[-1][0].weight
    assert last.grad.abs().sum() > 0
    assert next(method.encoder.backbone.parameters()).grad.abs().sum() > 0
    assert all(torch.equal(before[n], value) for n, value in method.projector.named_buffers())


def test_alignment_is_what_its_definition_says():
    method, b = shape(), batch()
    with torch.no_grad():
        embedded = method.embed(b.views())
        scores = [method.prototypes(z) for z in embedded.z]
        codes = method.codes(scores, LATE)
        found = {name: value for name, _, value in method.parts(embedded.maps[:2], codes, b)}
        one, two = overlap_grids(b.parameters[0], b.parameters[1], 3)
        overlaps = overlapping(b.parameters[0], b.parameters[1])
        pixels = []
        for view, grid in ((0, one), (1, two)):
            z = sample(embedded.maps[view].output[overlaps], grid[overlaps]).flatten(0, 1)
            linear, norm, _, out, _ = method.projector
            hidden = F.relu(F.batch_norm(linear(z), None, None, norm.weight, norm.bias, training=True))
            v = F.normalize(F.batch_norm(out(hidden), None, None, training=True), dim=1)
            pixels.append(method.prototypes(v).view(int(overlaps.sum()), 9, -1))
        t = method.cfg.temperature
        pairs = [image_to_pixel(codes[i][overlaps], pixels[1 - i], t) for i in (0, 1)]
        torch.testing.assert_close(found["i2p"], sum(pairs) / 2)
        torch.testing.assert_close(found["p2p"], pixel_to_pixel(*pixels, t, method.cfg.epsilon, 3))


def test_views_that_do_not_overlap_teach_no_alignment():
    crops = batch().crops[:2]
    apart = [placed([[0.5 * k, 0.5 * k, 0.4, 0.4]] * 8, [False] * 8) for k in range(2)]
    b = make_batch(crops, apart, range(8))
    method = shape(attention_target="none")
    out = method(b.views(), b, LATE)
    assert out.logs["i2p"] == out.logs["p2p"] == 0
    out.loss.backward()
    one = [placed([[0.5 * k, 0.5 * k, 0.4, 0.4]] * 7 + [[0, 0, 0.4, 0.4]], [False] * 8) for k in range(2)]
    b = make_batch(crops, one, range(8))
    assert b.overlaps.tolist() == [7]
    assert method(b.views(), b, LATE).logs["p2p"] > 0


def test_no_more_pixels_are_aligned_than_allowed():
    for most, expected in ((10**6, 9), (40, 5), (1, 1)):
        method = shape(max_pixels=most)
        assert len(method._kept(8, torch.device("cpu")).unique()) == expected


def test_the_prior_teaches_the_attention():
    method, b = shape(**(OFF | {"attention_target": "soft"})), batch()
    assert method(b.views(), b, LATE).logs["attention"].item() == pytest.approx(math.log(2), abs=0.02)
    optimizer = torch.optim.Adam(method.parameters(), 1e-2)
    white = replace(b, planes={"saliency": [torch.full_like(p, 255) for p in b.planes["saliency"]]})
    for _ in range(20):
        optimizer.zero_grad()
        method(b.views(), white, LATE).loss.backward()
        optimizer.step()
    assert method.encoder(b.views()[0]).attention.sigmoid().mean() > 0.7


def test_the_prior_is_cropped_and_flipped_as_the_view():
    """A map equal to the red channel of its image stays equal to the red channel of every large view."""
    source = views()

    class Red:
        def read(self, row: int):
            return source.store.read(row)[..., :1]

    source.planes["saliency"] = Plane(Red())
    b = source[source.keys(1, range(16))]
    assert len(b.planes["saliency"]) == 2
    for crop, saliency in zip(b.crops, b.planes["saliency"], strict=False):
        assert torch.equal(crop[:, :1], saliency)


def test_shape_is_in_the_registry_with_a_network_that_has_all_parts():
    method = make("shape")
    assert method.encoder.attention is not None
    assert method.encoder.decoder is not None
