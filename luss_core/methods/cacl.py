"""CACL: cycle-attention contrastive learning from video, Pang et al., AAAI 2022."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from luss_core import group
from luss_core.config.methods import CACLConfig
from luss_core.data.batch import Batch
from luss_core.losses.contrast import info_nce, matched
from luss_core.losses.cycle import cycle_loss
from luss_core.losses.negatives import Sources
from luss_core.methods.base import Method, Output, Progress
from luss_core.models.batchnorm import Apart
from luss_core.models.encoder import Encoder
from luss_core.models.heads import position_head
from luss_core.models.host import to_device
from luss_core.models.momentum import follow, frozen_copy, in_shuffled_parts, without_statistics
from luss_core.models.queue import new_queue, push
from luss_core.models.shuffle import draw_rolls, roll

FRAMES = 2
NONE = -1
"""The video of what a queue begins with."""
SPAN = 8
"""Steps that a queue of positions spans at the least, where nothing else is said."""


class Seen(NamedTuple):
    """What one head makes of the pairs, as unit vectors."""

    now: Tensor
    """(B, P, D) of the positions of the frame, by the network that learns."""
    later: Tensor
    """(B, P, D) of those of the later frame, by the copy that follows."""
    mean: Tensor
    """(B, D) of the frame as a whole."""
    later_mean: Tensor


class Heads(nn.Module):
    """(B, 3, H, W) -> (B, heads x D, h, w): all heads on the last map of the encoder, one after the other."""

    def __init__(self, encoder: nn.Module, heads: nn.ModuleDict):
        super().__init__()
        self.encoder, self.heads = encoder, heads

    def forward(self, images: Tensor) -> Tensor:
        return through(self.encoder, self.heads, images)


def through(encoder: nn.Module, heads: nn.ModuleDict, images: Tensor) -> Tensor:
    """The same for an encoder and heads that belong to another module."""
    z = encoder(images).output
    return torch.cat([head(z) for head in heads.values()], dim=1)


class CACL(Method):
    """Three heads over one map: whole frames (Eq. 3), positions (Eq. 4) and the cycle between two frames (Eq. 5, 6).

    The second view of a pair is of the later frame, cropped and flipped as the first. What the paper leaves open is a
    setting, or said in docs/cacl.md.
    """

    def __init__(self, cfg: CACLConfig, encoder: Encoder, images: int):
        super().__init__()
        self.cfg, self.encoder = cfg, encoder
        self.heads = nn.ModuleDict({name: position_head(encoder.width, cfg.dim) for name in cfg.heads})
        self.target = Apart(without_statistics(frozen_copy(Heads(self.encoder, self.heads))))
        for name in cfg.heads:
            self.register_buffer(f"{name}_queue", new_queue(cfg.queue, cfg.dim))
            self.register_buffer(f"{name}_videos", torch.full((cfg.queue,), NONE))

    def forward(self, views: list[Tensor], batch: Batch, progress: Progress) -> Output:
        seen, video = self.embed(views), batch.index if batch.label is None else batch.label
        terms = {name: getattr(self, f"{name}_loss")(seen, video) for name in self.cfg.heads}
        self.remember(seen, video)
        logs = {f"{name}_loss": term.detach() for name, term in terms.items()}
        logs["chance"] = logs[f"{self.cfg.heads[0]}_loss"] / math.log(1 + self.cfg.queue)
        return Output(torch.stack(list(terms.values())).sum(), logs)

    @property
    def position_heads(self) -> nn.ModuleDict:
        return self.heads

    def embed(self, views: list[Tensor]) -> dict[str, Seen]:
        """What each head makes of the two frames of all pairs."""
        return {
            name: Seen(_positions(now), _positions(later), _mean(now), _mean(later))
            for name, now, later in zip(self.cfg.heads, *self._maps(views), strict=True)
        }

    def global_loss(self, seen: dict[str, Seen], video: Tensor) -> Tensor:
        """Eq. 3."""
        u, (queue, videos) = seen["global"], self._queue("global")
        return info_nce(u.mean, u.later_mean, queue, self.cfg.temperature, self._sources(video, videos)).mean()

    def pixel_loss(self, seen: dict[str, Seen], video: Tensor) -> Tensor:
        """Eq. 4."""
        now, later = seen["pixel"].now, seen["pixel"].later
        if self.cfg.positives == "matched":
            partner = matched(seen["global"].now, seen["global"].later)
            later = later.gather(1, partner[..., None].expand(-1, -1, later.shape[2]))
        rows, (queue, videos) = (now.flatten(0, 1), later.flatten(0, 1)), self._queue("pixel")
        return info_nce(*rows, queue, self.cfg.temperature, self._sources(video, videos)).mean()

    def cycle_loss(self, seen: dict[str, Seen], video: Tensor) -> Tensor:
        """Eq. 5 and 6, and the soft cycle."""
        c, target = seen["cycle"], None
        if self.cfg.soft_cycle:
            u = seen["global"]
            target = u.now.detach(), u.now.detach() if self.cfg.soft_target == "frame" else u.later
        queue, videos = self._queue("cycle")
        if not self.cfg.cycle_negatives:
            queue, videos = queue[:0], videos[:0]
        return cycle_loss(c.now, c.later, queue, self.cfg.temperature, target, self._sources(video, videos)).mean()

    @torch.no_grad()
    def remember(self, seen: dict[str, Seen], video: Tensor) -> None:
        """After the losses, so that no frame is its own negative: whole frames, and positions drawn at random."""
        for name, head in seen.items():
            vectors = head.later_mean if name == "global" else self._sample(head.later)
            push(getattr(self, f"{name}_queue"), vectors)
            push(getattr(self, f"{name}_videos"), video.repeat_interleave(len(vectors) // len(video)))

    def after_step(self, progress: Progress) -> None:
        follow(self.target, nn.ModuleList([self.encoder, self.heads]), self.cfg.momentum)

    def _maps(self, views: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each head the (B, D, h, w) map of the frame and that of the later one, rolled back."""
        rolls = self._rolls(views[0])
        first, second = views[:FRAMES] if rolls is None else (roll(v, r) for v, r in zip(views, rolls[0], strict=True))
        online = through(self.encoder, self.heads, first)
        copy = in_shuffled_parts(self.target, second, self.cfg.batchnorm_images)
        if rolls is not None:
            online, copy = (roll(x, -r) for x, r in zip((online, copy), rolls[1], strict=True))
        count = len(self.cfg.heads)
        return list(online.chunk(count, dim=1)), list(copy.chunk(count, dim=1))

    def _rolls(self, view: Tensor) -> tuple[list[Tensor], list[Tensor]] | None:
        """How far the images and the maps of both frames are rolled, apart from each other."""
        if not self.cfg.pixel_shuffle:
            return None
        stride = self.encoder.backbone.strides[-1]
        side = max(1, view.shape[-1] // stride)  # what has one position is not rolled
        rolls = [draw_rolls(len(view), side, side, view.device) for _ in range(FRAMES)]
        return [r * stride for r in rolls], rolls

    def _sample(self, vectors: Tensor) -> Tensor:
        """(B s, D) of s positions of each frame."""
        images, positions, dim = vectors.shape
        everyone = images * group.world_size()
        count = self.cfg.positions or max(1, self.cfg.queue // (SPAN * everyone))
        drawn = torch.randint(positions, (everyone, count))[group.own_slice(everyone)]
        chosen = to_device(drawn, vectors.device)[..., None].expand(-1, -1, dim)
        return vectors.gather(1, chosen).flatten(0, 1)

    def _sources(self, video: Tensor, videos: Tensor) -> Sources | None:
        return Sources(video, videos) if self.cfg.other_videos else None

    def _queue(self, name: str) -> tuple[Tensor, Tensor]:
        """Copies of the vectors and of their videos: what the gradient needs must not change when new ones come."""
        queue, videos = getattr(self, f"{name}_queue"), getattr(self, f"{name}_videos")
        return queue.clone(), videos.clone()


def _positions(maps: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, h w, D) unit vectors."""
    return F.normalize(maps.flatten(2).transpose(1, 2), dim=2)


def _mean(maps: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, D) unit vectors of whole maps: what the head makes of each position, averaged."""
    return F.normalize(maps.mean(dim=(2, 3)), dim=1)
