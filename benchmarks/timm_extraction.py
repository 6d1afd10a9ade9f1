"""Extraction with a network of timm (bars: 85 % of the pure forward rate; memory that does not grow with the images).

    python benchmarks/timm_extraction.py [--name vit_small_patch14_dinov2] [--side 224] [--images 128] [--threads 2]

Weights are random, images noise that is 8/7 as large as what the network sees. The rate is that of `throughput.py`:
the stage extract, which reads and resizes images and writes their vectors, against the forward passes of the plain
network of timm on the same images in memory, in turns in one process. Memory is the most that a process of its own
holds which extracts so many images, and four times as many.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cluster import measured
from throughput import compare

from luss_core.config import EncoderConfig, ExtractConfig, TimmConfig
from luss_core.data.images import ListedFile, read_images, to_list, write_images
from luss_core.data.store import Store, allocate, write_index
from luss_core.data.whole import nearest_multiple, squares, to_network
from luss_core.io import write_json
from luss_core.models.encoder import Encoder, load_encoder
from luss_core.models.weights import save_weights
from luss_core.runtime import autocast, make_device
from luss_core.stages.extract import extract

RATE, GROWTH = 85.0, 64.0
"""The bars: percent of the pure rate, and MB that four times the images may take more."""
BATCH = 16


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", default="vit_small_patch14_dinov2", help="a network of timm")
    parser.add_argument("--side", type=int, default=224, help="of the square that the network sees, in pixels")
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)  # of the process whose memory is measured
    args = parser.parse_args(argv)
    device = make_device(args.device, args.threads)
    if args.folder:
        extract(settings(args.side), **files(args.folder, args.images), device=device)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for count in (args.images, 4 * args.images):
            write_images_of(root, count, args.side * 8 // 7)
        write_encoder(root, args.name)
        pure, real, ratio = rate(root, args.side, args.images, device, args.rounds)
        command = [__file__, "--folder", root, "--side", args.side, "--threads", args.threads, "--device", args.device]
        few, many = (measured([*command, "--images", n])[1] / 1e6 for n in (args.images, 4 * args.images))
    kept = 100 * ratio
    print(f"{args.name}, {args.side} pixels, {device}: {args.images / pure:.2f} images/s pure", end=", ")
    print(f"{args.images / real:.2f} extracted, {kept:.1f} % kept   (bar: {RATE:g} %)")
    print(
        f"memory: {few:.0f} MB for {args.images} images, {many:.0f} MB for four times as many   (bar: + {GROWTH:g} MB)"
    )
    if kept < RATE or many - few > GROWTH:
        sys.exit("FAIL")
    print("PASS")


def settings(side: int) -> ExtractConfig:
    return ExtractConfig(size=side * 8 // 7, crop=side, batch_size=BATCH)


def files(root: Path, count: int) -> dict[str, Path]:
    """Arguments of the stage extract."""
    own = root / str(count)
    made = {"encoder": root / "encoder.safetensors", "out": own / "features.h5"}
    return {"images": own / "images.csv", "store": own / "images.h5", **made}


def write_images_of(root: Path, count: int, short: int) -> None:
    """What the stage prepare would have written of noise, a third wider than high."""
    folder, shape = root / str(count), (short, short * 4 // 3)
    folder.mkdir()
    images = [ListedFile("train", f"{i:07d}", f"{i:07d}.png", "", "") for i in range(count)]
    write_images(folder / "images.csv", to_list(folder, images, np.tile(shape, (count, 1))))
    write_json(folder / "summary.json", {"root": "."})
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8).tobytes()
    place = allocate(folder / "images.h5", count * len(pixels))
    with (folder / "images.h5").open("r+b") as file:
        file.seek(place)
        for _ in range(count):
            file.write(pixels)
    write_index(folder / "images.h5", np.tile(shape, (count, 1)), np.zeros(count, np.int64), 3, {})


def write_encoder(root: Path, name: str) -> None:
    torch.manual_seed(0)
    cfg = EncoderConfig(backbone=TimmConfig(name=name), decoder=None, attention=False)
    save_weights(root / "encoder.safetensors", Encoder(cfg), {"encoder": cfg.model_dump(mode="json")})


def rate(root: Path, side: int, count: int, device: torch.device, rounds: int) -> tuple[float, float, float]:
    """Seconds of both sides, and what share of the pure rate is kept."""
    cfg, own = settings(side), files(root, count)
    network = load_encoder(own["encoder"]).to(device)
    model: Any = network.backbone.model
    rows, store = read_images(own["images"]).rows("train"), Store(own["store"])
    seen = nearest_multiple(side, network.backbone.multiple)
    batches = [to_network(b, device) for b in squares(store, rows, max(cfg.size, seen), seen, BATCH)]

    def pure() -> None:
        with torch.inference_mode(), autocast("auto", device):
            for batch in batches:
                model.forward_features(batch)

    def real() -> None:
        extract(cfg, **own, device=device)

    return compare(pure, real, rounds)


if __name__ == "__main__":
    main()
