"""What the class token of a ViT attends to, and the keys: beside a second computation, and the networks without."""

import copy

import pytest
import timm
import torch
import torch.nn.functional as F

from luss_core.config import METHODS, EncoderConfig, PretrainConfig, TimmConfig
from luss_core.errors import UserError
from luss_core.losses.cues import seed
from luss_core.methods import build_method
from luss_core.methods.base import Progress
from luss_core.models.encoder import Encoder, load_encoder, split
from luss_core.models.timm_backbone import TimmBackbone
from luss_core.models.timm_heads import headless
from luss_core.stages.pretrain import initial_encoder
from tests.method.test_methods import batch_of
from tests.unit.prior_data import prepared
from tests.unit.test_initial import run, settings

PATCHES = {
    "test_vit": 16,
    "deit_tiny_distilled_patch16_224": 16,  # another token beside that of the class
    "vit_small_patch14_reg4_dinov2": 14,  # register tokens
}
SEED = {"name": "foreground", "cues": ["seed"]}


@pytest.fixture(scope="module", params=PATCHES)
def backbone(request) -> TimmBackbone:
    torch.manual_seed(0)
    made = TimmBackbone(TimmConfig(name=request.param)).eval()
    last = made.model.blocks[-1].attn
    torch.nn.init.normal_(last.qkv.weight, std=0.05)  # random ones attend to everything alike
    return made


