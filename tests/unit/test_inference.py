"""Whole images, activation maps at full size, levels and the threshold without ground truth."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.filters import threshold_otsu
from torchvision.transforms.v2 import functional as tv

from luss_core.data.whole import centre_square, resize_short
from luss_core.methods.segmenter import Segmented
from luss_core.methods.whole_images import Cut, labels_and_scores, to_levels
from luss_core.metrics.threshold import otsu
from luss_core.stages.extract import colour_histogram


@pytest.mark.parametrize(("height", "width"), [(50, 80), (80, 50), (40, 40), (33, 97)])
def test_resize_short_equals_torchvision(height, width):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    ours = resize_short(image, 40)
    theirs = tv.resize(torch.from_numpy(image).permute(2, 0, 1), [40], antialias=True)
    assert ours.shape == theirs.shape
    assert (ours.int() - theirs.int()).abs().max() <= 1
    torch.testing.assert_close(centre_square(theirs, 32), tv.center_crop(theirs, [32, 32]))


@pytest.mark.parametrize("classes", [3, 64, 65, 200])
def test_labels_and_scores_against_the_whole_stack_enlarged(classes):
    maps = torch.randn(1, classes, 5, 7, generator=torch.Generator().manual_seed(classes))
    label, score = labels_and_scores(Segmented(maps, None), 37, 41)
    whole = F.interpolate(maps, (37, 41), mode="bilinear", align_corners=False)[0]
    assert torch.equal(label, whole.argmax(dim=0).int() + 1)
    torch.testing.assert_close(score, whole.amax(dim=0))


def test_the_attention_decides_the_foreground_where_there_is_one():
    maps, attention = torch.randn(1, 4, 5, 7), torch.randn(1, 1, 10, 14)
    label, score = labels_and_scores(Segmented(maps, attention), 37, 41)
    plain, _ = labels_and_scores(Segmented(maps, None), 37, 41)
    assert torch.equal(label, plain)
    expected = F.interpolate(attention.sigmoid(), (37, 41), mode="bilinear", align_corners=False)[0, 0]
    torch.testing.assert_close(score, expected)


def test_large_images_are_labelled_at_a_longer_side_of_1000():
    maps = torch.randn(1, 4, 5, 8, generator=torch.Generator().manual_seed(0))
    label, score = labels_and_scores(Segmented(maps, None), 1000, 1600)
    small = F.interpolate(maps, (625, 1000), mode="bilinear", align_corners=False).argmax(dim=1, keepdim=True)
    expected = F.interpolate(small.float(), (1000, 1600), mode="nearest")[0, 0].int() + 1
    assert torch.equal(label, expected)
    assert score.shape == (1000, 1600)


def test_levels_are_hundredths_cut_at_80():
    score = np.array([-3.0, 0.0, 0.0099, 0.01, 0.5, 0.799, 0.8, 1.7])
    assert to_levels(score).tolist() == [0, 0, 0, 1, 50, 79, 80, 80]


@pytest.mark.parametrize("greatest", [0.9626730680465698, 1.0, 37.3, 1e-6])
@pytest.mark.parametrize("level", [0, 1, 29, 57, 80, 81, 100])
def test_scores_are_cut_where_levels_are(greatest, level):
    """At the numbers next to those at which the level changes as well."""
    bits = np.float32(np.arange(102) * greatest / 100).view(np.int32)[:, None] + np.arange(-4, 5, dtype=np.int32)
    score = np.concatenate([bits[1:].ravel().view(np.float32), np.float32([-greatest, 0, 2 * greatest])])
    assert np.array_equal(Cut(greatest, level)(score), to_levels(score / greatest) >= level)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 80), min_size=2, max_size=300))
def test_otsu_equals_scikit_image(levels):
    values = np.array(levels)
    histogram = np.bincount(values, minlength=81)
    if len(set(levels)) < 2:
        assert otsu(histogram) == 0
        return
    between = _between(values, otsu(histogram))
    assert between == pytest.approx(
        _between(values, int(threshold_otsu(hist=(histogram, np.arange(81)))) + 1), rel=1e-9
    )
    assert between == pytest.approx(max(_between(values, k) for k in range(1, 81)), rel=1e-9)


def _between(values: np.ndarray, level: int) -> float:
    low, high = values[values < level], values[values >= level]
    return len(low) * len(high) * (low.mean() - high.mean()) ** 2 if len(low) and len(high) else 0.0


def test_colour_histogram_against_numpy():
    images = torch.randint(0, 256, (4, 3, 9, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    ours = colour_histogram(images)
    for image, histogram in zip(images, ours, strict=True):
        expected, _ = np.histogramdd(image.flatten(1).T.numpy(), bins=8, range=[(0, 256)] * 3)
        np.testing.assert_allclose(histogram.numpy(), expected.ravel() / 63, atol=1e-6)
