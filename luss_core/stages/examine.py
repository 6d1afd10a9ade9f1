"""What the encoder learned: images and encoder -> examine.json, and the attention to the images of the pages."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from luss_core.config import ExamineConfig, PretrainConfig, ViewsConfig
from luss_core.data.images import ImageList, read_images
from luss_core.data.loader import Views
from luss_core.data.masks import resize_nearest
from luss_core.data.spread import attended_rows, compared_rows
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, to_network
from luss_core.errors import UserError
from luss_core.io import atomic_folder, provenance, write_json
from luss_core.methods.kept_heads import load_heads
from luss_core.metrics.consistency import CategorySums, view_cosines
from luss_core.metrics.saliency import RULE, foreground_f, salient
from luss_core.models.encoder import Encoder, load_encoder, split
from luss_core.models.tensor_file import read_about
from luss_core.runtime import autocast
from luss_core.stages.similar import write_similarity

logger = logging.getLogger(__name__)

SEGMENTED = ("validation", "test")
"""Splits with images that the pages show; of a data set that has neither all, as by infer."""
SEED = 0
"""Every run is measured on the same views."""
PAIR = 2


@dataclass
class ExamineSums:
    """Sums over the whole images so far."""

    categories: CategorySums
    scored: int = 0
    """Images with truth."""
    attention_f: float = 0.0
    prior_f: float = 0.0
    attended: int = 0
    """Images with attention."""
    attention: np.ndarray = field(default_factory=lambda: np.zeros(3))
    """Least, mean and greatest weight of an image."""


def examine(
    cfg: ExamineConfig,
    *,
    images: Path,
    store: Path,
    encoder: Path,
    prior: Path | None,
    classes: int,
    out: Path,
    attention: Path,
    similarity: Path,
    device: torch.device,
) -> None:
    """Measure the output map of the encoder, and write its attention to the images that the pages show it of.

    ``out`` holds view_cos and cat_cos (-1..1; Table 5 of the LUSS paper) and the F of attention and prior in percent,
    null where there is no truth or no attention. ``attention`` holds <split>/<id>.png at the resolution of the map,
    each stretched from its least (0) to its greatest weight (255); it is empty where there is no attention.
    ``similarity`` holds what `write_similarity` makes of heads beside the encoder; it is empty where there are none.
    """
    listing, pixels, network = read_images(images), Store(store), load_encoder(encoder).to(device)
    part = "validation" if "validation" in listing.splits else "train"
    rows = even_sample(listing.rows(part), cfg.images)
    with torch.inference_mode(), autocast("auto", device):
        trained = trained_with(encoder)
        view_cos, pairs = view_cosine(cfg, network, Views(pixels, rows, large_views(trained), SEED), device)
        with atomic_folder(attention) as folder:
            saliency = None if prior is None else Store(prior, "prior")
            sums = ExamineSums(CategorySums(classes, network.width))
            examine_images(cfg, network, listing, pixels, saliency, rows, folder, sums)
        with atomic_folder(similarity) as folder:
            heads = load_heads(encoder, trained, network).to(device)
            write_similarity(cfg, trained, network, heads, images=images, listing=listing, pixels=pixels, folder=folder)
    found = {
        "view_cos": view_cos,
        "cat_cos": sums.categories.cosine(),
        "split": part,
        "images": len(rows),
        "pairs": pairs,
        "categories": len(sums.categories.cosines()),
        **_attention(sums, network.attention is not None, saliency is not None),
        "provenance": provenance({"examine": cfg.model_dump(mode="json")}),
    }
    write_json(out, found)
    logger.info("examine: %s", ", ".join(f"{key} {found[key]}" for key in ("view_cos", "cat_cos", "attention_F")))


def even_sample(rows: np.ndarray, most: int) -> np.ndarray:
    """``most`` of the rows at even distances, or all where there are fewer."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]


