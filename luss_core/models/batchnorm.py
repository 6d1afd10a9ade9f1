"""BatchNorm over the batches of all processes that train together."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from luss_core import group

TINY = 1e-12
"""Keeps the scale of constant channels finite."""


class _Normalize(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) w + b with the moments of all processes, and the gradient of that."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, moments: Tensor, eps: float) -> Tensor:
        mean, variance, count = moments[0], moments[1], moments[2]
        ctx.save_for_backward(x, weight, mean, torch.rsqrt(variance + eps), count)
        ctx.eps = eps
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """torch's fused gradient of this process's samples by themselves, put right for the sums of all samples."""
        x, weight, mean, scale, count = ctx.saved_tensors
        factor = torch.ones_like(mean) if weight is None else weight
        if x.numel():
            args = (gradient, x, factor, None, None, mean, scale, True, ctx.eps, [True] * 3)
            dx, across, along = torch.ops.aten.native_batch_norm_backward(*args)
        else:
            dx, across, along = torch.zeros_like(x), torch.zeros_like(mean), torch.zeros_like(mean)
        own = torch.stack([along, across])
        wrong = own * (x.shape[1] / max(1, x.numel())) - group.total(own) / count
        slope = factor * scale * scale * wrong[1]
        shift = factor * scale * wrong[0] - slope * mean
        shape = [-1 if d == 1 else 1 for d in range(x.ndim)]
        dx = dx + torch.addcmul(shift.view(shape), x.float(), slope.view(shape))
        return dx.to(x.dtype), None if weight is None else across, None if weight is None else along, None, None


class Apart(nn.Module):
    """A network whose BatchNorm normalises over what its own process gives it, whatever the others do.

    ``synchronized`` does not enter it. Running statistics differ between the processes; a checkpoint has those of the
    first.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any) -> Any:
        """What the network makes of them."""
        return self.network(*inputs)


class GroupBatchNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm over the batches of all processes, for any number of samples in each.

    For processors, which torch's SyncBatchNorm refuses.
    """

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002 - name of the base
        pass

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        if not self.training or group.world_size() == 1:
            return super().forward(input)
        moments = _moments(input)
        if self.track_running_stats:
            self._remember(moments)
        return _Normalize.apply(input, self.weight, self.bias, moments, self.eps)

    @torch.no_grad()
    def _remember(self, moments: Tensor) -> None:
        mean, variance, count = moments
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), self.momentum)


@torch.no_grad()
def _moments(x: Tensor) -> Tensor:
    """(3, C) mean, biased variance and number of samples of each channel over all processes.

    The parts are joined by their own means: sums of squares would lose the small variances.
    """
    count = x.new_full((x.shape[1],), x.numel() / x.shape[1], dtype=torch.float32)
    if x.numel():
        _, mean, scale = torch.native_batch_norm(
            x, None, None, None, None, True, 0.0, TINY
        )  # var_mean takes thrice that
        variance = (scale.double() ** -2 - TINY).clamp(min=0).float()
    else:
        variance = mean = torch.zeros_like(count)
    means, variances, counts = group.gather(torch.stack([mean, variance, count])[None]).unbind(dim=1)
    number = counts.sum(dim=0)
    mean = (counts * means).sum(dim=0) / number
    variance = (counts * (variances + (means - mean) ** 2)).sum(dim=0) / number
    return torch.stack([mean, variance, number])


def _then_what_is_inside(module: nn.Module, _: Any, found: Tensor) -> Tensor:
    for inner in module.children():
        found = inner(found)
    return found


def synchronized(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with every BatchNorm normalising over all processes; names and values of its state stay.

    What is ``Apart`` stays as it is, with all in it.

    Args:
        device: that it will train on; GPUs have torch's own SyncBatchNorm.
    """
    if isinstance(module, Apart):
        return module
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        kind = nn.SyncBatchNorm if device.type == "cuda" else GroupBatchNorm
        new = kind(module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats)
        new.training = module.training
        new._parameters, new._buffers = module._parameters, module._buffers
        if module._modules:  # a layer of timm, which ends with its activation
            new._modules = module._modules
            new.register_forward_hook(_then_what_is_inside)
        return new
    for name, child in module.named_children():
        setattr(module, name, synchronized(child, device))
    return module
