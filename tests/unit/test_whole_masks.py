"""Whole images: windows, scales and mirror images, with networks whose answer is known."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from luss_core.config import SegmentConfig, WholeConfig
from luss_core.data.annotated.crops import GRAY, Crop, cut_image, cut_mask, draw_crop, filled
from luss_core.data.masks import IGNORE
from luss_core.methods.whole_masks import begins, probabilities, segment_whole, window_by_window

MIX = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 1.0, 1.0], [-1.0, 0.0, 0.0]])


def pixelwise(images: Tensor) -> Tensor:
    """(B, 4, H, W): a network that looks at one pixel."""
    return torch.einsum("cd,bdhw->bchw", MIX, images)


def leftish(images: Tensor) -> Tensor:
    """A network that is not symmetric: the pixel to the left decides."""
    return pixelwise(images.roll(1, -1))


@pytest.mark.parametrize(
    ("size", "window", "overlap"), [((70, 45), 32, 0.33), ((40, 100), 33, 0.0), ((33, 64), 32, 0.9)]
)
def test_windows_give_what_the_whole_image_gives_where_there_is_no_context(size, window, overlap):
    image = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))
    found = window_by_window(pixelwise, image, WholeConfig(window=window, overlap=overlap))
    torch.testing.assert_close(found, pixelwise(image).softmax(dim=1))


def test_windows_cover_the_image_and_overlap_as_asked():
    assert begins(30, 32, 0.33) == [0]
    assert begins(64, 32, 0.0) == [0, 32]
    starts = begins(100, 32, 0.5)
    assert (starts[0], starts[-1]) == (0, 100 - 32)
    assert max(b - a for a, b in zip(starts, starts[1:], strict=False)) <= 16
    seen = []
    window_by_window(
        lambda x: seen.append(tuple(x.shape)) or pixelwise(x), torch.zeros(1, 3, 100, 40), WholeConfig(window=32)
    )
    assert set(seen) == {(1, 3, 32, 32)}
    assert len(seen) == len(begins(100, 32, 0.33)) * 2


def test_a_mirror_image_is_averaged_as_probabilities():
    image = torch.randn(1, 3, 5, 6, generator=torch.Generator().manual_seed(1))
    found = probabilities(leftish, image, WholeConfig(flip=True))
    wanted = (leftish(image).softmax(1) + leftish(image.flip(-1)).softmax(1).flip(-1)) / 2
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(found, leftish(image).softmax(1))


def test_scales_are_averaged_at_the_size_of_the_image():
    image = torch.randn(1, 3, 8, 12, generator=torch.Generator().manual_seed(2))
    found = probabilities(pixelwise, image, WholeConfig(scales=(0.5, 1.0, 2.0)))
    half, double = (
        F.interpolate(
            pixelwise(F.interpolate(image, size, mode="bilinear", antialias=True)).softmax(1), (8, 12), mode="bilinear"
        )
        for size in ((4, 6), (16, 24))
    )
    torch.testing.assert_close(found, (half + pixelwise(image).softmax(1) + double) / 3)


def test_classes_come_at_the_size_of_the_label():
    image = np.zeros((6, 4, 3), np.uint8)
    image[:, 2:] = 255
    network = lambda x: torch.cat([-x[:, :1], x[:, :1]], dim=1)  # noqa: E731 - dark is 0, bright 1
    found = segment_whole(network, image, WholeConfig(), (12, 8), torch.device("cpu"))
    assert found.tolist() == [[0] * 4 + [1] * 4] * 12


def crop_of(**settings: object) -> SegmentConfig:
    return SegmentConfig.model_validate({"crop": 32, **settings})


def test_a_crop_of_an_image_and_of_its_labels_agree():
    """Each pixel of the image holds its label, so the picture of the crop must show the labels of the crop."""
    random = np.random.default_rng(0)
    labels = np.kron(random.integers(0, 9, (12, 10)), np.ones((8, 8), int)).astype(np.int32)
    image = np.repeat((20 * labels[..., None]).astype(np.uint8), 3, axis=-1)
    for _ in range(40):
        crop = draw_crop(crop_of(), random.random(4), *labels.shape)
        seen, found = cut_image(image, crop, 32), cut_mask(labels, crop, image.shape, 32)
        inside = found != IGNORE
        assert inside.sum() == crop.rows * crop.columns
        assert (seen[:, ~inside] == torch.from_numpy(GRAY)[:, None]).all()
        near = (seen[0].float() / 20 - found).abs()[inside] < 0.26
        assert near.float().mean() > 0.6  # all but the borders, which are blended


def test_images_smaller_than_the_crop_are_padded_right_and_below():
    crop = draw_crop(crop_of(crop=64, scale=[1, 1], flip=0), np.array([0.5, 0.9, 0.9, 0.9]), 20, 30)
    assert crop == Crop(0, 0, 20, 30, 20, 30, False)
    labels = cut_mask(np.ones((20, 30), np.int32), crop, (20, 30), 64)
    assert (labels[:20, :30] == 1).all()
    assert (labels == IGNORE).sum() == 64 * 64 - 20 * 30
    assert filled(crop_of(crop=64, scale=[1, 1]), np.array([[20, 30]])) == pytest.approx(600 / 4096)
    assert filled(crop_of(scale=[1, 1]), np.array([[200, 300]])) == 1


def test_factors_are_spread_over_their_range_and_flips_are_flips():
    cfg = crop_of(scale=[0.5, 2.0])
    lengths = [draw_crop(cfg, np.array([u, 0, 0, 0.4]), 400, 400).height for u in (0.0, 1 / 3, 1.0)]
    assert lengths == [64, 32, 16]
    image = np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)
    labels = np.arange(32 * 32, dtype=np.int32).reshape(32, 32)
    plain, flipped = (Crop(0, 0, 32, 32, 32, 32, flip) for flip in (False, True))
    assert torch.equal(cut_image(image, flipped, 32), cut_image(image, plain, 32).flip(-1))
    assert torch.equal(cut_mask(labels, flipped, image.shape, 32), torch.from_numpy(labels).flip(-1))


def test_labels_may_be_larger_than_a_reduced_image():
    labels = np.zeros((20, 40), np.int32)
    labels[:, 20:] = 3
    found = cut_mask(labels, Crop(0, 0, 5, 10, 10, 20, False), (5, 10, 3), 32)
    assert (found[:10, :10] == 0).all()
    assert (found[:10, 10:20] == 3).all()