def trained_with(encoder: Path) -> PretrainConfig:
    """What the encoder was trained with, which its file says.

    Raises:
        UserError: it does not, or in words of another version.
    """
    about = read_about(encoder, "pretrain")
    try:
        return PretrainConfig.model_validate(about["provenance"]["settings"]["pretrain"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{encoder} does not say with which views it was trained; run pretrain again") from error


def large_views(trained: PretrainConfig) -> ViewsConfig:
    """Two large views as an encoder was trained with."""
    views = trained.views
    return views.model_copy(update={"crops": (views.crops[0].model_copy(update={"count": PAIR}),)})


def view_cosine(cfg: ExamineConfig, network: Encoder, views: Views, device: torch.device) -> tuple[float | None, int]:
    """Mean cosine of one place in two views over all places, and how many pairs of views overlap; None if none does."""
    total, places, pairs = 0.0, 0, 0
    for draw in range(cfg.draws):
        for start in range(0, len(views), cfg.batch_size):
            batch = views[views.keys(draw, range(start, min(start + cfg.batch_size, len(views))))].to(device)
            maps = [m.output for m in split(network(torch.cat(batch.views())), PAIR)]
            cosines = view_cosines((maps[0], maps[1]), (batch.parameters[0], batch.parameters[1]), cfg.grid)
            total, places = total + float(cosines.cpu().double().sum()), places + cosines.numel()
            pairs += len(cosines)
    return (total / places if places else None), pairs


def examine_images(
    cfg: ExamineConfig,
    network: Encoder,
    listing: ImageList,
    pixels: Store,
    saliency: Store | None,
    rows: np.ndarray,
    folder: Path,
    sums: ExamineSums,
) -> None:
    """Go through the whole images one by one: ``rows`` are measured, those of the pages leave their attention.

    A position of the map is of the category of the pixel under its middle.
    """
    measured, shown, device = set(rows.tolist()), shown_rows(listing), next(network.parameters()).device
    for row in tqdm(sorted(measured | shown), unit="image", disable=None):
        if network.attention is None and not listing.mask[row]:
            continue
        image = resize_short(pixels.read(row), cfg.size, network.backbone.multiple)
        maps = network(to_network(image[None], device))
        weights = None if maps.attention is None else maps.attention[0, 0].float().sigmoid().cpu().numpy()
        if weights is not None and row in shown:
            _write(folder / listing.split[row] / f"{listing.id[row]}.png", stretched(weights))
        if weights is not None and row in measured:
            sums.attended += 1
            sums.attention += weights.min(), weights.mean(), weights.max()
        mask = listing.truth(row) if row in measured else None
        if mask:
            truth = mask.read()
            height, width = maps.output.shape[-2:]
            sums.categories.add(maps.output[0].float(), torch.from_numpy(resize_nearest(truth, height, width)))
            sums.scored += 1
            sums.attention_f += 0.0 if weights is None else _f(stretched(weights), truth)
            sums.prior_f += 0.0 if saliency is None else _f(saliency.read(row)[..., 0] / np.float32(255), truth)


def shown_rows(listing: ImageList) -> set[int]:
    """Rows whose attention the pages show: a few of each split."""
    splits = [name for name in listing.splits if name in SEGMENTED] or listing.splits
    return {row for name in splits for row in (*attended_rows(listing, name), *compared_rows(listing, name))}


def stretched(weights: np.ndarray) -> np.ndarray:
    """(h, w) weights from 0 at the least to 1 at the greatest, as saliency maps are; 0 where all are equal."""
    low, high = float(weights.min()), float(weights.max())
    return ((weights - low) / max(high - low, 1e-12)).astype(np.float32)


def _f(plane: np.ndarray, truth: np.ndarray) -> float:
    """F of a float32 map at the size of the truth."""
    whole = Image.fromarray(plane).resize(truth.shape[::-1], Image.Resampling.BILINEAR)
    return foreground_f(salient(np.asarray(whole)), truth)


def _write(path: Path, plane: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(plane * 255).astype(np.uint8)).save(path, "PNG")


def _attention(sums: ExamineSums, attention: bool, prior: bool) -> dict[str, Any]:
    """What examine.json says of the attention."""
    percent = 100 / max(sums.scored, 1)
    low, mean, high = (sums.attention / max(sums.attended, 1)).tolist()
    return {
        "attention": {"lowest": low, "mean": mean, "highest": high, "images": sums.attended} if attention else None,
        "attention_F": sums.attention_f * percent if attention and sums.scored else None,
        "prior_F": sums.prior_f * percent if prior and sums.scored else None,
        "F_rule": RULE,
        "F_images": sums.scored,
    }
