"""Files that give no weights, and weights that do not fit: one message each, and the encoder stays as it was."""

import os
import pickle
import zipfile

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from luss_core.config import BackboneConfig, EncoderConfig
from luss_core.errors import UserError
from luss_core.models.encoder import Encoder
from luss_core.models.foreign import load_file
from luss_core.models.foreign.read import read
from luss_core.models.weights import save_weights
from tests.unit import published

PUBLISHED = {"width": 64, "stem": "imagenet", "strides": (1, 2, 2, 2)}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return published.resnet()


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(EncoderConfig(backbone=BackboneConfig(**PUBLISHED)))


def refused(encoder, path) -> str:
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_file(encoder, path)
    assert "\n" not in str(error.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
    return str(error.value)


def jpeg(path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, "JPEG")


def script(path):
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"model/{name}", b"")


NO_CHECKPOINTS = {
    "is empty": lambda path: path.touch(),
    "is a JPEG image": jpeg,
    "is a web page; the download went wrong": lambda path: path.write_text("\n<!DOCTYPE html><html>404</html>"),
    "is no checkpoint (its first bytes are b'resnet18 of ')": lambda path: path.write_text("resnet18 of last week"),
    "is a pointer of Git LFS": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0"),
    "is a pickle that torch.save did not write": lambda path: path.write_bytes(pickle.dumps({"a": np.zeros(3)})),
    "is a ZIP archive that torch.save did not write (it holds a.npy)": lambda path: np.savez(path.open("wb"), a=1),
    "holds no tensors by name": lambda path: torch.save({"epoch": 3, "state_dict": {}}, path),
    "is a TorchScript program": script,
}


