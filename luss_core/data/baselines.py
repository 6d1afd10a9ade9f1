"""Two simple saliency maps, beside which the prior is reported."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, uniform_filter

CENTRE_WEIGHT = 9.0
"""The preference of region contrast for the middle, alone."""
SIDE = 64
"""Longer side at which the spectrum is taken: larger structures stand out at a coarser scale, Sec. 3.1 of the paper."""
AVERAGE = 3
"""Side of the window over which the log spectrum is averaged."""
SIGMA = 2.5
"""Of the final blur, in pixels of the reduced image."""


def centre_prior(shape: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 in (0, 1]: a Gaussian about the middle of the image, the same for every image of a shape."""
    y, x = ((np.arange(side) + 0.5) / side - 0.5 for side in shape)
    return np.exp(-CENTRE_WEIGHT * (y[:, None] ** 2 + x**2)).astype(np.float32)


def spectral_residual(image: np.ndarray) -> np.ndarray:
    """What of the log spectrum is unexpected, back in the image: Hou and Zhang 2007, CVPR.

    Args:
        image: (H, W, 3) uint8.

    Returns:
        (H, W) float32 in [0, 1]; 0 for an image of one grey.
    """
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    small = Image.fromarray(image).convert("L")
    small = small.resize((max(1, round(scale * width)), max(1, round(scale * height))), Image.Resampling.BILINEAR)
    grey = np.asarray(small, np.float64) / 255
    if not np.ptp(grey):
        return np.zeros((height, width), np.float32)  # the spectrum would be of rounding errors
    spectrum = np.fft.fft2(grey)
    log = np.log(np.abs(spectrum) + 1e-9)
    residual = log - uniform_filter(log, AVERAGE, mode="nearest")
    energy = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    energy = gaussian_filter(energy, SIGMA, mode="constant")  # the border itself is unexpected: it counts less
    energy = (energy - energy.min()) / max(np.ptp(energy), 1e-12)
    whole = Image.fromarray(energy.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(whole).clip(0, 1)
