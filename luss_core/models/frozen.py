"""First stages of a backbone that do not learn."""

import torch
from torch import Tensor

from luss_core.models.backbone import Backbone

POSITIONS = 2
"""Of the coarsest map along each side of the image that shows on what a stage depends."""


def freeze(backbone: Backbone, stages: int) -> None:
    """Keep the weights of the first ``stages`` stages and of what comes before them, and their BatchNorm as it is.

    The last stage of a ViT includes the normalisation of its output, which maps of the others pass as well.
    """
    if not stages:
        return
    side = POSITIONS * backbone.strides[-1]
    mode = backbone.training
    backbone.eval()
    with torch.enable_grad():
        kept = reached(backbone.passed_on(torch.zeros(1, 3, side, side))[stages - 1])
    for parameter in backbone.parameters():
        if id(parameter) in kept:
            parameter.requires_grad_(False)
    own = {name: list(module.parameters(recurse=False)) for name, module in backbone.named_modules()}
    backbone.frozen = tuple(name for name, found in own.items() if found and all(id(p) in kept for p in found))
    backbone.train(mode)


def reached(result: Tensor) -> set[int]:
    """`id` of every parameter that a result depends on, from the graph that autograd has kept of it."""
    seen, found, waiting = set(), set(), [result.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):  # where a gradient arrives
            found.add(id(node.variable))
        waiting += [following for following, _ in node.next_functions]
    return found