@pytest.mark.parametrize("words", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_named(words, encoder, tmp_path):
    NO_CHECKPOINTS[words](tmp_path / "weights.pth")
    message = refused(encoder, tmp_path / "weights.pth")
    assert message.startswith(f"weights {tmp_path}/weights.pth: {words}")
    assert message.endswith("give a checkpoint: a .safetensors file, or what torch.save wrote of a state dict")


def test_a_missing_file_and_a_folder_are_named(encoder, tmp_path):
    assert "none.pth: cannot be read (seen from " in refused(encoder, tmp_path / "none.pth")
    assert "Is a directory" in refused(encoder, tmp_path)


@pytest.mark.parametrize("kind", ["zip", "stream", "safetensors"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_truncated_file_is_named(kind, share, encoder, network, tmp_path):
    path = tmp_path / "weights"
    if kind == "safetensors":
        save_file(network.state_dict(), path)
    else:
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=kind == "zip")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "cut short" in refused(encoder, path)


def test_bytes_that_changed_in_the_pickle_are_named(encoder, network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    content = bytearray((tmp_path / "old.pth").read_bytes())
    content[200:400] = bytes(200)
    (tmp_path / "old.pth").write_bytes(content)
    assert "is damaged or cut short" in refused(encoder, tmp_path / "old.pth")


def test_a_large_file_is_mapped_and_not_read(tmp_path):
    """What stays unused, such as the state of an optimizer, takes no memory."""
    state = {"layer1.weight": torch.ones(3), "optimizer": {"state": torch.zeros(60_000_000)}}
    torch.save(state, tmp_path / "large.pth")
    save_file({"a": torch.ones(3), "b": torch.zeros(60_000_000)}, tmp_path / "large.safetensors")
    del state
    for name in ("large.pth", "large.safetensors"):
        before = psutil.Process(os.getpid()).memory_info().rss
        contents = read(tmp_path / name)
        assert psutil.Process(os.getpid()).memory_info().rss - before < 40e6
        assert len(contents.tensors) == 2


def fits_not(encoder, state, tmp_path) -> str:
    torch.save(state, tmp_path / "weights.pth")
    return refused(encoder, tmp_path / "weights.pth")


def test_a_larger_network_is_recognised_with_what_to_set(encoder, tmp_path):
    message = fits_not(encoder, published.moco(published.resnet("resnet50")), tmp_path)
    assert "weights.pth (MoCo v2) do not fit the resnet18 of the settings: it is a resnet50 of width 64" in message
    assert "set pretrain.backbone.arch: resnet50. Tensors " in message


def test_the_default_network_is_told_its_width_and_stem(network, tmp_path):
    message = fits_not(Encoder(EncoderConfig()), published.bare(network), tmp_path)
    assert "set pretrain.backbone.width: 64, pretrain.backbone.stem: imagenet" in message


@pytest.mark.parametrize(
    ("arch", "called", "name"),
    [
        ("resnet34", "resnet34", "resnet34"),
        ("wide_resnet50_2", "wide resnet50", "wide_resnet50_2"),
        ("resnext50_32x4d", "wide ResNeXt of 3-4-6-3 blocks", "..."),
    ],
)
def test_networks_that_are_not_built_here_are_named(arch, called, name, encoder, tmp_path):
    message = fits_not(encoder, published.resnet(arch).state_dict(), tmp_path)
    assert f"it is a {called} of width 64" in message
    assert f"which only timm has: set pretrain.backbone: {{family: timm, name: {name}}}" in message


def test_a_stem_for_cifar_is_refused_even_where_its_shape_fits(network, tmp_path):
    state = published.bare(network) | {"conv1.weight": torch.randn(64, 3, 3, 3)}
    encoder = Encoder(EncoderConfig(backbone=BackboneConfig(width=64)))
    message = fits_not(encoder, published.lightning(published.under("backbone.", state)), tmp_path)
    assert "a stem of 3x3 pixels, made for images of some 32 pixels (CIFAR)" in message
    assert "Tensors" not in message


def test_half_the_names_are_counted_and_listed(encoder, network, tmp_path):
    state = dict(list(published.bare(network).items())[::2])
    message = fits_not(encoder, published.under("module.encoder_q.", state), tmp_path)
    assert "Tensors 40 missing: bn1.weight, bn1.running_mean, layer1.0.bn1.weight, " in message
    assert message.endswith(", ...")


def test_tensors_of_no_known_head_are_listed(encoder, network, tmp_path):
    message = fits_not(encoder, {**network.state_dict(), "layer5.weight": torch.ones(3)}, tmp_path)
    assert message.endswith("give the whole file of such a network. Tensors 1 left over: layer5.weight")


def test_names_of_no_backbone_are_shown_beside_what_is_known(encoder, tmp_path):
    message = fits_not(encoder, {"gru.weight": torch.ones(3), "gru.bias": torch.ones(3)}, tmp_path)
    assert "no backbone was recognised among its 2 tensors (gru.weight, gru.bias); known are MoCo v2; PASS; " in message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (
            lambda: torch.ones(64, dtype=torch.int8),
            "bn1.weight holds torch.int8 in layout torch.strided instead of real numbers",
        ),
        (lambda: torch.full((64,), torch.nan), "bn1.weight holds values that are not finite"),
        (lambda: torch.ones(64).to_sparse(), "bn1.weight holds torch.float32 in layout torch.sparse_coo"),
        (lambda: torch.quantize_per_tensor(torch.ones(64), 1.0, 0, torch.qint8), "bn1.weight holds quantized values"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_values_that_are_no_weights_are_named(value, words, encoder, network, tmp_path):
    message = fits_not(encoder, {**network.state_dict(), "bn1.weight": value()}, tmp_path)
    assert words in message


def test_an_encoder_of_this_project_says_which_settings_it_has(encoder, tmp_path):
    cfg = EncoderConfig(backbone=BackboneConfig(width=8))
    save_weights(tmp_path / "encoder.safetensors", Encoder(cfg), {"encoder": cfg.model_dump(mode="json")})
    message = refused(encoder, tmp_path / "encoder.safetensors")
    assert "(this project's) do not fit the backbone of the settings: set pretrain.backbone.width: 8, " in message
