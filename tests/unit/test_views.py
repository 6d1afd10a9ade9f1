"""Views: what is sampled is a function of (seed, epoch, image); what is applied equals torchvision."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as tv

from luss_core.config import CropConfig, ViewsConfig
from luss_core.data.normalization import MEAN, STD
from luss_core.data.views import Key, ViewParameters, colour_view, crop_view, sample_views
from tests.unit.placed import placed

CFG = ViewsConfig(
    crops=(CropConfig(count=2, size=32, scale=(0.2, 1)), CropConfig(count=1, size=16, scale=(0.05, 0.2))),
    blur_sigma=(0.5, 12.0),
    kinds=({"solarise": 0.5}, {"blur": 0.1}),
)


def images(count: int = 24) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*rng.integers(40, 90, 2), 3), dtype=np.uint8) for _ in range(count)]


def keys(epoch: int, rows: Iterable[int]) -> list[Key]:
    return [Key(epoch, row) for row in rows]


def sampled(pictures: list[np.ndarray], epoch: int = 3) -> list[ViewParameters]:
    shapes = np.array([p.shape[:2] for p in pictures])
    return sample_views(CFG, 5, keys(epoch, range(len(pictures))), shapes)


def as_torchvision(crop: torch.Tensor, p: ViewParameters, i: int) -> torch.Tensor:
    """One image through torchvision's functions with the sampled numbers."""
    x = crop.float() / 255
    apply = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    for operation, chosen in p.jitter:
        if i in chosen:
            x = apply[operation](x, float(p.factor[i, operation]))
    if i in p.gray:
        x = tv.rgb_to_grayscale(x, num_output_channels=3)
    if p.sigma[i] > 0:
        radius = min(int(np.ceil(3 * float(p.sigma.max()))), x.shape[-1] - 1)
        x = tv.gaussian_blur(x, [2 * radius + 1] * 2, [float(p.sigma[i])] * 2)
    if i in p.solarised:
        x = tv.solarize(x, 127.5 / 255)
    return tv.normalize(x, MEAN, STD)


def test_colour_equals_torchvision_image_by_image():
    pictures = images()
    for parameters, size in zip(sampled(pictures), (32, 32, 16), strict=True):
        crops = crop_view(pictures, parameters, size)
        ours = colour_view(crops, parameters)
        for i in range(len(pictures)):
            torch.testing.assert_close(ours[i], as_torchvision(crops[i], parameters, i), atol=2e-4, rtol=0)


def test_crop_equals_torchvision():
    pictures = images()
    parameters = sampled(pictures)[0]
    ours = crop_view(pictures, parameters, 32)
    for i, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        top, left, h, w = (
            round(v) for v in (parameters.box[i] * torch.tensor([height, width, height, width])).tolist()
        )
        theirs = tv.resized_crop(torch.from_numpy(picture).permute(2, 0, 1), top, left, h, w, [32, 32], antialias=True)
        theirs = tv.horizontal_flip(theirs) if parameters.flip[i] else theirs
        assert (ours[i].int() - theirs.int()).abs().max() <= 1


def test_parameters_depend_on_seed_epoch_and_image_only():
    pictures = images()
    shapes = np.array([p.shape[:2] for p in pictures])
    together = sample_views(CFG, 5, keys(3, range(24)), shapes)
    alone = sample_views(CFG, 5, keys(3, [7]), shapes[7:8])
    for a, b in zip(together, alone, strict=True):
        assert torch.equal(a.box[7], b.box[0])
        assert torch.equal(a.factor[7], b.factor[0])
    assert not torch.equal(sample_views(CFG, 5, keys(4, [7]), shapes[7:8])[0].box, alone[0].box)
    assert not torch.equal(sample_views(CFG, 6, keys(3, [7]), shapes[7:8])[0].box, alone[0].box)
    assert not torch.equal(together[0].box, together[1].box)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 1), st.integers(0, 1000))
