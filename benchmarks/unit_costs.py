"""What one image costs on one core of this machine, stage by stage; and what a training step of a network is made of.

Times are of the processor, so that other work on the machine does not count; writing alone is timed by the clock.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import evaluator
import faiss
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from luss_core import group
from luss_core.config import Config, EvaluateConfig, FinetuneConfig, PretrainConfig
from luss_core.data import scenes
from luss_core.data.batch import Batch
from luss_core.data.images import read_images
from luss_core.data.loader import Views
from luss_core.data.masks import read_mask, write_mask, write_scored
from luss_core.data.packing import Packing, packed
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, squares
from luss_core.kmeans import fit_centroids
from luss_core.methods import Method, Progress, build_method
from luss_core.methods.segmenter import Segmenter
from luss_core.metrics.saliency import foreground_f, salient
from luss_core.metrics.threshold import LEVELS
from luss_core.models.batchnorm import synchronized
from luss_core.models.encoder import Encoder
from luss_core.stages.evaluate import Item, find_threshold, score_split
from luss_core.stages.prepare import prepare
from luss_core.stages.prior import prior
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer

HEIGHT, WIDTH = evaluator.HEIGHT, evaluator.WIDTH
IMAGES, MASKS = 32, 16
VECTORS = 20_000
BLOCK, BLOCKS = 4096, 10
"""Side of the images that are written for their rate, and how many."""
QUALITY = 92
CLASSES = 919
LATE = Progress(10**6, 10**7, 10)
"""Everything that begins late in training has begun."""
SMALL = {224: 64, 96: 48}
"""Sides of crops with which operations are counted; their number does not depend on it."""


class Costs(NamedTuple):
    """Seconds of one core an image, unless said otherwise."""

    prepare: float
    prior: float
    crop: float
    """The crops of pretrain with those of the saliency map."""
    crop_finetune: float
    square: float
    whole: float
    look: float
    """To score a saliency map and the attention of an image with truth in examine."""
    masks: float
    evaluate: float
    flops: float
    """Floating-point operations a second of k-means."""
    mask_bytes: float
    """Of the two files that infer writes."""
    stored: float
    """Bytes of an image in images.h5."""
    saliency: float
    """Bytes of a map in prior.h5."""


class Network(NamedTuple):
    """Counted, not timed."""

    parameters: int
    operations: tuple[int, int]
    """Of a training step in a process on its own, and in one of several."""
    collectives: int
    looking: int
    """Operations of a forward pass alone."""
    kept: float
    """Bytes of an image that the forward pass keeps for the backward pass in mixed precision."""


def seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(config: Config, folder: Path) -> Costs:
    """The costs of a recipe, on photographs of the size that is usual in ImageNet."""
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    photographs(folder / "data/train")
    images, store = folder / "images.csv", folder / "images.h5"
    common = {"state": folder / "state", "threads": 1}
    packing = seconds(lambda: prepare(config.prepare, root=folder / "data", out=folder, **common))
    saliency = seconds(lambda: prior(config.prior, images=images, store=store, out=folder / "prior", **common))
    pixels, maps, rows = Store(store), Store(folder / "prior/prior.h5", "prior"), read_images(images).rows("train")
    views = Views(pixels, rows, config.pretrain.views, 0, prior=maps)
    tuning = Views(pixels, rows, config.finetune.views, 0)
    epoch, extract, side = (0, list(range(IMAGES))), config.extract, config.infer.size
    items, writing, size = masks(folder)
    return Costs(
        prepare=packing / IMAGES,
        prior=saliency / IMAGES,
        crop=seconds(lambda: views[epoch]) / IMAGES,
        crop_finetune=seconds(lambda: tuning[epoch]) / IMAGES,
        square=seconds(lambda: list(squares(pixels, rows, extract.size, extract.crop, 16))) / IMAGES,
        whole=seconds(lambda: [resize_short(pixels.read(int(row)), side) for row in rows]) / IMAGES,
        look=seconds(lambda: [look(item) for item in items]) / MASKS,
        masks=writing / MASKS,
        evaluate=seconds(lambda: evaluate(items, config.evaluate)) / MASKS,
        flops=kmeans_rate(config),
        mask_bytes=size / MASKS,
        stored=3 * float(pixels.shapes.prod(axis=1).mean()),
        saliency=float(maps.shapes.prod(axis=1).mean()),
    )


def photographs(folder: Path) -> None:
    """IMAGES photographs of 500 x 375 pixels: random parts of those that scikit-image ships."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(IMAGES):
        whole = scenes.photographs()[index % len(scenes.photographs())]
        scale = rng.uniform(0.6, 1) * min(whole.width / WIDTH, whole.height / HEIGHT)
        width, height = scale * WIDTH, scale * HEIGHT
        left, top = rng.uniform(0, whole.width - width), rng.uniform(0, whole.height - height)
        part = whole.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, (left, top, left + width, top + height))
        part.save(folder / f"{index}.jpg", quality=QUALITY)


def masks(folder: Path) -> tuple[list[Item], float, int]:
    """Masks with truth as infer and a data set have them; seconds to write those of infer, and their bytes."""
    rng, items, writing = np.random.default_rng(0), [], 0.0
    for index in range(MASKS):
        truth = evaluator.scene(rng)
        label, rough = evaluator.predicted(truth, rng), Image.fromarray(rng.random((14, 18), np.float32))
        levels = (LEVELS * np.asarray(rough.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))).astype(np.uint8)
        item = Item(*(folder / f"{kind}{index}.png" for kind in ("mask", "scored", "truth")), (HEIGHT, WIDTH))
        write_mask(item.truth, truth)
        writing += seconds(lambda: write_mask(item.mask, label))  # noqa: B023 - called at once
        writing += seconds(lambda: write_scored(item.scored, np.maximum(label, 1), levels))  # noqa: B023
        items.append(item)
    return items, writing, sum(path.stat().st_size for item in items for path in (item.mask, item.scored))


