"""Checkpoints as their authors write them, around networks of torchvision and timm with random weights."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

State = dict[str, Any]


def randomized(network: nn.Module, seed: int = 0) -> nn.Module:
    """With statistics of BatchNorm that are not those of a new network, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    return network.eval()


def resnet(arch: str = "resnet18") -> nn.Module:
    """torchvision's network."""
    torch.manual_seed(0)
    return randomized(torchvision.models.get_model(arch))


def features(network: nn.Module, images: Tensor) -> Tensor:
    """(B, C) of torchvision's ResNet without its classifier."""
    head, network.fc = network.fc, nn.Identity()
    with torch.inference_mode():
        found = network(images)
    network.fc = head
    return found


def under(prefix: str, *states: Mapping[str, Tensor]) -> State:
    """Names with something before them."""
    return {prefix + name: tensor for state in states for name, tensor in state.items()}


def bare(network: nn.Module) -> State:
    """Without the classifier."""
    return {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("fc.")}


def mlp(name: str, layers: int = 2) -> State:
    """A projection head of linear layers."""
    return {f"{name}.{2 * i}.{kind}": torch.randn(4, 4) for i in range(layers) for kind in ("weight", "bias")}


def optimizer() -> State:
    """The state of an optimizer."""
    return {"state": {0: {"momentum_buffer": torch.zeros(3), "step": 7}}, "param_groups": [{"lr": 0.1, "params": [0]}]}


def other(network: nn.Module) -> State:
    """A second network of the same kind, such as a momentum encoder."""
    return {name: torch.randn_like(t) if t.is_floating_point() else t for name, t in bare(network).items()}


def moco(n: nn.Module) -> State:
    query, key = bare(n) | mlp("fc"), other(n) | mlp("fc")
    queue = {"module.queue": torch.randn(4, 8), "module.queue_ptr": torch.zeros(1, dtype=torch.long)}
    state = under("module.encoder_q.", query) | under("module.encoder_k.", key) | queue
    return {"epoch": 200, "arch": "resnet18", "state_dict": state, "optimizer": optimizer()}


def swav(n: nn.Module) -> State:
    return under("module.", bare(n), mlp("projection_head"), {"prototypes.weight": torch.randn(5, 4)})


def swav_training(n: nn.Module) -> State:
    amp = {"loss_scaler0": {"loss_scale": 2.0, "unskipped": 1}}
    return {"epoch": 9, "state_dict": swav(n), "optimizer": optimizer(), "amp": amp}


def pass_pretraining(n: nn.Module) -> State:
    pixels = mlp("projection_head_pixel") | mlp("predictor_head_pixel") | mlp("projection_head_shallow.0")
    return {"epoch": 9, "state_dict": swav(n) | under("module.", pixels), "optimizer": optimizer()}


def pass_attention(n: nn.Module) -> State:
    extra = under("module.", mlp("fbg.atten"), {"fbg.threshold": torch.zeros(1)})
    return {"epoch": 9, "state_dict": swav(n) | extra, "optimizer": optimizer()}


def pass_finetuned(n: nn.Module) -> State:
    last = {"last_layer.weight": torch.randn(51, 512, 1, 1), "last_layer.bias": torch.randn(51)}
    return {"epoch": 9, "state_dict": under("module.", bare(n), last), "optimizer": optimizer()}


def dino(n: nn.Module, wrapped: str = "module.") -> State:
    teacher = under(f"{wrapped}backbone.", bare(n)) | under(wrapped, mlp("head.mlp"))
    student = under("module.backbone.", other(n)) | mlp("module.head.mlp")
    extra = {"dino_loss": {"center": torch.zeros(1, 4)}, "fp16_scaler": {"scale": 1.0}}
    return {"student": student, "teacher": teacher, "optimizer": optimizer(), "epoch": 3, **extra}


