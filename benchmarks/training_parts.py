"""What a step of pretrain needs, for the benchmarks that time one."""

from pathlib import Path

import torch

from luss_core import group
from luss_core.config import PretrainConfig
from luss_core.data.images import read_images
from luss_core.data.loader import Views
from luss_core.data.sequences import NAME
from luss_core.data.store import Store
from luss_core.methods import Method, Progress, build_method
from luss_core.models.batchnorm import synchronized
from luss_core.models.encoder import Encoder
from luss_core.stages.pretrain import training_views, videos_of

LATE = Progress(10**6, 10**7, 10)
"""A step at which prototypes are free and queues are full."""


def parts(prepared: Path, cfg: PretrainConfig, device: torch.device) -> tuple[Views, Method]:
    """Views of the training images, and the method with random weights, as the stage makes them.

    Args:
        prepared: folder of prepare, beside that of prior.
    """
    saliency = Store(prepared.parent / "prior" / "prior.h5", "prior") if "saliency" in cfg.method.needs else None
    listing, pixels = read_images(prepared / "images.csv"), Store(prepared / "images.h5")
    videos = videos_of(cfg, prepared / "images.csv") if (prepared / NAME).exists() else None
    views = training_views(cfg, listing, pixels, saliency, 0, videos)
    torch.manual_seed(0)
    method = build_method(cfg.method, Encoder(cfg.encoder), len(views), views.categories)
    if group.world_size() > 1:
        synchronized(method, device)
    return views, method.to(device).to(memory_format=torch.channels_last).train()