def look(item: Item) -> None:
    """What examine does with the truth of an image."""
    truth = read_mask(item.truth)
    for _ in ("prior", "attention"):
        plane = Image.new("F", (14, 18)).resize(truth.shape[::-1], Image.Resampling.BILINEAR)
        foreground_f(salient(np.asarray(plane)), truth)


def evaluate(items: list[Item], cfg: EvaluateConfig) -> None:
    """Both passes of evaluate over masks with truth. Matching, done once, takes a second with 919 classes."""
    search = find_threshold({"validation": items}, evaluator.CLASSES, cfg.match, threads=1)
    score_split(items, evaluator.CLASSES, cfg, LEVELS // 2, search, threads=1)


def kmeans_rate(config: Config) -> float:
    """Floating-point operations a second and core, on vectors as wide as those of the recipe."""
    assert config.pretrain.decoder is not None
    dim, iterations = config.pretrain.decoder.channels, 4
    vectors = np.random.default_rng(0).standard_normal((VECTORS, dim), np.float32)
    taken = seconds(lambda: fit_centroids(vectors, config.classes, iterations, 1, 0))
    return 2 * VECTORS * config.classes * dim * (iterations + 1) / taken


def writing_rate(folder: Path) -> float:
    """Bytes a second of a store, until they are verified and on the disk."""
    batch = packed(1, [bytes(3 * BLOCK * BLOCK)], [(BLOCK, BLOCK)], {})
    state = folder / "state"
    state.mkdir()
    start = time.perf_counter()
    packing = Packing(state, folder / "written.h5", BLOCKS * len(batch.pixels), {})
    for _ in packing.run(lambda _: batch, ([number] for number in range(BLOCKS)), 1, BLOCKS, "images"):
        pass
    packing.complete({})
    return BLOCKS * len(batch.pixels) / (time.perf_counter() - start)


class Operations(TorchDispatchMode):
    """Counts what starts work on a device: everything but views."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:  # noqa: ARG002
        self.number += not function.is_view
        return function(*arguments, **(keywords or {}))


@cache
def dissect(pretrain: PretrainConfig, finetune: FinetuneConfig) -> tuple[Network, Network]:
    """What a step of either training consists of, from real ones: small ones to count, one of full size for memory."""
    torch.set_num_threads(1)
    learning = Training(pretrain, partial(build_method, pretrain.method))
    tuning = Training(pretrain, lambda encoder: Segmenter(finetune.segmenter, encoder, CLASSES), finetune)
    return network(learning), network(tuning)


class Training(NamedTuple):
    """One of the two."""

    pretrain: PretrainConfig
    build: Callable[[Encoder], Method]
    finetune: FinetuneConfig | None = None

    def begin(self, images: int, small: bool = False) -> tuple[Method, Batch]:
        """The method, and a batch of noise."""
        torch.manual_seed(0)
        method = self.build(Encoder(self.pretrain.encoder)).to(memory_format=torch.channels_last).train()
        cfg = (self.finetune or self.pretrain).views
        if small:
            crops = tuple(crop.model_copy(update={"size": SMALL[crop.size]}) for crop in cfg.crops)
            cfg = cfg.model_copy(update={"crops": crops})
        labels, prior = (np.arange(images), None) if self.finetune else (None, Noise(1))
        return method, Views(Noise(3), np.arange(images), cfg, 0, labels, prior)[(0, list(range(images)))]


def network(training: Training) -> Network:
    (alone, _), (several, collectives) = operations(training, processes=1), operations(training, processes=2)
    method, _ = training.begin(1)
    with torch.inference_mode(), Operations() as looking:
        method.eval().encoder(torch.zeros(1, 3, 64, 64))
    parameters = sum(parameter.numel() for parameter in method.parameters())
    return Network(parameters, (alone, several), collectives, looking.number, kept(training))


def operations(training: Training, processes: int) -> tuple[int, int]:
    """Operations and collectives of a step; the other processes answer what this one says."""
    (method, batch), said = training.begin(4, small=True), mock.Mock(side_effect=lambda x: torch.cat([x] * processes))
    cfg = (training.finetune or training.pretrain).train
    with ExitStack() as stack:
        if processes > 1:
            synchronized(method, torch.device("cpu"))
            stack.enter_context(mock.patch.object(group, "world_size", return_value=processes))
            stack.enter_context(mock.patch.object(group, "gather", said))
            stack.enter_context(mock.patch.object(group, "total", lambda x: said(x[None]).sum(dim=0)))
        with Operations() as step:
            train_step(method, make_optimizer(method, cfg), batch, cfg, LATE)
    return step.number, said.call_count


def kept(training: Training) -> float:
    """Bytes of an image that the forward pass keeps; maps count half, since mixed precision has them in 16 bits."""
    method, batch = training.begin(2)
    own = {parameter.data_ptr() for parameter in method.parameters()}
    found: dict[int, float] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes() / (2 if tensor.ndim == 4 else 1)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = method(batch.views(), batch, LATE).loss
    assert loss.requires_grad  # holds what was kept until here, so that no address is used twice
    return sum(found.values()) / len(batch.row)


class Noise:
    """Stands for a store."""

    def __init__(self, channels: int):
        self.channels = channels

    def read(self, row: int) -> np.ndarray:
        return np.random.default_rng(row).integers(0, 256, (256, 341, self.channels), np.uint8)
