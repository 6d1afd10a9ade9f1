"""Layouts of published checkpoints, one row each, and which of them a file has."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from luss_core.models.foreign.spellings import LITE, RESNET, SAME, SEQUENCE, SPELLINGS, VIT, Spelling, Tensors


@dataclass(frozen=True)
class Layout:
    """Where the backbone is in a file."""

    name: str
    prefix: str
    """What stands before the names of the backbone; what does not begin with it is another network or a queue."""
    spelling: Spelling
    marks: tuple[str, ...] = ()
    """Beginnings of names, one of which the file has; none: the prefix is enough."""
    heads: tuple[str, ...] = ()
    """Beginnings of names, after the prefix, of what is no backbone."""
    licence: str = ""
    """What the repository says; a note, never a refusal."""


VARIES = (
    "whoever trained them decides: torchvision's have terms of their own, DINO is Apache-2.0, VICReg MIT, VICRegL"
    " CC BY-NC 4.0, DenseCL GPL-3.0"
)
MASKED = "DINOv2 is Apache-2.0"
HEADS = (
    "fc.",
    "head.",
    "heads.",
    "head_dist.",
    "classifier.",
    "projector.",
    "projection_head",
    "predictor",
    "prototypes",
)
"""Of any file."""
OF_PASS = ("predictor_head_pixel.", "projection_head_pixel", "fbg.", "last_layer.")
OF_SWAV = ("projection_head.", "prototypes")


def _under(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(prefix + name for name in names)


TRAINED, PARALLEL, MODEL = "state_dict.", "state_dict.module.", "model.module."
LAYOUTS = (
    Layout("MoCo v2", PARALLEL + "encoder_q.", RESNET, licence="MIT"),
    Layout("PASS", PARALLEL, RESNET, _under(PARALLEL, OF_PASS), OF_PASS, "none given: use them, do not pass them on"),
    Layout("SwAV, training file", PARALLEL, RESNET, _under(PARALLEL, OF_SWAV), licence="CC BY-NC 4.0"),
    Layout("SwAV", "module.", RESNET, _under("module.", OF_SWAV), licence="CC BY-NC 4.0"),
    Layout("DINO or DINOv2, training file", "teacher.module.backbone.", RESNET, licence="Apache-2.0"),
    Layout("DINO or DINOv2, training file", "teacher.backbone.", RESNET, licence="Apache-2.0"),
    Layout("DINO or DINOv2, training file", "teacher.module.backbone.", VIT, licence="Apache-2.0"),
    Layout("DINO or DINOv2, training file", "teacher.backbone.", VIT, licence="Apache-2.0"),
    Layout("PixPro", MODEL + "encoder.", RESNET, (MODEL + "encoder_k.", MODEL + "projector."), licence="MIT"),
    Layout("VICRegL", MODEL + "backbone.", RESNET, (MODEL + "maps_projector.",), licence="CC BY-NC 4.0"),
    Layout("VICReg", MODEL + "backbone.", RESNET, (MODEL + "projector.",), licence="MIT"),
    Layout("DenseCL, training file", TRAINED + "backbone.", RESNET, (TRAINED + "queue2",), licence="GPL-3.0"),
    Layout("lightly", TRAINED + "backbone.", SEQUENCE),
    Layout("lightly, backbone alone", "", SEQUENCE),
    Layout("solo-learn", TRAINED + "backbone.", RESNET, (TRAINED + "classifier.",)),
    Layout("solo-learn, old names", TRAINED + "encoder.", RESNET, (TRAINED + "classifier.",)),
    Layout("bare ResNet names in state_dict: DenseCL's backbone alone, and others", TRAINED, RESNET, licence=VARIES),
    Layout("bare ResNet names: torchvision, DINO, VICReg(L), DenseCL, timm", "", RESNET, licence=VARIES),
    Layout("DINOv3, as published", "", VIT, ("storage_tokens",), licence="DINOv3 licence"),
    Layout("ViT with a mask token: DINOv2 as published, and others", "", VIT, ("mask_token",), licence=MASKED),
    Layout("bare ViT names: DINO, DeiT, timm", "", VIT),
    Layout("efficientnet-lite-pytorch", "", LITE, licence="Apache-2.0"),
)
"""From special to general. One name can have several rows, and official files can look the same: then the name says so.

The padding of 1 before conv1 with padding 2 that SwAV, PASS and VICRegL have is a padding of 3: the same network.
"""

COPIES = ("momentum", "target", "ema", "student", "encoder_k")
"""In prefixes of networks that follow another one, or are followed; of two alike the other is taken."""
CONTAINERS = ("state_dict_ema.", "model_ema.", "state_dict.", "model.", "teacher.", "module.")
"""Around a whole network."""


def recognise(names: Collection[str], wanted: Collection[str]) -> Layout | None:
    """The layout of a file by its names; None where no backbone is in it.

    Where no row of the table fits, as with files of Lightning, what stands before most names of the network is left
    out; where none of those is there, what stands before most names of another backbone.

    Args:
        wanted: names in the network that is to be filled.
    """
    found = {spelling.name: spelling.prefixes(names) for spelling in SPELLINGS}
    for layout in LAYOUTS:
        marked = not layout.marks or any(name.startswith(layout.marks) for name in names)
        if marked and layout.prefix in found[layout.spelling.name]:
            return layout
    same = _leaving(names, set(wanted))
    others = [(count, prefix, s) for s in SPELLINGS for prefix, count in found[s.name].items()]
    mine = [(count, prefix, SAME) for prefix, count in same.items()]
    for candidates in ([c for c in mine if 2 * c[0] > len(wanted)], others, mine):
        if candidates:
            _, prefix, spelling = max(candidates, key=lambda c: (c[0], not any(word in c[1] for word in COPIES)))
            return Layout(f"names under {prefix.rstrip('.')}" if prefix else "timm", prefix, spelling)
    return None


def unwrap(tensors: Mapping[str, Tensor]) -> Tensors:
    """Without the containers around the network, for files that timm converts itself."""
    for container in CONTAINERS:
        inner = {name.removeprefix(container): t for name, t in tensors.items() if name.startswith(container)}
        if inner:
            return unwrap(inner)
    return dict(tensors)


def strip(tensors: Mapping[str, Tensor], layout: Layout) -> Tensors:
    """The backbone of a file in the names of torchvision or timm, with heads that belong to it."""
    start = len(layout.prefix)
    inner = {name[start:]: tensor for name, tensor in tensors.items() if name.startswith(layout.prefix)}
    return layout.spelling.rename(inner)


def is_head(name: str, layout: Layout) -> bool:
    """Whether a name, stripped, is known to be no backbone."""
    return name.startswith((*layout.heads, *HEADS))


def _leaving(names: Collection[str], wanted: set[str]) -> Counter[str]:
    """For each prefix, how many names of the network it leaves."""
    counts: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for cut in range(len(parts)):
            if ".".join(parts[cut:]) in wanted:
                counts["".join(f"{part}." for part in parts[:cut])] += 1
    return counts
