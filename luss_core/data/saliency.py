"""Region contrast: what stands out from the rest of an image, without learning. Cheng et al. 2015, TPAMI 37(3).

A region is salient if its colours differ from those of large, near regions and it lies towards the middle. The
constants that the paper leaves open are those of the code in circulation.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import correlate1d
from scipy.spatial.distance import cdist
from skimage.color import rgb2lab
from skimage.segmentation import felzenszwalb

from luss_core.config import PriorConfig
from luss_core.data.palette import Palette, palette

REFERENCE_PIXELS = 400 * 300
"""Size of the images that ``min_region`` is meant for; for others it changes in proportion to the area."""
FRAME = 0.02
"""Width of the frame, as a fraction of the sides, that always counts as background."""
NEIGHBOURS = 0.1
"""Share of the colours, but at least two, over which the saliency of a colour is averaged."""
BLUR = (0.25, 0.5, 0.25)


@dataclass(frozen=True)
class Regions:
    """R connected regions."""

    label: np.ndarray
    """(H, W) int64, 0..R-1."""
    count: np.ndarray
    """(R,) int64 pixels of each."""
    centre: np.ndarray
    """(R, 2) mean x and y, as fractions of the sides."""
    offset: np.ndarray
    """(R, 2) mean distance of x and y from the middle of the image, as fractions of the sides."""
    deviation: np.ndarray
    """(R, 2) mean distance of x and y from the region's own centre, in pixels."""


def region_contrast(image: np.ndarray, cfg: PriorConfig) -> np.ndarray:
    """Saliency of each pixel of an (H, W, 3) uint8 image: (H, W) float32 in [0, 1]; 0 where nothing stands out."""
    colours = palette(image)
    regions = describe(segment(image, cfg))
    background = border_regions(regions, cfg.border)[regions.label] | frame(image.shape[:2])
    saliency = unit(contrast(colours, regions, cfg))[regions.label]
    saliency[background] = 0
    smooth = unit(smooth_colours(colours, mean_of(saliency, colours.index, colours.count)))[colours.index]
    saliency = unit(mean_of(smooth, regions.label, regions.count))[regions.label]
    saliency[background] = 0
    for axis in (0, 1):
        saliency = correlate1d(saliency, BLUR, axis, mode="nearest")
    return saliency.clip(0, 1).astype(np.float32)


def segment(image: np.ndarray, cfg: PriorConfig) -> np.ndarray:
    """(H, W) int64 regions of similar colour, Felzenszwalb and Huttenlocher 2004, in CIE Lab."""
    pixels = image.shape[0] * image.shape[1]
    smallest = max(1, round(cfg.min_region * pixels / REFERENCE_PIXELS))
    # scikit-image divides the scale by 255, for colours in 0..1; Lab is in 0..100
    lab = rgb2lab(image.astype(np.float32) / 255)  # single precision in half the time
    return felzenszwalb(lab, scale=255 * cfg.segment_scale, sigma=cfg.segment_sigma, min_size=smallest)


def describe(label: np.ndarray) -> Regions:
    """Size, place and extent of each region."""
    flat, (height, width) = label.ravel(), label.shape
    count = np.bincount(flat)
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(flat, values) / count

    mean_x, mean_y = mean(x), mean(y)
    sides = np.array([width, height])
    return Regions(
        label,
        count,
        (np.stack([mean_x, mean_y], axis=1) + 0.5) / sides,
        np.stack([mean(np.abs(x + 0.5 - width / 2)), mean(np.abs(y + 0.5 - height / 2))], axis=1) / sides,
        np.stack([mean(np.abs(x - mean_x[flat])), mean(np.abs(y - mean_y[flat]))], axis=1),
    )


def contrast(colours: Palette, regions: Regions, cfg: PriorConfig) -> np.ndarray:
    """(R,) contrast of each region to all others, weighted by their size and nearness, and by its own place.

    s_i = exp(-w |o_i|^2) sum_j n_j D_ij exp(-|c_i - c_j|^2 / spread), where D = H C H^T is the mean distance of the
    colours of two regions: H their histograms, C the distances of the colours.
    """
    m, r = len(colours.count), len(regions.count)
    histogram = np.bincount((regions.label * m + colours.index).ravel(), minlength=r * m).reshape(r, m)
    shares = histogram / regions.count[:, None]
    difference = shares @ cdist(colours.lab, colours.lab) @ shares.T  # (R, R)
    nearness = np.exp(-cdist(regions.centre, regions.centre, "sqeuclidean") / cfg.spatial_spread)
    middle = np.exp(-cfg.centre_weight * (regions.offset**2).sum(axis=1))
    return middle * ((difference * nearness) @ regions.count)


def border_regions(regions: Regions, threshold: float) -> np.ndarray:
    """(R,) bool, regions that lie along the border: their share of the frame is large for their extent.

    A region that fills one side of the image from end to end has a likelihood of about 1 from that side.
    """
    label, r = regions.label, len(regions.count)
    rows, columns = _frame_width(label.shape)
    beside = np.bincount(np.r_[label[:, :columns].ravel(), label[:, -columns:].ravel()], minlength=r)
    above = np.bincount(np.r_[label[:rows].ravel(), label[-rows:].ravel()], minlength=r)
    extent = 4 * np.maximum(regions.deviation, 0.25)  # of one pixel at least
    return beside / columns / extent[:, 1] + above / rows / extent[:, 0] > threshold


def frame(shape: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, the outermost pixels."""
    rows, columns = _frame_width(shape)
    outside = np.ones(shape, bool)
    outside[rows:-rows, columns:-columns] = False
    return outside


def smooth_colours(colours: Palette, saliency: np.ndarray) -> np.ndarray:
    """(M,) saliency of each colour averaged over the nearest colours, Sec. 4.2 of the paper.

    A colour at distance d weighs T - d, where T is the sum of the distances, and as much as it has pixels.
    """
    n = min(max(round(NEIGHBOURS * len(saliency)), 2), len(saliency))
    distance = cdist(colours.lab, colours.lab)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :n]
    distance = np.take_along_axis(distance, nearest, axis=1)
    weight = (distance.sum(axis=1, keepdims=True) - distance) * colours.count[nearest]
    weight[weight.sum(axis=1) == 0] = 1  # one colour alone
    return (weight * saliency[nearest]).sum(axis=1) / weight.sum(axis=1)


def mean_of(values: np.ndarray, index: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(n,) mean of the values of the pixels with each index."""
    return np.bincount(index.ravel(), values.ravel(), len(count)) / count


def unit(values: np.ndarray) -> np.ndarray:
    """Scaled to [0, 1]; 0 where all are equal but for rounding."""
    low, high = values.min(), values.max()
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return np.zeros_like(values)
    return (values - low) / (high - low)


def _frame_width(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of pixels at each side."""
    return max(1, round(FRAME * shape[0])), max(1, round(FRAME * shape[1]))
