"""A segmenter that needs no other file of its run: what the stage export wrote, ready for images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from luss_core.config.advcam import AdvCAMConfig
from luss_core.data.decode import FULL, Decoded, reduced, stored_size
from luss_core.data.normalization import MEAN, STD
from luss_core.data.whole import to_network
from luss_core.errors import UserError
from luss_core.methods.advcam import AdvCAM, with_advcam
from luss_core.methods.cams import make_segmenter
from luss_core.methods.segmenter import Segmented, Segmenter
from luss_core.methods.vote import VOTES
from luss_core.methods.whole_images import Cut, enlarged, seen
from luss_core.models.weights import load_network
from luss_core.runtime import autocast

READ = 3
"""The newest version of files that is read here; see luss_core/stages/export.py."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Exported:
    """Segments images as the stage infer does, and calls the categories what evaluate found that they are."""

    network: Segmenter | AdvCAM
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
    white: int = FULL
    """Value that is white in images of 16 bits."""
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
        height, width = image.shape[:2]
        stored = np.asarray(reduced(Image.fromarray(image), stored_size(height, width, self.short_side)))
        (mask,) = self.clusters([Decoded(stored, height, width)])
        return mask if self.match is None else self._class_of[mask]

    def clusters(self, images: Sequence[Decoded]) -> list[np.ndarray]:
        """(H, W) int32 of each image: the ids that infer writes, 0 is other.

        Args:
            images: decoded with ``short_side`` and ``white``; the network takes those of one shape together.
        """
        device = next(self.network.parameters()).device
        with torch.inference_mode(), autocast("auto", device):
            return self.cut(self.network.segment(to_network(self.input_of(images), device)), images)

    def input_of(self, images: Sequence[Decoded]) -> torch.Tensor:
        """(B, 3, h, w) uint8, what the network is given of images of one shape."""
        return seen([image.pixels for image in images], self.size, self.network.encoder.backbone.multiple)

    def cut(self, found: Segmented, images: Sequence[Decoded]) -> list[np.ndarray]:
        """The masks of what the network, or a copy of it in another form, said of images."""
        shapes = [(image.height, image.width) for image in images]
        cut = Cut(self.score_max, self.threshold)
        maps = enlarged(found, shapes, cut if self.vote == "object" else None)
        return [np.where(cut(score), label, 0) for label, score in maps]

    @property
    def _class_of(self) -> np.ndarray:
        """(C + 1,) int32."""
        assert self.match is not None
        return np.array([self.match[str(k)] for k in range(len(self.match))], np.int32)


def load_exported(path: Path, device: torch.device = CPU) -> Exported:
    """What ``export`` wrote.

    Raises:
        UserError: the file is missing or damaged, holds something else, or is of a newer version of this program.
    """
    settings: dict[str, Any] = {}
    climb: list[AdvCAMConfig] = []

    def build(about: dict[str, Any]) -> Segmenter:
        _check_version(path, about.get("version", 1))
        settings.update({key: about[key] for key in ("short_side", "size", "score_max", "threshold", "match", "names")})
        settings["white"] = about.get("white", FULL)
        settings["vote"] = about.get("vote", "pixel")  # files of version 1 do not say
        if settings["vote"] not in VOTES:
            raise ValueError(f"vote is {settings['vote']!r}, not one of {', '.join(VOTES)}")
        if (tuple(about["mean"]), tuple(about["std"])) != (MEAN, STD):
            raise ValueError(f"images are normalised by {about['mean']} and {about['std']}, not by {MEAN} and {STD}")
        if about.get("advcam"):
            climb.append(AdvCAMConfig.model_validate(about["advcam"]))
        return make_segmenter(about)

    network = load_network(path, "network that segments on its own", "export", build).to(device)
    return Exported(with_advcam(network, climb[0] if climb else None), **settings)


def _check_version(path: Path, version: object) -> None:
    """Raises:
    UserError: a later one than is known here, with which masks could be wrong.
    """
    if not isinstance(version, int) or version > READ:
        raise UserError(
            f"{path} was exported by a newer version of this program (its files have version {version}, this one reads"
            f" up to {READ}); update this program, or export the run again with this one"
        )
