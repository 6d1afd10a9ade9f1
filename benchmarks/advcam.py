"""Images a second that are segmented with and without AdvCAM, on random pixels.

    python benchmarks/advcam.py [--backbone resnet18 | --timm NAME] [--size 176] [--images 4] [--device cpu]
        [--settings '{"steps": 6, "scales": [1], "flip": false}']

Prints both rates, their ratio, and the most memory of the GPU if there is one. The default settings are the published.
"""

import argparse
import json
import time

import torch

from luss_core.config import EncoderConfig, SegmenterConfig
from luss_core.config.advcam import AdvCAMConfig
from luss_core.methods.advcam import AdvCAM, with_advcam
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="resnet18", help="a ResNet of this project, of 64 channels")
    parser.add_argument("--timm", help="a network of timm in its place")
    parser.add_argument("--size", type=int, default=176, help="sides of the images in pixels")
    parser.add_argument("--images", type=int, default=4, help="how many to climb, one at a time")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--settings", type=json.loads, default={}, help="of infer.advcam, as JSON")
    args = parser.parse_args(argv)
    device = torch.device(args.device)
    plain = network(args.backbone, args.timm).to(device)
    climbing = with_advcam(plain, AdvCAMConfig.model_validate(args.settings))
    images = torch.randn(args.images, 3, args.size, args.size, generator=torch.Generator().manual_seed(0)).to(device)
    rates = [rate(one, images) for one in (plain, climbing)]
    print(f"without {rates[0]:.2f} images/s, with AdvCAM {rates[1]:.3f}: {rates[0] / rates[1]:.0f} times as long")
    if device.type == "cuda":
        print(f"memory {torch.cuda.max_memory_allocated(device) / 1e6:.0f} MB")


def network(backbone: str, timm: str | None) -> Segmenter:
    """A segmenter of 50 categories with random weights."""
    body = {"family": "timm", "name": timm} if timm else {"arch": backbone, "width": 64, "stem": "imagenet"}
    strides = {} if timm else {"strides": (1, 2, 2, 2)}
    encoder = EncoderConfig.model_validate({"backbone": body | strides, "decoder": None, "attention": False})
    return Segmenter(SegmenterConfig(attend=False, encoder="trained"), Encoder(encoder), 50).eval()


def rate(segmenter: Segmenter | AdvCAM, images: torch.Tensor) -> float:
    """Images a second, one at a time, after one that does not count."""
    with torch.inference_mode():
        segmenter.segment(images[:1])
        begun = time.perf_counter()
        for image in images:
            segmenter.segment(image[None]).maps.cpu()
        return len(images) / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
