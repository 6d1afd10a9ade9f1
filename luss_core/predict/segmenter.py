"""A finished model as a function: image -> ids of categories."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from luss_core.away.corrections import edits_beside
from luss_core.away.legend import Category, colours_of, corrected, legend_of_model, shown
from luss_core.away.model_file import model_file
from luss_core.data.decode import SIDEWAYS, UPRIGHT, Decoded, decode, orientation_of, reduced, stored_size, to_rgb
from luss_core.edits import Edits
from luss_core.errors import UserError
from luss_core.methods.exported import CPU, Exported, load_exported
from luss_core.models.tensor_file import digests, read_about


class Segmenter:
    """Segments images: ``Segmenter.load("model.safetensors")("photograph.jpg")``."""

    def __init__(
        self, model: Exported, legend: Sequence[Category], edits: Edits, digest: str, max_megapixels: float
    ) -> None:
        """Args:
        legend: what each id means.
        edits: what a person corrected.
        digest: of the file, to be told from others.
        max_megapixels: larger files are refused, as in the run.
        """
        self.model, self.edits, self.digest, self.max_megapixels = model, edits, digest, max_megapixels
        self.legend = corrected(legend, edits)

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = CPU) -> "Segmenter":
        """The model of a file that export wrote, or of a finished run.

        Args:
            path: model.safetensors, or the folder of a run, or one above it that holds one run.

        Raises:
            UserError: missing, damaged, of a newer version of this program, or not clear which.
        """
        file = model_file(Path(path))
        about = read_about(file, "export")
        model = load_exported(file, torch.device(device))
        prepared = about["provenance"]["settings"].get("prepare", {})
        legend = legend_of_model(about)
        edits = edits_beside(file, about, len(legend) - 1)
        return cls(model, legend, edits, digests(file)[1], prepared.get("max_megapixels", 64))

    @property
    def categories(self) -> list[Category]:
        """Those that masks may hold, other first."""
        return shown(self.legend, self.edits)

    @property
    def names(self) -> list[str]:
        """Of the ids 0..C."""
        return [category.name for category in self.legend]

    @property
    def colours(self) -> np.ndarray:
        """(C + 1, 3) uint8 of the ids 0..C."""
        return colours_of(self.legend)

    def __call__(self, image: str | Path | Image.Image | np.ndarray) -> np.ndarray:
        """(H, W) int32 ids of an image, upright: the mask that the stage infer makes of it, as a person corrected it.

        Args:
            image: a file, an image of Pillow, or (H, W, 3) uint8 RGB.

        Raises:
            UserError: it cannot be read, or is no image.
        """
        (ids,) = self.masks([self.decode(image)])
        return ids

    def masks(self, images: Sequence[Decoded]) -> list[np.ndarray]:
        """(H, W) int32 ids of each of some images, whose stored pixels have one shape."""
        found = self.model.clusters(images)
        return found if self.edits.empty else [self.edits.apply_to_mask(ids) for ids in found]

    def decode(self, image: str | Path | Image.Image | np.ndarray) -> Decoded:
        """The image as the network is given it.

        Raises:
            UserError: it cannot be read, or is no image.
        """
        if isinstance(image, str | os.PathLike):
            try:
                return decode(Path(image), self.model.short_side, self.model.white)
            except Exception as error:  # of broken files Pillow raises anything
                raise UserError(f"{image} cannot be read as an image: {error or type(error).__name__}") from error
        if isinstance(image, np.ndarray):
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
                raise UserError(
                    f"an image of shape {image.shape} and type {image.dtype} cannot be segmented; give height x width"
                    " x 3 values of uint8, red first"
                )
            image = Image.fromarray(image)
        return self._of_pillow(image)

    def _of_pillow(self, image: Image.Image) -> Decoded:
        width, height = image.size
        rgb = reduced(to_rgb(image, self.model.white), stored_size(height, width, self.model.short_side))
        turn = UPRIGHT.get(orientation_of(image))
        if turn is not None:
            rgb = rgb.transpose(turn)
            height, width = (width, height) if turn in SIDEWAYS else (height, width)
        return Decoded(np.asarray(rgb), height, width)
