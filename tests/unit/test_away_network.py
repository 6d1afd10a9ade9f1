"""The network in other forms says the same, and masks of it are the same."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from exported_run import SMALLEST, make_run

import luss_core
from luss_core.away import network
from luss_core.away.command import main
from luss_core.away.traceable import Padded, Whole, traceable
from luss_core.errors import UserError
from luss_core.methods.exported import load_exported

SHAPES = ((1, 3, 40, 60), (3, 3, 41, 83), (1, 3, 99, 37))
MULTIPLES = ((1, 3, 64, 96), (3, 3, 128, 64))
"""For networks that take no others."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("network"))["run"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("small"), network=SMALLEST, size=72)["run"]


def images(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8))


def test_onnx_says_the_same_at_any_size(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(run), "--to", "onnx", "-o", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "compared on 9 images of the run: largest difference of an output" in printed
    assert printed.splitlines()[0].endswith(" pixels of masks 0 differ")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    whole = Whole(load_exported(run / "export" / "model.safetensors").network)
    for shape in SHAPES:
        x = images(shape)
        with torch.inference_mode():
            ours = whole(x)
        theirs = session.run(["maps", "attention"], {"image": x.numpy()})
        for a, b in zip(ours, theirs, strict=True):
            assert a.shape == b.shape
            assert np.allclose(a.numpy(), b, atol=1e-3 * float(a.abs().max()))
    said = json.loads(session.get_modelmeta().custom_metadata_map["luss"])
    assert (said["size"], said["outputs"], said["shown_as"]) == (40, ["maps", "attention"], [0, 1, 2, 3])
    assert [entry["id"] for entry in said["categories"]] == [0, 1, 2, 3]


def test_a_torch_program_says_the_same_without_this_package(small: Path, tmp_path: Path) -> None:
    main([str(small), "--to", "torch", "-o", str(tmp_path)])
    extra = {"luss": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=extra).module()
    whole = Whole(load_exported(small / "export" / "model.safetensors").network)
    for shape in MULTIPLES:
        with torch.inference_mode():
            assert all(torch.equal(a, b) for a, b in zip(whole(images(shape)), program(images(shape)), strict=True))
    assert json.loads(extra["luss"])["size"] == 72


def test_a_model_that_is_carried_away_keeps_what_was_corrected(run: Path, tmp_path: Path) -> None:
    image = images((52, 60, 3)).numpy()
    plain = luss_core.Segmenter.load(run)(image)
    (run / "edits.yaml").write_text("names: {1: beetle}\nmerged: {2: 1}\nbackground: [3]\n")
    try:
        main([str(run), "--to", "model", "-o", str(tmp_path)])
    finally:
        (run / "edits.yaml").unlink()
    carried = luss_core.Segmenter.load(tmp_path / "model.safetensors")
    assert np.array_equal(carried(image), np.array([0, 1, 1, 0])[plain])
    assert [category.name for category in carried.categories] == ["other", "beetle"]
    assert np.array_equal(luss_core.Segmenter.load(run)(image), plain)


def test_convolutions_that_pad_by_their_input_pad_alike_for_all_sizes(small: Path) -> None:
    from timm.layers import Conv2dSame

    found = load_exported(small / "export" / "model.safetensors").network
    changed = load_exported(small / "export" / "model.safetensors").network
    for net in (found, changed):
        model = net.encoder.backbone.model
        layer = Conv2dSame(3, model.conv_stem.out_channels, 3, stride=2, bias=False)
        layer.load_state_dict(model.conv_stem.state_dict())
        model.conv_stem = layer
    whole, fixed = Whole(found).eval(), traceable(changed, images((1, 3, 96, 160)))
    assert isinstance(changed.encoder.backbone.model.conv_stem, Padded)
    for shape in MULTIPLES:
        with torch.inference_mode():
            assert all(torch.equal(a, b) for a, b in zip(whole(images(shape)), fixed(images(shape)), strict=True))


def test_what_is_not_installed_is_named(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UserError, match=r"--to onnx needs onnxscript, not installed here; install: pip install onnx"):
        main([str(run), "--to", "onnx", "-o", str(tmp_path)])
    with pytest.raises(UserError, match="holds no run with"):
        main([str(tmp_path), "--to", "model", "-o", str(tmp_path)])
