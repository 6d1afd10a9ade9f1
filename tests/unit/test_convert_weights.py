"""Checkpoints with Python objects: refused with a command, which keeps the tensors and runs nothing."""

import copyreg
import os
import pathlib
import shlex
import sys
from argparse import Namespace
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from enum import Enum

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file as load_safetensors
from torch import nn

from luss_core.__main__ import main
from luss_core.config import BackboneConfig, EncoderConfig
from luss_core.errors import UserError
from luss_core.models.encoder import Encoder
from luss_core.models.foreign import load_file
from tests.unit import published

RAN = []
"""Whatever runs leaves a trace here."""


def run(*what):
    RAN.append(what)
    return what


class Reduced:
    def __reduce__(self):
        return run, ("reduced",)


class Restored:
    def __init__(self):
        self.x = 1

    def __setstate__(self, state):
        run("restored", state)


class Filled(dict):
    def __setitem__(self, key, value):
        run("filled", key)
        super().__setitem__(key, value)


class AttributeDict(dict):
    """As Lightning keeps its settings."""


class Colour(Enum):
    RED = "red"


@dataclass
class Best:
    accuracy: float


class Shell:
    def __reduce__(self):
        return os.system, ("touch ran",)


class Evaluated:
    def __reduce__(self):
        return eval, ("__import__('os').system('touch ran')",)


OBJECTS = {
    "args": Namespace(lr=0.1, layers=[1, 2]),
    "nested": {"config": OmegaConf.create({"lr": 0.1, "layers": [1, {"a": 2}]})},
    "numpy": [np.float64(0.5), np.array([1, 2]), np.dtype("float32")],
    "hyper_parameters": AttributeDict(lr=0.1, inner=AttributeDict(a=1)),
    "groups": defaultdict(dict, {"a": {"b": 1}}),
    "path": pathlib.PurePosixPath("/tmp"),
    "colour": Colour.RED,
    "best": Best(0.5),
    "function": run,
    "reduced": Reduced(),
    "restored": Restored(),
    "filled": Filled(a=1),
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return published.resnet()


def encoder() -> Encoder:
    return Encoder(EncoderConfig(backbone=BackboneConfig(width=64, stem="imagenet", strides=(1, 2, 2, 2)))).eval()


def assert_same(found: Encoder, network: nn.Module) -> None:
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(found(images).output.mean(dim=(2, 3)), published.features(network, images))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", OBJECTS)
def test_objects_are_refused_and_left_out_by_the_command_that_the_message_names(
    name, zipped, network, tmp_path, capsys
):
    path = tmp_path / "full.pth.tar"
    torch.save({**published.dino(network), name: OBJECTS[name]}, path, _use_new_zipfile_serialization=zipped)
    RAN.clear()
    with pytest.raises(UserError, match="holds Python objects beside tensors .*because they could run") as error:
        load_file(encoder(), path)
    command = shlex.split(str(error.value).partition("python -m luss_core ")[2])
    main(command)
    said = capsys.readouterr().out
    assert RAN == []
    assert "left out: 1 tensors of optimizers, Python objects: " in said
    found = encoder()
    assert load_file(found, tmp_path / "full.pth.safetensors").layout == "DINO or DINOv2, training file"
    assert_same(found, network)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("attack", [Shell(), Evaluated(), {"deep": [Reduced(), {"x": Shell()}]}])
def test_nothing_of_a_malicious_file_runs(attack, zipped, network, tmp_path, monkeypatch):
    """Where torch itself blocks a module the file is refused, else a stand-in takes its place."""
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": published.bare(network), "x": attack}, "bad.pth", _use_new_zipfile_serialization=zipped)
    RAN.clear()
    with pytest.raises(UserError, match="holds Python objects"):
        load_file(encoder(), pathlib.Path("bad.pth"))
    try:
        main(["convert-weights", "bad.pth", "out.safetensors"])
    except UserError as error:
        assert "holds objects that cannot be left out" in str(error)  # noqa: PT017 - either is right
        assert not pathlib.Path("out.safetensors").exists()
    assert not pathlib.Path("ran").exists()
    assert RAN == []


def test_nothing_is_imported_that_a_file_names(network, tmp_path, monkeypatch):
    """Classes of packages that are not installed, as in most files of others."""
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "far_away.py").write_text("class Config:\n    def __init__(self):\n        self.lr = 1\n")
    monkeypatch.syspath_prepend(folder)
    import far_away

    torch.save({"state_dict": published.bare(network), "cfg": far_away.Config()}, tmp_path / "x.pth")
    del sys.modules["far_away"]
    main(["convert-weights", str(tmp_path / "x.pth"), str(tmp_path / "x.safetensors")])
    assert "far_away" not in sys.modules
    assert load_file(encoder(), tmp_path / "x.safetensors").layout.startswith("bare ResNet names in state_dict")


