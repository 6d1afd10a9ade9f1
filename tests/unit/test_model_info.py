"""Counted costs against formulas and published numbers, and the command."""

import json

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from luss_core.__main__ import main
from luss_core.errors import UserError
from luss_core.models import command
from luss_core.models.architectures import PUBLISHED
from luss_core.models.count import count


@pytest.fixture(scope="module")
def costs():
    return {name: count(architecture, 224) for name, architecture in PUBLISHED.items()}


@pytest.mark.parametrize(
    ("layer", "shape", "macc"),
    [
        (nn.Conv2d(6, 10, 3, stride=2, padding=1), (1, 6, 9, 12), 10 * 5 * 6 * 6 * 9),
        (nn.Conv2d(6, 10, 3, padding=2, dilation=2), (1, 6, 9, 12), 10 * 9 * 12 * 6 * 9),
        (nn.Conv2d(6, 12, 1, groups=3), (2, 6, 4, 4), 2 * 12 * 4 * 4 * 2),
        (nn.Linear(7, 5), (3, 7), 3 * 7 * 5),
    ],
)
def test_the_counter_of_torch_counts_two_for_a_multiply_accumulate(layer, shape, macc):
    with FlopCounterMode(display=False) as counter:
        layer.to("meta")(torch.empty(shape, device="meta"))
    assert counter.get_total_flops() == 2 * macc


@pytest.mark.parametrize(
    ("name", "parameters", "macc", "classifier"),
    [("resnet18", 11_689_512, 1.814e9, 512), ("resnet50", 25_557_032, 4.089e9, 2048)],
)
def test_plain_networks_cost_what_torchvision_states(costs, name, parameters, macc, classifier):
    assert costs[name].parameters == parameters - 1000 * classifier - 1000
    assert costs[name].macc + 1000 * classifier == pytest.approx(macc, rel=3e-4)


def test_the_low_cost_networks_cost_what_the_paper_states(costs):
    small, large = costs["deeplabv3plus*-resnet18"], costs["deeplabv3plus*-resnet50"]
    assert small.parameters == pytest.approx(16.7e6, rel=0.01)
    assert small.macc == pytest.approx(3.3e9, rel=0.06)
    assert large.macc == pytest.approx(9.5e9, rel=0.03)
    assert costs["resnet50"].macc == pytest.approx(4.1e9, rel=0.01)


def test_the_head_costs_its_formula(costs):
    channels, low, deep = 256, 48, 512
    aspp = 49 * (deep + 3 * 9 * deep + 5 * channels) * channels + deep * channels
    decoder = 196 * (64 * low + 9 * (channels + low) * channels + 9 * channels * channels)
    backbone = costs["deeplabv3plus*-resnet18"].macc - aspp - decoder
    assert backbone == count(PUBLISHED["deeplabv3plus*-resnet18"]._replace(decoder=None), 224).macc
    published = costs["deeplabv3plus-resnet50-os8"].macc, costs["deeplabv3plus-resnet50-os16"].macc
    assert published == pytest.approx((34.93e9, 13.23e9), rel=1e-3)  # from the same formula at 28 and 14 positions


def test_counting_takes_no_memory_and_no_random_numbers():
    before = torch.get_rng_state()
    assert count(PUBLISHED["deeplabv3plus-resnet50-os8"], 8192).macc > 4e13
    assert torch.equal(before, torch.get_rng_state())


def test_json_is_one_object_with_every_network(capsys):
    main(["model-info", "--json", "--size", "64"])
    result = json.loads(capsys.readouterr().out)
    names = [model["name"] for model in result["models"]]
    assert result["size"] == 64
    assert names[: len(PUBLISHED)] == list(PUBLISHED)
    assert any(name.startswith("config: ") for name in names)
    assert all(model["parameters"] > 0 and model["macc"] > 0 for model in result["models"])


def test_the_networks_of_a_configuration_are_rows(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "run: [plain]\npresets: {plain: {pretrain: {decoder: null}}, again: {pretrain: {decoder: null}},"
        " wide: {pretrain: {decoder: null, backbone: {width: 64}}}}"
    )
    main(["model-info", "--config", str(file)])
    table = capsys.readouterr().out
    rows = {line.rpartition("  ")[0].split("  ")[0]: line.split()[-2:] for line in table.splitlines()[1:]}
    [plain] = [name for name in rows if name.endswith(", plain, again")]  # beside the presets of config.yaml
    assert float(rows["config: wide"][0]) > 10 * float(rows[plain][0])
    assert rows["deeplabv3plus*-resnet50"] == ["40.347", "9.471"]


def test_networks_of_timm_are_rows_without_a_download(tmp_path, capsys):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "presets: {mine: {pretrain: {decoder: null, weights: timm, backbone: {family: timm, name:"
        " vit_small_patch14_dinov2.lvd142m}}}}"
    )
    main(["model-info", "--config", str(file)])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("config: mine "))
    assert float(row.split()[-2]) == 22.056  # dinov2: 22 M
    assert float(row.split()[-1]) == pytest.approx(5.5, rel=0.15)
    file.write_text("presets: {mine: {pretrain: {decoder: null, backbone: {family: timm, name: vit_smal}}}}")
    with pytest.raises(UserError, match="has no network 'vit_smal'; did you mean vit_small"):
        main(["model-info", "--config", str(file)])


def test_without_a_file_the_defaults_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(command.configured(None)) >= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--size", "0"], "--size 0: .* 8 to 8192"),
        (["--config", "none.yaml"], r"none\.yaml: no such file"),
        (["--config", "list.yaml"], r"list\.yaml: holds no settings"),
        (["--config", "broken.yaml"], r"broken\.yaml: cannot be read"),
        (["--config", "typo.yaml"], r"typo\.yaml: .*\n.*pretrian.*did you mean pretrain"),
    ],
)
def test_what_cannot_be_counted_is_named(arguments, words, tmp_path, monkeypatch):
    (tmp_path / "list.yaml").write_text("- 1")
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "typo.yaml").write_text("pretrian: {}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        command.main(arguments)
