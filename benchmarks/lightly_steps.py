"""Training steps made of lightly's modules, transforms, data set and losses, as its documentation puts them together.

Networks and heads are as wide as in its examples; each view goes through the network by itself.
"""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from lightly.data import LightlyDataset
from lightly.loss import NegativeCosineSimilarity, NTXentLoss, SwaVLoss
from lightly.models.modules import heads
from lightly.models.utils import batch_shuffle, batch_unshuffle, deactivate_requires_grad, update_momentum
from lightly.transforms import byol_transform
from lightly.transforms.moco_transform import MoCoV2Transform
from lightly.transforms.simclr_transform import SimCLRTransform
from lightly.transforms.swav_transform import SwaVTransform
from torch import Tensor, nn
from torch.utils.data import DataLoader

WIDTH, LARGE, SMALL = 512, 96, 48
"""Features of a ResNet-18, and sides of the views in pixels."""
QUEUE, PROTOTYPES = 4096, 512


def backbone() -> nn.Sequential:
    """torchvision's ResNet-18 without its last layer."""
    return nn.Sequential(*list(torchvision.models.resnet18().children())[:-1])


class SimCLR(nn.Module):
    transform = staticmethod(lambda: SimCLRTransform(input_size=LARGE))

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = backbone(), heads.SimCLRProjectionHead(WIDTH, WIDTH, 128)
        self.criterion = NTXentLoss(temperature=0.5)

    def loss(self, views: list[Tensor]) -> Tensor:
        one, two = (self.head(self.backbone(view).flatten(1)) for view in views)
        found: Tensor = self.criterion(one, two)
        return found


class MoCo(nn.Module):
    transform = staticmethod(lambda: MoCoV2Transform(input_size=LARGE))

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = backbone(), heads.MoCoProjectionHead(WIDTH, WIDTH, 128)
        self.slow_backbone, self.slow_head = copy.deepcopy(self.backbone), copy.deepcopy(self.head)
        deactivate_requires_grad(self.slow_backbone)
        deactivate_requires_grad(self.slow_head)
        self.criterion = NTXentLoss(temperature=0.2, memory_bank_size=(QUEUE, 128))

    def loss(self, views: list[Tensor]) -> Tensor:
        update_momentum(self.backbone, self.slow_backbone, m=0.99)
        update_momentum(self.head, self.slow_head, m=0.99)
        query = self.head(self.backbone(views[0]).flatten(1))
        with torch.no_grad():
            shuffled, order = batch_shuffle(views[1])
            key = batch_unshuffle(self.slow_head(self.slow_backbone(shuffled).flatten(1)), order)
        found: Tensor = self.criterion(query, key)
        return found


class BYOL(nn.Module):
    transform = staticmethod(
        lambda: byol_transform.BYOLTransform(
            byol_transform.BYOLView1Transform(input_size=LARGE), byol_transform.BYOLView2Transform(input_size=LARGE)
        )
    )

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = backbone(), heads.BYOLProjectionHead(WIDTH, 1024, 256)
        self.predictor = heads.BYOLPredictionHead(256, 1024, 256)
        self.slow_backbone, self.slow_head = copy.deepcopy(self.backbone), copy.deepcopy(self.head)
        deactivate_requires_grad(self.slow_backbone)
        deactivate_requires_grad(self.slow_head)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, views: list[Tensor]) -> Tensor:
        update_momentum(self.backbone, self.slow_backbone, m=0.99)
        update_momentum(self.head, self.slow_head, m=0.99)
        one, two = (self.predictor(self.head(self.backbone(view).flatten(1))) for view in views)
        with torch.no_grad():
            first, second = (self.slow_head(self.slow_backbone(view).flatten(1)) for view in views)
        found: Tensor = 0.5 * (self.criterion(one, second) + self.criterion(two, first))
        return found


class SwAV(nn.Module):
    transform = staticmethod(lambda: SwaVTransform(crop_sizes=(LARGE, SMALL), crop_counts=(2, 4)))

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.head = backbone(), heads.SwaVProjectionHead(WIDTH, 512, 128)
        self.prototypes = heads.SwaVPrototypes(128, PROTOTYPES)
        self.criterion = SwaVLoss()

    def loss(self, views: list[Tensor]) -> Tensor:
        self.prototypes.normalize()
        scores = [self.prototypes(F.normalize(self.head(self.backbone(v).flatten(1)), dim=1)) for v in views]
        found: Tensor = self.criterion(scores[:2], scores[2:])
        return found


METHODS: dict[str, type[SimCLR | MoCo | BYOL | SwAV]] = {"simclr": SimCLR, "moco": MoCo, "byol": BYOL, "swav": SwAV}


def make_step(
    name: str, folder: Path, batch_size: int, workers: int, make_optimizer: Callable[[nn.Module], torch.optim.Optimizer]
) -> Callable[[], None]:
    """A function that makes one training step on the next batch of the images of a folder."""
    method = METHODS[name]().train()
    optimizer = make_optimizer(method)
    loader = DataLoader(
        LightlyDataset(str(folder), transform=method.transform()),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
    )
    batches = endless(loader)

    def step() -> None:
        loss = method.loss(next(batches)[0])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def endless(loader: DataLoader) -> Iterator[list]:
    while True:
        yield from loader