def written_out(backbone: TimmBackbone, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, heads, P) attention of the class token and (B, heads, P, d) keys, from the tokens before the last block."""
    net = backbone.model
    _, tokens = net.forward_intermediates(
        images * backbone.scale + backbone.shift,
        indices=[len(net.blocks) - 2],
        return_prefix_tokens=True,
        output_fmt="NLC",
    )
    patches, prefix = tokens[0]
    block = net.blocks[-1]
    x = block.norm1(torch.cat([prefix, patches], dim=1))
    m, d = block.attn.num_heads, block.attn.head_dim
    q, k, _ = F.linear(x, block.attn.qkv.weight, block.attn.qkv.bias).split(m * d, dim=2)
    q, k = (part.unflatten(2, (m, d)) for part in (q, k))
    alike = torch.stack([(q[:, :1, h] * k[:, :, h]).sum(dim=2) / d**0.5 for h in range(m)], dim=1)
    first = prefix.shape[1]
    return alike.softmax(dim=2)[..., first:], k[:, first:].transpose(1, 2)


@pytest.mark.parametrize("size", [(64, 64), (50, 77), (9, 45)])
def test_heads_are_those_of_the_last_block_at_any_size(backbone, size):
    patch = PATCHES[backbone.cfg.name]
    images = torch.randn(2, 3, *size)
    near = tuple(max(1, round(side / patch)) * patch for side in size)
    with torch.inference_mode():
        maps, heads = backbone.with_heads(images)
        attention, keys = written_out(backbone, F.interpolate(images, near, mode="bilinear", antialias=True))
        assert all(torch.equal(a, b) for a, b in zip(maps, backbone(images), strict=True))
    assert heads.attention.shape[-2:] == heads.keys.shape[-2:] == maps[-1].shape[-2:]
    torch.testing.assert_close(heads.attention.flatten(2), attention, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(heads.keys.flatten(3), keys.transpose(2, 3), rtol=1e-3, atol=1e-4)
    assert (heads.attention.sum(dim=(2, 3)) < 1).all()  # the rest is of class and register tokens


def test_looking_leaves_nothing_behind(backbone):
    twin, images = copy.deepcopy(backbone), torch.randn(1, 3, 64, 64)
    _, heads = twin.with_heads(images.requires_grad_())
    assert [part.requires_grad for part in heads] == [False, False]
    with torch.autocast("cpu", torch.bfloat16):
        _, rough = twin.with_heads(images)
    assert rough.attention.dtype == rough.keys.dtype == torch.float32
    attention = twin.model.blocks[-1].attn
    assert not attention.q_norm._forward_hooks
    assert not attention.k_norm._forward_hooks
    twin.model.blocks[0].forward = lambda *_, **__: 1 / 0
    with pytest.raises(ZeroDivisionError):
        twin.with_heads(images)
    assert not attention.k_norm._forward_hooks


def encoder_of(name: str) -> Encoder:
    torch.manual_seed(0)
    return Encoder(EncoderConfig(backbone=TimmConfig(name=name), attention=True))


def test_parts_of_a_batch_keep_their_heads():
    encoder, images = encoder_of("test_vit").eval(), torch.randn(4, 3, 48, 48)
    with torch.inference_mode():
        whole, plain = encoder(images, heads=True), encoder(images)
    assert plain.heads is None
    assert split(plain, 2)[1].heads is None
    for k, part in enumerate(split(whole, 2)):
        for mine, all_of_them in zip(part.heads, whole.heads, strict=True):
            assert torch.equal(mine, all_of_them[2 * k : 2 * k + 2])


@pytest.mark.parametrize("cues", [("seed",), ("saliency", "seed", "component")])
def test_foreground_learns_from_the_seed(cues):
    encoder, batch = encoder_of("test_vit"), batch_of(4, "foreground")
    method = build_method(METHODS["foreground"].config(cues=cues), encoder, 4).train()
    torch.nn.init.normal_(encoder.backbone.model.blocks[-1].attn.qkv.weight)
    images = torch.randn(4, 3, 64, 80)
    maps = encoder(images, heads=True)
    if cues == ("seed",):
        torch.testing.assert_close(method.cue(maps, batch), seed(*maps.heads))
    output = method([images], batch, Progress(0, 1, 1))
    assert 0 < float(output.logs["foreground"]) < 1
    output.loss.backward()
    assert {n for n, p in method.named_parameters() if p.grad is not None} == {
        "encoder.attention.weight",
        "encoder.attention.bias",
    }


def test_pretrain_with_the_seed_needs_no_prior_and_keeps_the_backbone(tmp_path):
    data, made = prepared(tmp_path), {}
    for epochs in (0, 1):
        train = {"epochs": epochs, "batch_size": 2, "warmup_epochs": 0, "precision": "float32"}
        (tmp_path / str(epochs)).mkdir()
        cfg = settings("vit", "foreground", train=train).model_copy(
            update={"method": METHODS["foreground"].config(cues=("seed",))}
        )
        made[epochs] = load_encoder(run(cfg, data, tmp_path / str(epochs))).state_dict()
    changed = {name for name, value in made[1].items() if not torch.equal(value, made[0][name])}
    assert changed == {"attention.weight", "attention.bias"}


def test_the_heads_are_looked_at_only_for_the_seed(monkeypatch):
    encoder, batch = encoder_of("test_vit"), batch_of(2, "foreground")
    monkeypatch.setattr(TimmBackbone, "with_heads", None)
    method = build_method(METHODS["foreground"].config(cues=("component",)), encoder, 4)
    method([torch.randn(2, 3, 64, 64)], batch, Progress(0, 1, 1))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("deit_tiny_patch16_224", ""),
        ("vit_small_patch14_reg4_dinov2", ""),
        ("tf_efficientnet_lite0", "has no class token"),
        ("test_vit2", "has no class token"),  # a register token
        ("swin_tiny_patch4_window7_224", "has no class token"),
        ("vit_small_patch16_dinov3", "has rotary positions, which change the keys after the place where they are read"),
        ("beit_base_patch16_224", "has attention of another kind"),
        ("vit_base_patch16_xp_224", "has attention of another kind"),
    ],
)
def test_networks_with_heads_and_without(name, reason):
    with torch.device("meta"):
        assert headless(timm.create_model(name, num_classes=0)) == reason


def test_a_network_without_is_refused_before_weights_are_fetched(monkeypatch):
    monkeypatch.setattr("luss_core.stages.pretrain.load_initial", None)
    network = {"backbone": {"family": "timm", "name": "test_efficientnet"}, "decoder": None}
    views = {"crops": [{"count": 1, "size": 224, "scale": [0.5, 1]}]}
    with pytest.raises(UserError) as found:
        initial_encoder(PretrainConfig.model_validate(network | {"method": SEED, "views": views}))
    assert str(found.value) == (
        "pretrain.method.cues: seed looks at what the class token of a ViT attends to, but test_efficientnet has no"
        " class token; take other cues (saliency, norm, border, component), or another network, for instance"
        " vit_small_patch14_dinov2.lvd142m"
    )
    with pytest.raises(UserError, match="but test_efficientnet has no class token"):
        build_method(METHODS["foreground"].config(cues=("norm", "seed")), encoder_of("test_efficientnet"), 4)


def test_a_resnet_is_refused_with_the_settings():
    views = {"crops": [{"count": 1, "size": 48, "scale": [0.5, 1]}]}
    with pytest.raises(ValueError, match=r"method\.cues: seed .* which a ResNet does not have; take other cues"):
        PretrainConfig.model_validate({"method": SEED, "decoder": None, "views": views})
    with pytest.raises(UserError, match="resnet18 has no class token"):
        Encoder(EncoderConfig()).backbone.require_heads()