def pixpro(n: nn.Module) -> State:
    parts = under("encoder.", bare(n)) | under("encoder_k.", other(n)) | mlp("projector") | mlp("projector_k")
    return {"model": under("module.", parts, mlp("value_transform")), "optimizer": optimizer(), "epoch": 100}


def densecl_training(n: nn.Module) -> State:
    queues = {"queue": torch.randn(4, 8), "queue_ptr": torch.zeros(1), "queue2": torch.randn(4, 8)}
    encoders = under("encoder_q.0.", bare(n)) | under("encoder_k.0.", other(n)) | mlp("encoder_q.1.mlp")
    meta = {"mmcv_version": "0.3", "time": "now"}
    return {"meta": meta, "state_dict": queues | encoders | under("backbone.", bare(n)), "optimizer": optimizer()}


def vicreg(n: nn.Module) -> State:
    model = under("module.", under("backbone.", bare(n)), mlp("projector"))
    return {"epoch": 1000, "model": model, "optimizer": optimizer()}


def vicregl(n: nn.Module) -> State:
    extra = mlp("projector") | mlp("maps_projector.net") | mlp("classifier", 1)
    return {"epoch": 300, "model": under("module.", under("backbone.", bare(n)), extra), "optimizer": optimizer()}


def sequence(n: nn.Module) -> State:
    """As lightly's examples make their backbone."""
    return nn.Sequential(*list(n.children())[:-1]).state_dict()


def lightning(state: State) -> State:
    versions = {"pytorch-lightning_version": "2.2.0", "epoch": 1, "global_step": 5}
    return {**versions, "state_dict": state, "optimizer_states": [optimizer()], "hyper_parameters": {"lr": 0.1}}


def lightly(n: nn.Module) -> State:
    heads = mlp("projection_head.layers") | mlp("prediction_head.layers")
    return lightning(under("backbone.", sequence(n)) | under("backbone_momentum.", other(n)) | heads)


def solo(n: nn.Module, name: str = "backbone") -> State:
    heads = mlp("classifier", 1) | mlp("projector") | mlp("momentum_projector")
    return lightning(under(f"{name}.", bare(n)) | under(f"momentum_{name}.", other(n)) | heads)


RESNETS: dict[str, tuple[str, Callable[[nn.Module], State]]] = {
    "torchvision": ("bare ResNet names", lambda n: n.state_dict()),
    "vicreg": ("bare ResNet names", bare),
    "moco": ("MoCo v2", moco),
    "swav": ("SwAV", swav),
    "swav-training": ("SwAV, training file", swav_training),
    "pass-pretraining": ("PASS", pass_pretraining),
    "pass-attention": ("PASS", pass_attention),
    "pass-finetuned": ("PASS", pass_finetuned),
    "dino": ("DINO or DINOv2, training file", dino),
    "dino-unwrapped": ("DINO or DINOv2, training file", lambda n: dino(n, "")),
    "pixpro": ("PixPro", pixpro),
    "densecl": ("bare ResNet names in state_dict", lambda n: {"state_dict": bare(n), "author": "DenseCL"}),
    "densecl-training": ("DenseCL, training file", densecl_training),
    "vicreg-training": ("VICReg", vicreg),
    "vicregl-training": ("VICRegL", vicregl),
    "lightly": ("lightly", lightly),
    "lightly-backbone": ("lightly, backbone alone", sequence),
    "solo": ("solo-learn", solo),
    "solo-old": ("solo-learn, old names", lambda n: solo(n, "encoder")),
    "lightning": ("names under state_dict.model.encoder", lambda n: lightning(under("model.encoder.", bare(n)))),
    "byol": (
        "names under state_dict.online.0",
        lambda n: lightning(under("target.0.", other(n)) | under("online.0.", bare(n))),
    ),
    "sequence-elsewhere": ("names under net.features", lambda n: under("net.features.", sequence(n))),
}
"""Name -> what it is recognised as (the beginning), and the file around torchvision's ResNet."""
