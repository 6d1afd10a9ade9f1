"""Every method on networks of timm, a CNN and a ViT."""

import pytest
import torch

from luss_core.config import METHODS, EncoderConfig, TimmConfig
from luss_core.methods import Method, Progress, build_method
from luss_core.models.batchnorm import GroupBatchNorm, synchronized
from luss_core.models.encoder import Encoder
from luss_core.models.frozen import freeze
from luss_core.models.timm_backbone import TimmBackbone
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer
from tests.method import test_methods
from tests.method.test_contract import Waits
from tests.method.test_methods import CPU, DECODER, IMAGES, NAMES, TINY, TRAIN, batch_of, make

NETWORKS = {"cnn": "test_efficientnet", "vit": "test_vit"}
COARSE = DECODER.model_copy(update={"aspp_stride": 32, "decoder_stride": 16, "low_level_stage": 3})


@pytest.fixture(params=NETWORKS)
def family(request, monkeypatch) -> str:
    """`make` makes methods with that network."""
    backbone = TimmConfig(name=NETWORKS[request.param])
    whole = {name: name == "attended" or (name in METHODS and METHODS[name].whole) for name in NAMES}
    encoders = {
        name: EncoderConfig(backbone=backbone, attention=attended, decoder=COARSE if attended else None)
        for name, attended in whole.items()
    }
    monkeypatch.setattr("tests.method.test_methods.ENCODERS", encoders)
    return request.param


def trained(method: Method, name: str, steps: int = 2) -> list[float]:
    optimizer = make_optimizer(method.train(), TRAIN, method.lr_scale)
    return [
        train_step(method, optimizer, batch_of(8, name), TRAIN, Progress(step, 15, 5)).loss.item()
        for step in range(steps)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_steps_are_finite_and_teach_every_parameter_that_learns(name, family):  # noqa: ARG001
    """Several processes wait for the gradients of all of them."""
    method = make(name)
    assert torch.tensor(trained(method, name, steps=4)).isfinite().all()
    asleep = [n for n, p in method.named_parameters() if p.requires_grad and p.grad is None]
    assert asleep == (["prototypes.weight"] if "prototypes.weight" in asleep else [])  # frozen in the first steps
    assert all(value.isfinite().all() for value in method.state_dict().values())


@pytest.mark.parametrize("name", NAMES)
def test_a_step_waits_for_no_gpu(name, family):  # noqa: ARG001
    method = make(name).train()
    optimizer = make_optimizer(method, TRAIN)
    for step in (0, 7, 8):
        batch = batch_of(8, name)
        counters = [state["step"] for state in optimizer.state.values() if "step" in state]
        with Waits(counters) as waits:
            train_step(method, optimizer, batch, TRAIN, Progress(step, 15, 5))
    assert waits.found == []


@pytest.mark.parametrize("name", [name for name in METHODS if name != "foreground"])  # which keeps all of it
@pytest.mark.parametrize("stages", [1, 3])
def test_frozen_stages_stay_with_the_statistics_of_their_batchnorm(name, stages, family):
    method = make(name)
    backbone = method.encoder.backbone
    assert isinstance(backbone, TimmBackbone)
    freeze(backbone, stages)
    before = {n: value.clone() for n, value in backbone.state_dict().items()}
    trained(method, name)
    moved = {n for n, value in backbone.state_dict().items() if not torch.equal(before[n], value)}
    if family == "vit":
        last = [0, 2, 3, 5][stages - 1]
        kept = (
            "model.cls_token",
            "model.pos_embed",
            "model.patch_embed",
            *(f"model.blocks.{k}." for k in range(last + 1)),
        )
        assert {n.split(".")[2] for n in moved if "blocks" in n} == {str(k) for k in range(last + 1, 6)}
        assert "model.norm.weight" in moved
    else:
        last = [1, 2, 3][stages - 1]
        kept = ("model.conv_stem", "model.bn1", *(f"model.blocks.{k}." for k in range(last + 1)))
        assert any("running_mean" in n for n in moved)
    assert not [n for n in moved if n.startswith(kept)]
    assert {n for n in before if n.startswith("model") and not n.startswith(kept)} - moved <= {
        n for n in before if "num_batches" in n
    }


def test_a_momentum_copy_is_of_the_network_as_it_begins(family):  # noqa: ARG001
    encoder = Encoder(test_methods.ENCODERS["byol"])
    freeze(encoder.backbone, 1)
    method = build_method(TINY["byol"], encoder, IMAGES).train()
    copied = method.target[0]
    assert all(torch.equal(value, copied.state_dict()[n]) for n, value in encoder.state_dict().items())
    assert copied.backbone.frozen == encoder.backbone.frozen
    for backbone in (copied.backbone, encoder.backbone):
        assert not any(backbone.get_submodule(n).training for n in backbone.frozen)


def test_synchronised_batchnorm_of_timm_keeps_its_activation():
    torch.manual_seed(0)
    plain = TimmBackbone(TimmConfig(name="test_efficientnet"))
    names, x = list(plain.state_dict()), torch.randn(4, 3, 64, 64)
    freeze(plain, 1)
    expected, frozen = plain.eval()(x), plain.frozen
    together = synchronized(plain, CPU)
    assert [type(m) for m in together.modules() if isinstance(m, torch.nn.BatchNorm2d)] == []
    assert any(isinstance(m, GroupBatchNorm) for m in together.modules())
    assert list(together.state_dict()) == names
    for ours, theirs in zip(together(x), expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    still = [m for m in together.train().modules() if isinstance(m, GroupBatchNorm) and not m.training]
    assert len(still) == sum(isinstance(together.get_submodule(n), GroupBatchNorm) for n in frozen) > 0