def test_not_even_a_class_that_a_package_allowed_is_made(network, tmp_path):
    torch.save({"state_dict": published.bare(network), "x": Restored()}, tmp_path / "x.pth")
    RAN.clear()
    with torch.serialization.safe_globals([Restored]):
        allowed = set(torch.serialization.get_safe_globals())
        main(["convert-weights", str(tmp_path / "x.pth"), str(tmp_path / "x.safetensors")])
        assert set(torch.serialization.get_safe_globals()) == allowed
    assert RAN == []


def test_a_network_that_was_saved_whole_gives_its_weights(network, tmp_path):
    torch.save({"model": network, "epoch": 3}, tmp_path / "whole.pth")
    main(["convert-weights", str(tmp_path / "whole.pth"), str(tmp_path / "whole.safetensors")])
    assert load_safetensors(tmp_path / "whole.safetensors").keys() == {f"model.{name}" for name in network.state_dict()}
    found = encoder()
    assert load_file(found, tmp_path / "whole.safetensors").layout == "names under model"
    assert_same(found, network)


def test_tensors_that_share_memory_or_are_views_are_written(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": whole, "b": whole, "c": whole.T, "d": whole[1:]}, tmp_path / "x.pth")
    main(["convert-weights", str(tmp_path / "x.pth"), str(tmp_path / "x.safetensors")])
    found = load_safetensors(tmp_path / "x.safetensors")
    for name, tensor in {"a": whole, "b": whole, "c": whole.T, "d": whole[1:]}.items():
        assert torch.equal(found[name], tensor)


def test_a_mapping_that_holds_itself_ends(tmp_path):
    loop = OrderedDict(a=torch.ones(3))
    loop["again"] = loop
    torch.save(loop, tmp_path / "x.pth")
    main(["convert-weights", str(tmp_path / "x.pth"), str(tmp_path / "x.safetensors")])
    assert list(load_safetensors(tmp_path / "x.safetensors")) == ["a"]


class Outside:
    """Rebuilt by a function of copyreg, as pickles before protocol 2 do."""

    def __reduce__(self):
        return copyreg._reconstructor, (Outside, object, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x.pth", "x.pt"], r"OUT x\.pt: must end in \.safetensors"),
        (["x.safetensors", "x.safetensors"], "is the file that is read"),
        (["none.pth", "x.safetensors"], r"none\.pth: cannot be read"),
        (["text.pth", "x.safetensors"], r"text\.pth: is no checkpoint"),
        (["opt.pth", "x.safetensors"], r"opt\.pth: holds tensors of an optimizer only"),
        (["blocked.pth", "x.safetensors"], "holds objects that cannot be left out .*system.*"),
    ],
)
def test_what_cannot_be_converted_is_named(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("text.pth").write_text("some text that is long enough")
    torch.save({"optimizer": {"state": torch.ones(3)}}, "opt.pth")
    torch.save({"a": torch.ones(3), "b": Shell(), "c": Outside()}, "blocked.pth")
    with pytest.raises(UserError, match=words):
        main(["convert-weights", *arguments])
    assert not pathlib.Path("x.safetensors").exists()
    assert not pathlib.Path("ran").exists()
