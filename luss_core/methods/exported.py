"""A segmenter that needs no other file of its run: what the stage export wrote, ready for images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from luss_core.data.decode import reduced, stored_size
from luss_core.data.masks import at_threshold
from luss_core.data.normalization import MEAN, STD
from luss_core.errors import UserError
from luss_core.methods.segmenter import Segmenter, make_segmenter
from luss_core.methods.whole_images import segment_image
from luss_core.models.weights import load_network
from luss_core.runtime import autocast

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Exported:
    """Segments images as the stage infer does, and calls the categories what evaluate found that they are."""

    network: Segmenter
    short_side: int
    """Larger images are first reduced to this, as the stage prepare does."""
    size: int
    """Shorter side in pixels of what the network sees."""
    score_max: float
    """The score that counts as 100."""
    threshold: int
    """Foreground from this score on, in hundredths of ``score_max``."""
    match: dict[str, int] | None
    """Class of each category; None without ground truth."""
    names: list[str] | None
    """Of the classes, "other" first; None without ground truth."""
    vote: str = "pixel"
    """object: each connected piece of the foreground has one category."""

    def segment(self, image: np.ndarray) -> np.ndarray:
        """(H, W) int32: the class of every pixel, or its category where no class is known; 0 is other.

        The mask that infer made of the same pixels. JPEG files may differ in few of them: prepare reduces large ones
        while it decodes them.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            UserError: it is something else.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise UserError(
                f"an image of shape {image.shape} and type {image.dtype} cannot be segmented; give height x width x 3"
                " values of uint8, red first"
            )
        shape = height, width = image.shape[:2]
        stored = np.asarray(reduced(Image.fromarray(image), stored_size(height, width, self.short_side)))
        with torch.inference_mode(), autocast("auto", next(self.network.parameters()).device):
            vote_from = self.threshold if self.vote == "object" else None
            label, levels = segment_image(self.network, stored, self.size, shape, self.score_max, vote_from)
        mask = at_threshold(label, levels, self.threshold)
        return mask if self.match is None else self._class_of[mask]

    @property
    def _class_of(self) -> np.ndarray:
        """(C + 1,) int32."""
        assert self.match is not None
        return np.array([self.match[str(k)] for k in range(len(self.match))], np.int32)


def load_exported(path: Path, device: torch.device = CPU) -> Exported:
    """What ``export`` wrote.

    Raises:
        UserError: the file is missing or damaged, or holds something else.
    """
    settings: dict[str, Any] = {}

    def build(about: dict[str, Any]) -> Segmenter:
        settings.update({key: about[key] for key in ("short_side", "size", "score_max", "threshold", "match", "names")})
        settings["vote"] = about.get("vote", "pixel")  # of files from before there was a choice
        if (tuple(about["mean"]), tuple(about["std"])) != (MEAN, STD):
            raise ValueError(f"images are normalised by {about['mean']} and {about['std']}, not by {MEAN} and {STD}")
        return make_segmenter(about)

    network = load_network(path, "network that segments on its own", "export", build)
    return Exported(network.to(device), **settings)
