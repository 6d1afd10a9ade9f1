"""Region contrast step by step against written-out loops in float64, and what must hold for any image."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core.config import PriorConfig
from luss_core.data import saliency as steps
from luss_core.data.baselines import centre_prior, spectral_residual
from luss_core.data.palette import DROPPED, FEWEST, MOST, Palette, palette
from luss_core.data.saliency import region_contrast
from luss_core.metrics.counts import image_counts
from luss_core.metrics.saliency import foreground_f, salient

CFG = PriorConfig()
IMAGES = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(0, 10**6), st.integers(2, 256))


def picture(height: int, width: int, seed: int, levels: int = 256) -> np.ndarray:
    """Patches of random colours with a little noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, levels, (-(-height // 4), -(-width // 4), 3))
    patches = np.kron(coarse, np.ones((4, 4, 1), int))[:height, :width]
    return (patches * 255 // (levels - 1) + rng.integers(-4, 5, patches.shape)).clip(0, 255).astype(np.uint8)


def lab(rgb) -> list[float]:
    """CIE Lab of one sRGB colour in 0..1 under D65, written out."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    matrix = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
    white = (0.95047, 1.0, 1.08883)
    x, y, z = (sum(m * v for m, v in zip(row, linear, strict=True)) / w for row, w in zip(matrix, white, strict=True))
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)]


def regions_of(seed: int, height: int = 12, width: int = 9, r: int = 5) -> steps.Regions:
    label = np.random.default_rng(seed).integers(0, r, (height, width))
    label.ravel()[:r] = np.arange(r)
    return steps.describe(label)


@pytest.mark.parametrize(("seed", "levels"), [(0, 256), (1, 256), (2, 3), (3, 2)])
def test_palette_keeps_frequent_colours_and_replaces_rare_ones_by_the_nearest(seed, levels):
    image = picture(30, 22, seed, levels)
    cells = [tuple(int(v / 255 * 11.9999) for v in pixel) for pixel in image.reshape(-1, 3).tolist()]
    count = {cell: cells.count(cell) for cell in set(cells)}
    order = sorted(count, key=lambda cell: (-count[cell], cell))
    m = len(order)
    while m > FEWEST and (sum(count[cell] for cell in order[m - 1 :]) <= DROPPED * len(cells) or m > MOST):
        m -= 1
    found = palette(image)
    assert len(found.count) == m
    members: list[list[int]] = [[] for _ in range(m)]
    for pixel, cell in enumerate(cells):
        distances = [math.dist(cell, other) ** 2 for other in order[:m]]
        nearest = order.index(cell) if cell in order[:m] else distances.index(min(distances))
        assert found.index.ravel()[pixel] == nearest
        members[nearest].append(pixel)
    assert found.count.tolist() == list(map(len, members))
    for colour, pixels in enumerate(members):
        mean = image.reshape(-1, 3)[pixels].mean(axis=0) / 255
        np.testing.assert_allclose(found.lab[colour], lab(mean), atol=1e-3)


def test_palette_has_at_most_256_colours():
    image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    assert len(palette(image).count) == MOST
    assert palette(image).count.sum() == 3600


def test_segments_follow_the_units_of_lab_and_the_area_of_the_image():
    halves = np.zeros((2, 2, 3), np.uint8)
    halves[:, 1] = 119  # L = 50: two pixels each side hold together below k / 2
    for scale, expected in ((99, 2), (101, 1)):
        cfg = CFG.model_copy(update={"segment_scale": scale, "segment_sigma": 0, "min_region": 0})
        assert steps.segment(halves, cfg).max() + 1 == expected
    image = picture(60, 40, 0)
    for wanted in (1, 30, 100):  # pixels here, so fifty times as many in an image of 400 x 300
        cfg = CFG.model_copy(update={"min_region": wanted * 50})
        assert np.bincount(steps.segment(image, cfg).ravel()).min() >= wanted


def test_regions_are_described_as_written_out():
    regions = regions_of(0)
    height, width = regions.label.shape
    for region in range(5):
        points = [(x, y) for y in range(height) for x in range(width) if regions.label[y, x] == region]
        n = len(points)
        cx, cy = sum(x for x, _ in points) / n, sum(y for _, y in points) / n
        assert regions.count[region] == n
        np.testing.assert_allclose(regions.centre[region], [(cx + 0.5) / width, (cy + 0.5) / height], rtol=1e-12)
        offset = [
            sum(abs((x + 0.5) / width - 0.5) for x, _ in points) / n,
            sum(abs((y + 0.5) / height - 0.5) for _, y in points) / n,
        ]
        np.testing.assert_allclose(regions.offset[region], offset, rtol=1e-12)
        deviation = [sum(abs(x - cx) for x, _ in points) / n, sum(abs(y - cy) for _, y in points) / n]
        np.testing.assert_allclose(regions.deviation[region], deviation, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_contrast_is_the_sum_over_regions_and_pairs_of_colours(seed):
    regions, colours = regions_of(seed), palette(picture(12, 9, seed))
    r, m = len(regions.count), len(colours.count)
    share = np.zeros((r, m))
    for region, colour in zip(regions.label.ravel(), colours.index.ravel(), strict=True):
        share[region, colour] += 1 / regions.count[region]
    expected = []
    for i in range(r):
        total = 0.0
        for j in range(r):
            difference = sum(
                share[i, a] * share[j, b] * math.dist(colours.lab[a], colours.lab[b])
                for a in range(m)
                for b in range(m)
            )
            near = math.exp(-(math.dist(regions.centre[i], regions.centre[j]) ** 2) / 0.4)
            total += regions.count[j] * difference * near
        ox, oy = regions.offset[i]
        expected.append(math.exp(-9 * (ox**2 + oy**2)) * total)
    np.testing.assert_allclose(steps.contrast(colours, regions, CFG), expected, rtol=1e-12)


def test_border_regions_are_those_with_much_of_their_extent_in_the_frame():
    label = np.zeros((100, 150), int)  # 0: a ring that touches all sides
    label[20:80, 30:120] = 1  # in the middle
    label[60:100, 70:80] = 2  # a leg that ends at the lower side: 10 of its extent of 10 across
    label[0:4, 130:132] = 3  # tiny, at the upper side
    regions = steps.describe(label)
    expected = []
    for region in range(4):
        ys, xs = np.nonzero(label == region)
        beside, above = ((xs < 3) | (xs >= 147)).sum() / 3, ((ys < 2) | (ys >= 98)).sum() / 2
        along_y = 4 * max(np.abs(ys - ys.mean()).mean(), 0.25)
        along_x = 4 * max(np.abs(xs - xs.mean()).mean(), 0.25)
        expected.append(beside / along_y + above / along_x)
    for threshold in (0.2, 0.4, 0.9, 2.0):
        np.testing.assert_array_equal(steps.border_regions(regions, threshold), np.array(expected) > threshold)
    assert steps.border_regions(regions, 0.4).tolist() == [True, False, True, True]
    side = steps.describe((np.arange(100) < 30)[None].repeat(80, 0).astype(int))
    assert steps.border_regions(side, 0.99).tolist() == [True, True]  # one side from end to end


def test_the_frame_is_two_percent_of_each_side():
    assert np.argwhere(~steps.frame((100, 200))).min(0).tolist() == [2, 4]
    assert (~steps.frame((100, 200))).sum() == 96 * 192
    assert (~steps.frame((10, 10))).sum() == 64
    assert steps.frame((2, 9)).all()


@pytest.mark.parametrize("m", [1, 2, 3, 25])
def test_colours_are_smoothed_over_their_neighbours(m):
    rng = np.random.default_rng(m)
    colours = Palette(np.zeros((1, 1), int), rng.uniform(0, 100, (m, 3)), rng.integers(1, 50, m))
    saliency = rng.random(m)
    n = min(max(round(m / 10), 2), m)
    expected = []
    for i in range(m):
        order = sorted(range(m), key=lambda j: math.dist(colours.lab[i], colours.lab[j]))[:n]
        distance = {j: math.dist(colours.lab[i], colours.lab[j]) for j in order}
        weight = {j: (sum(distance.values()) - distance[j]) * colours.count[j] for j in order} if m > 1 else {0: 1}
        expected.append(sum(weight[j] * saliency[j] for j in order) / sum(weight.values()))
    np.testing.assert_allclose(steps.smooth_colours(colours, saliency), expected, rtol=1e-12)


def test_the_whole_is_its_steps_in_order():
    image = picture(40, 52, 7)
    colours, regions = palette(image), steps.describe(steps.segment(image, CFG))
    height, width = regions.label.shape
    outside = [steps.border_regions(regions, 0.4)[r] for r in regions.label.ravel()] | steps.frame((40, 52)).ravel()
    value = steps.unit(steps.contrast(colours, regions, CFG))
    pixels = [0 if out else value[r] for out, r in zip(outside, regions.label.ravel(), strict=True)]
    for index, count, smooth in (
        (colours.index, colours.count, lambda v: steps.unit(steps.smooth_colours(colours, v))),
        (regions.label, regions.count, steps.unit),
    ):
        sums = np.zeros(len(count))
        for place, pixel in zip(index.ravel(), pixels, strict=True):
            sums[place] += pixel
        means = smooth(sums / count)
        pixels = [means[place] for place in index.ravel()]
    plane = np.pad(np.where(outside, 0, pixels).reshape(height, width), 1, "edge")
    blurred = np.zeros((height, width))
    for dy, wy in ((0, 0.25), (1, 0.5), (2, 0.25)):
        for dx, wx in ((0, 0.25), (1, 0.5), (2, 0.25)):
            blurred += wy * wx * plane[dy : dy + height, dx : dx + width]
    np.testing.assert_allclose(region_contrast(image, CFG), blurred, atol=1e-6)
    assert blurred.max() > 0.5


@settings(deadline=None, max_examples=60)
@given(IMAGES)
def test_any_image_gives_numbers_between_0_and_1(shape):
    image = picture(*shape)
    for found in (region_contrast(image, CFG), spectral_residual(image), centre_prior(image.shape[:2])):
        assert found.shape == image.shape[:2]
        assert found.dtype == np.float32
        assert (found >= 0).all()
        assert (found <= 1).all()
    np.testing.assert_array_equal(region_contrast(image, CFG), region_contrast(image.copy(), CFG))


@given(st.tuples(st.integers(1, 30), st.integers(1, 30)), st.tuples(*[st.integers(0, 255)] * 3))
@settings(deadline=None, max_examples=30)
def test_an_image_of_one_colour_has_nothing_salient(shape, colour):
    image = np.full((*shape, 3), colour, np.uint8)
    assert not region_contrast(image, CFG).any()
    assert not spectral_residual(image).any()
    assert not salient(region_contrast(image, CFG)).any()


def scene_of_flat_colours() -> np.ndarray:
    """Areas of one colour whose segmentation does not depend on the order in which pixels are joined."""
    image = np.full((60, 80, 3), (60, 90, 160), np.uint8)
    image[40:] = (90, 140, 60)
    image[18:42, 25:55] = (220, 60, 40)
    image[24:30, 40:50] = (240, 200, 40)
    return image


@pytest.mark.parametrize("axis", [0, 1])
def test_a_flipped_image_has_a_flipped_map(axis):
    image = scene_of_flat_colours()
    flipped = region_contrast(np.flip(image, axis), CFG)
    np.testing.assert_allclose(np.flip(flipped, axis), region_contrast(image, CFG), atol=1e-6)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_contrast_of_given_regions_is_the_same_in_a_mirror(seed):
    regions, colours = regions_of(seed), palette(picture(12, 9, seed))
    mirrored = replace(colours, index=colours.index[:, ::-1])
    other = steps.describe(regions.label[:, ::-1])
    np.testing.assert_allclose(steps.contrast(mirrored, other, CFG), steps.contrast(colours, regions, CFG), rtol=1e-9)


@pytest.mark.parametrize("shape", [(48, 64), (72, 72), (192, 256)])
def test_an_object_stands_out_at_any_resolution(shape):
    rng = np.random.default_rng(0)
    height, width = shape
    y, x = np.mgrid[:height, :width]
    truth = (((y / height - 0.55) / 0.25) ** 2 + ((x / width - 0.45) / 0.2) ** 2 < 1).astype(int)
    image = np.where(truth[..., None] > 0, (200, 70, 60), (70, 110, 150)) + rng.normal(0, 8, (*shape, 3))
    found = region_contrast(image.clip(0, 255).astype(np.uint8), CFG)
    assert foreground_f(salient(found), truth) > 0.93


def test_what_touches_the_border_from_end_to_end_does_not_stand_out():
    image = scene_of_flat_colours()
    found = region_contrast(image, CFG)
    assert found[22:38, 28:38].min() > 0.5
    assert found[44:].max() == 0
    assert found[:14].max() == 0


def test_the_middle_and_the_odd_one_out_are_what_the_baselines_see():
    centre = centre_prior((31, 51))
    assert np.unravel_index(centre.argmax(), centre.shape) == (15, 25)
    np.testing.assert_allclose(centre, centre[::-1, ::-1], rtol=1e-6)
    np.testing.assert_allclose(centre[0, 25], math.exp(-9 * (0.5 / 31 - 0.5) ** 2), rtol=1e-6)
    rng = np.random.default_rng(0)
    image = np.full((128, 128, 3), 230, np.uint8)
    for i, (top, left) in enumerate((t, k) for t in range(4, 128, 16) for k in range(4, 128, 16)):
        top, left = top + rng.integers(-2, 3), left + rng.integers(-2, 3)
        height, width = (10, 3) if i != 42 else (8, 8)  # bars, and one square among them
        image[top : top + height, left : left + width] = 30
    y, x = np.unravel_index(spectral_residual(image).argmax(), (128, 128))
    assert abs(y - 88) < 8
    assert abs(x - 40) < 8


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_f_is_that_of_the_evaluator(seed, share):
    rng = np.random.default_rng(seed)
    saliency = rng.random((7, 8)) ** 3
    truth = np.where(rng.random((7, 8)) < share, rng.integers(1, 4, (7, 8)), 0)
    truth[rng.random((7, 8)) < 0.1] = 1000
    mask = salient(saliency)
    np.testing.assert_array_equal(mask, saliency >= min(1, 2 * saliency.mean()))
    known = [(bool(p), t > 0) for p, t in zip(mask.ravel(), truth.ravel(), strict=True) if t != 1000]
    hit = sum(p and t for p, t in known)
    expected = 0.0
    if hit:
        precision, recall = hit / sum(p for p, _ in known), hit / sum(t for _, t in known)
        expected = 1.3 * precision * recall / (0.3 * precision + recall)
    assert foreground_f(mask, truth) == pytest.approx(expected, rel=1e-12)
    assert image_counts(mask.astype(int), truth, 3).f == pytest.approx(expected, rel=1e-12)