def test_boxes_lie_inside_and_cover_the_asked_area(height, width, low, row):
    cfg = ViewsConfig(crops=(CropConfig(count=2, size=16, scale=(low, 1)),))
    for parameters in sample_views(cfg, 0, keys(0, [row]), np.array([[height, width]])):
        top, left, h, w = parameters.box[0].tolist()
        assert top >= 0
        assert left >= 0
        assert h > 0
        assert w > 0
        assert top + h <= 1 + 1e-9
        assert left + w <= 1 + 1e-9
        if min(height, width) >= 32 and 0.8 < height / width < 1.25:  # the fall-back is needed for long images only
            assert h * w >= low * 0.85


def test_probabilities_are_kept():
    cfg = ViewsConfig(crops=(CropConfig(count=2, size=16, scale=(0.5, 1)),), flip=0.25, gray=0.4, jitter=0.7, blur=0.1)
    p = sample_views(cfg, 0, keys(0, range(4000)), np.full((4000, 2), 50))[0]
    jittered = torch.cat([images for _, images in p.jitter]).long().bincount(minlength=4000)
    assert set(jittered.tolist()) == {0, 4}
    counts = p.flip.sum(), len(p.gray), (jittered > 0).sum(), len(p.blurred)
    for count, expected in zip(counts, (0.25, 0.4, 0.7, 0.1), strict=True):
        assert count / 4000 == pytest.approx(expected, abs=0.03)
    assert torch.equal(p.blurred.long(), (p.sigma > 0).nonzero()[:, 0])
    orders = torch.zeros(4000, 4, dtype=torch.long)
    for place, (operation, images) in enumerate(p.jitter):
        orders[images.long(), place // 4] = operation
    assert len(orders[jittered > 0].unique(dim=0)) == 24
    assert p.factor[:, 0].min() >= 0.2 - 1e-6
    assert p.factor[:, 0].max() <= 1.8 + 1e-6
    assert p.factor[:, 3].abs().max() <= 0.2 + 1e-6


def test_views_may_differ_in_colour():
    cfg = ViewsConfig(kinds=({"blur": 1.0, "gray": 0.0}, {"blur": 0.0, "solarise": 1.0}))
    first, second = sample_views(cfg, 0, keys(0, range(50)), np.full((50, 2), 60))
    assert [len(v.blurred) for v in (first, second)] == [50, 0]
    assert [len(v.solarised) for v in (first, second)] == [0, 50]
    assert len(first.gray) == 0 < len(second.gray)
    with pytest.raises(ValueError, match="kinds: unknown key 'blurr'; allowed: jitter"):
        ViewsConfig(kinds=({"blurr": 1.0},))


def test_a_new_kind_of_number_changes_no_other():
    """The runs of methods without it stay what they were."""
    shapes = np.full((20, 2), 60)
    plain = sample_views(ViewsConfig(), 0, keys(2, range(20)), shapes)
    other = sample_views(ViewsConfig(solarise=0.5), 0, keys(2, range(20)), shapes)
    for a, b in zip(plain, other, strict=True):
        assert len(b.solarised)
        for name in ("box", "flip", "factor", "sigma", "gray", "blurred"):
            assert torch.equal(getattr(a, name), getattr(b, name)), name


def test_an_image_that_is_seen_again_in_an_epoch_is_seen_in_another_view():
    shapes = np.full((2, 2), 60)
    once, again = sample_views(CFG, 0, [Key(1, 5), Key(1, 5, repeat=1)], shapes)[0].box
    assert not torch.equal(once, again)
    assert torch.equal(once, sample_views(CFG, 0, [Key(1, 5)], shapes[:1])[0].box[0])


def test_masks_take_the_nearest_pixel():
    picture = np.arange(80 * 60, dtype=np.int32).reshape(80, 60, 1)
    parameters = placed([[0.25, 0.5, 0.5, 0.5], [0, 0, 1, 1]], [False, True])
    small, whole = crop_view([picture, picture], parameters, 10, nearest=True)
    assert small.dtype == torch.int32
    assert small[0, 0].tolist() == [(20 + 2) * 60 + 30 + 3 * k + 1 for k in range(10)]
    assert whole[0, 0].tolist() == [4 * 60 + 6 * k + 3 for k in reversed(range(10))]
