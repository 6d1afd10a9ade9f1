"""What is foreground: F of each cue, of their products, and of what they teach, for an encoder with weights.

    python benchmarks/foreground.py --prepared results/objects8/prepare --prior results/objects8/prior/prior.h5 \\
        --encoder results/objects8/frozen/seed0/pretrain/encoder.safetensors --size 224 \\
        [--segmenter results/objects8/frozen/seed0/finetune/segmenter.safetensors] [--stage 4] [--images 100]

Cues are made as the method foreground makes them: stretched to [0, 1] in each image, at the resolution of the attention
where the encoder has one, else of the stage. `attention` is the encoder's own, as that method left it; `activation map`
is the greatest of the categories of a segmenter. All are cut as the stage infer does it, bilinearly at the size of the
image: the threshold is Otsu's over training images, without truth. The oracle is the threshold with the greatest F on
the first of the splits, used for all of them. F (beta^2 = 0.3) is the mean over the images of a split, in percent.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from memory import peak
from torch import Tensor

from luss_core import cli
from luss_core.config import InferConfig
from luss_core.data.images import ImageList, read_images
from luss_core.data.masks import IGNORE
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, to_network
from luss_core.errors import UserError
from luss_core.losses.cues import CUES, CUES_OF_HEADS, together
from luss_core.methods.cams import load_segmenter
from luss_core.methods.segmenter import Segmented, Segmenter
from luss_core.methods.whole_images import foreground, labels_and_scores, to_levels
from luss_core.metrics.counts import f_measure
from luss_core.metrics.threshold import THRESHOLDS, otsu
from luss_core.models.encoder import Encoder, Maps, load_encoder
from luss_core.parallel import progress
from luss_core.runtime import autocast, make_device
from luss_core.stages.infer import Scale, sampled, scale_of

SPLITS = ("validation", "test")
Curves = dict[str, np.ndarray]
"""By cue, (81,) F in percent at each threshold."""


def main(argv: list[str] | None = None) -> None:
    args = arguments(argv)
    device, start = make_device("auto", args.threads), time.perf_counter()
    listing, observer = read_images(args.prepared / "images.csv"), make_observer(args, device)
    rows = {split: judged(listing, split, args.images) for split in SPLITS}
    rows = {split: found for split, found in rows.items() if len(found)}
    if not rows:
        raise UserError(f"{listing.root} has no masks of {' or '.join(SPLITS)}: there is nothing to score with")
    train = sampled(listing.rows("train"), min(InferConfig().sample, args.images or len(listing)))
    with torch.inference_mode(), autocast("auto", device):
        scales = scales_of(observer.every(train))
        curves = {split: curves_of(observer, listing, found, scales) for split, found in rows.items()}
    print("\n".join(table(scales, curves)))
    images = len(train) + sum(map(len, rows.values()))
    print(f"{images} images in {time.perf_counter() - start:.0f} s, threads {args.threads}, peak {peak():.0f} MB")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True, help="folder of prepare")
    parser.add_argument("--prior", type=Path, required=True, help="prior.h5 of prior")
    parser.add_argument("--encoder", type=Path, required=True, help="encoder.safetensors of pretrain")
    parser.add_argument("--segmenter", type=Path, help="segmenter.safetensors of finetune, for its activation maps")
    parser.add_argument("--stage", type=int, help="of the backbone, which the cues are of; the last without")
    parser.add_argument("--size", type=int, default=InferConfig().size, help="shorter side of the images in pixels")
    parser.add_argument("--images", type=int, help="of each split, at the most; all without")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args(argv)


class Observer(NamedTuple):
    """What says which part of an image is foreground."""

    encoder: Encoder
    segmenter: Segmenter | None
    """Its encoder is ``encoder`` itself where both make the same maps, so that an image passes it once."""
    pixels: Store
    saliency: Store
    stage: int
    size: int
    device: torch.device

    def every(self, rows: np.ndarray) -> Iterator[dict[str, Tensor]]:
        return progress(map(self.see, map(int, rows)), len(rows), "images")

    def see(self, row: int) -> dict[str, Tensor]:
        """By cue, (1, C, h, w) maps of one image whose greatest value at a position is its score."""
        maps = self._pass(self.encoder, row)
        found = products(cues_of(maps, self.saliency.read(row), self.stage))
        if maps.attention is not None:
            found["attention"] = foreground(Segmented(maps.output, maps.attention))[:, None]
        if self.segmenter is not None:
            own = self.segmenter.encoder
            found["activation map"] = activation(self.segmenter, maps if own is self.encoder else self._pass(own, row))
        return found

    def _pass(self, encoder: Encoder, row: int) -> Maps:
        image = resize_short(self.pixels.read(row), self.size, encoder.backbone.multiple)
        maps: Maps = encoder(to_network(image[None], self.device), heads=not encoder.backbone.headless)
        return maps


def make_observer(args: argparse.Namespace, device: torch.device) -> Observer:
    """Everything read and checked.

    Raises:
        UserError: a file is missing or damaged, the prior is of other images, or there is no such stage.
    """
    encoder, pixels = load_encoder(args.encoder).to(device), Store(args.prepared / "images.h5")
    saliency, stages = Store(args.prior, "prior"), len(encoder.backbone.widths)
    if len(saliency) != len(pixels) or saliency.about["settings"]["images"] != pixels.fingerprint:
        raise UserError(f"{args.prior} was made of other images than those in {pixels.path}; run the stage prior again")
    stage = stages if args.stage is None else args.stage
    if not 1 <= stage <= stages:
        raise UserError(f"--stage {stage}: the backbone of {args.encoder} has stages 1 to {stages}")
    segmenter = load_segmenter(args.segmenter).to(device) if args.segmenter else None
    if segmenter and alike(segmenter.encoder, encoder):
        segmenter.encoder = encoder
    return Observer(encoder, segmenter, pixels, saliency, stage, args.size, device)


def alike(one: Encoder, other: Encoder) -> bool:
    """Whether both make the same maps; attention, which activation maps do not need, may differ."""
    if (one.cfg.backbone, one.cfg.decoder) != (other.cfg.backbone, other.cfg.decoder):
        return False
    theirs = other.state_dict()
    return all(torch.equal(w, theirs[n]) for n, w in one.state_dict().items() if not n.startswith("attention."))


def cues_of(maps: Maps, saliency: np.ndarray, stage: int) -> dict[str, Tensor]:
    """(1, 1, h, w) of each name.

    Args:
        saliency: (H, W, 1) uint8.
        stage: from 1 on.
    """
    features = maps.stages[stage - 1].float()
    prior = torch.from_numpy(saliency.copy()).permute(2, 0, 1)[None].to(features) / 255
    found = {"saliency": prior, **{name: cue(features) for name, cue in CUES.items()}}
    if maps.heads is not None:
        found |= {name: cue(*maps.heads) for name, cue in CUES_OF_HEADS.items()}
    size = (features if maps.attention is None else maps.attention).shape[-2:]
    return {name: F.interpolate(cue, size, mode="bilinear", antialias=True) for name, cue in found.items()}


def products(cues: dict[str, Tensor]) -> dict[str, Tensor]:
    """Each alone, two by two, and all."""
    pairs = {" x ".join(pair): together([cues[name] for name in pair]) for pair in combinations(cues, 2)}
    return {**{name: together([cue]) for name, cue in cues.items()}, **pairs, "all": together(list(cues.values()))}


def activation(segmenter: Segmenter, maps: Maps) -> Tensor:
    """(1, C, h, w) class activation maps, whatever decides on foreground in that segmenter."""
    found: Tensor = segmenter.head(maps.output if segmenter.cfg.features == "output" else maps.stage4)
    return found


def judged(listing: ImageList, split: str, limit: int | None) -> np.ndarray:
    """Rows with a mask, at most as many, spread over the split."""
    rows = np.array([row for row in listing.rows(split) if listing.mask[row]], int)
    return rows if limit is None else sampled(rows, limit)


def scales_of(found: Iterable[dict[str, Tensor]]) -> dict[str, Scale]:
    """How the scores of each cue become levels."""
    scores = defaultdict(list)
    for image in found:
        for name, maps in image.items():
            scores[name].append(foreground(Segmented(maps, None)).flatten().cpu().numpy())
    return {name: scale_of(np.concatenate(parts)) for name, parts in scores.items()}


def curves_of(observer: Observer, listing: ImageList, rows: np.ndarray, scales: dict[str, Scale]) -> Curves:
    """Means over the images of a split."""
    sums = {name: np.zeros(THRESHOLDS) for name in scales}
    for row, image in zip(rows, observer.every(rows), strict=True):
        truth = listing.truth(row).read()
        for name, maps in image.items():
            _, score = labels_and_scores(Segmented(maps, None), *truth.shape)
            sums[name] += f_curve(to_levels(score.cpu().numpy() / scales[name].greatest), truth)
    return {name: 100 * total / len(rows) for name, total in sums.items()}


def f_curve(levels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(81,) F of one image in 0..1 where its (H, W) levels reach each threshold; ignored pixels do not count."""
    known, true = truth != IGNORE, (truth > 0) & (truth != IGNORE)
    counts = (np.bincount(levels[where], minlength=THRESHOLDS) for where in (true, known))
    hit, predicted = (count[::-1].cumsum()[::-1].tolist() for count in counts)
    return np.array([f_measure(h, p, int(true.sum())) for h, p in zip(hit, predicted, strict=True)])


def table(scales: dict[str, Scale], curves: dict[str, Curves]) -> list[str]:
    """Lines of equal length."""
    reference = next(iter(curves.values()))
    rows = [["cue", "threshold", *(f"F {split} ({rule})" for rule in ("automatic", "oracle") for split in curves)]]
    for name, scale in scales.items():
        cuts = otsu(scale.histogram), int(reference[name].argmax())
        values = [f"{curve[name][cut]:.1f}" for cut in cuts for curve in curves.values()]
        rows.append([name, f"{cuts[0] / 100:.2f}", *values])
    name, *widths = (max(map(len, column)) for column in zip(*rows, strict=True))
    return ["  ".join([row[0].ljust(name), *map(str.rjust, row[1:], widths)]) for row in rows]


if __name__ == "__main__":
    cli.run(main)
