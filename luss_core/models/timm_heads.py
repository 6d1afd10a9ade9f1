"""What the class token of a ViT of timm attends to in the last block, and the keys there."""

from typing import Any

import torch
from timm.layers import Attention
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from luss_core.models.backbone import Heads


def headless(model: Any) -> str:
    """Why a network has no heads that can be read; empty where it has."""
    if getattr(model, "rope", None) is not None:
        return "has rotary positions, which change the keys after the place where they are read"
    if getattr(model, "cls_token", None) is None:
        return "has no class token"
    if not isinstance(model, VisionTransformer) or not isinstance(getattr(model.blocks[-1], "attn", None), Attention):
        return "has attention of another kind"
    return ""


class Watch:
    """Keeps queries and keys of the last block while the network runs: ``with Watch(model) as watch: model(images)``.

    Hooks are there no longer than that, so that no other pass is slowed and copies of the network keep nothing.
    """

    def __init__(self, model: Any):
        """Args:
        model: one that is not ``headless``.
        """
        attention: Any = model.blocks[-1].attn
        self._parts = {"queries": attention.q_norm, "keys": attention.k_norm}
        self._prefix = model.num_prefix_tokens
        self._seen: dict[str, Tensor] = {}

    def __enter__(self) -> "Watch":
        self._hooks = [
            part.register_forward_hook(
                lambda _part, _inputs, found, name=name: self._seen.update({name: found.detach()})
            )
            for name, part in self._parts.items()
        ]
        return self

    def __exit__(self, *error: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def heads(self, height: int, width: int) -> Heads:
        """Of the patches, in float32; class and register tokens are left out.

        Args:
            height, width: of the map of patches.
        """
        queries, keys = (self._seen[name].float() for name in self._parts)  # (B, heads, tokens, d)
        with torch.autocast(keys.device.type, enabled=False):
            logits = torch.einsum("bmd,bmnd->bmn", queries[:, :, 0], keys) / keys.shape[-1] ** 0.5
        attention = logits.softmax(dim=2)[:, :, self._prefix :]
        keys = keys[:, :, self._prefix :].transpose(2, 3)
        return Heads(attention.unflatten(2, (height, width)), keys.unflatten(3, (height, width)))
