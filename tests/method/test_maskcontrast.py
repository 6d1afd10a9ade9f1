"""What makes MaskContrast: objects of one view against pixels of the other, the saliency head, its own pipeline."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from luss_core import runs
from luss_core.config import Config, PretrainConfig
from luss_core.config.methods import MaskContrastConfig
from luss_core.errors import UserError
from luss_core.losses.objects import balanced_cross_entropy
from luss_core.methods import Progress, build_method
from luss_core.models.encoder import Encoder
from tests.method.test_methods import IMAGES, PLAIN, batch_of, make

STEP = Progress(5, 15, 5)


def batch_with(planes: list[torch.Tensor]):
    batch = batch_of(8, "maskcontrast")
    batch.planes["saliency"][:] = planes
    return batch


def squares(side: int = 12) -> torch.Tensor:
    """(8, 1, 24, 24) bright squares in the upper left corner."""
    plane = torch.zeros(8, 1, 24, 24, dtype=torch.uint8)
    plane[..., :side, :side] = 200
    return plane


def out_of(batch, **settings):
    method = make("maskcontrast").train()
    method.cfg = method.cfg.model_copy(update=settings)
    torch.manual_seed(0)
    return method, method(batch.views(), batch, STEP)


def test_the_loss_by_its_definition():
    batch = batch_with([squares(), squares(16)])
    method, out = out_of(batch, batchnorm_images=8)
    before = make("maskcontrast").train()
    maps = before.encoder(batch.views()[0])
    pixels = F.normalize(before.head(maps.output), dim=1)
    keys = F.normalize(before.target(batch.views()[1]), dim=1)
    side = pixels.shape[-1]
    objects = F.normalize(keys[..., : side * 16 // 24, : side * 16 // 24].sum(dim=(2, 3)), dim=1)
    everything = torch.cat([objects, before.queue])
    inside = pixels[..., : side // 2, : side // 2].flatten(2).transpose(1, 2)  # (B, P, D)
    share = (inside @ everything.t() / 0.5).log_softmax(dim=2)
    contrast = -torch.stack([share[b, :, b] for b in range(8)]).mean()
    mask = F.adaptive_avg_pool2d((squares() > 0).float(), maps.attention.shape[-2:])
    saliency = balanced_cross_entropy(maps.attention, mask)
    torch.testing.assert_close(out.logs["contrast"], contrast.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.logs["saliency"], saliency.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out.loss, out.logs["contrast"] + out.logs["saliency"])
    torch.testing.assert_close(method.queue[:8], objects.detach(), rtol=1e-4, atol=1e-4)
    assert torch.equal(method.queue[8:], before.queue[:-8])


@pytest.mark.parametrize("view", [0, 1])
def test_an_image_without_an_object_counts_for_nothing(view):
    planes = [squares(), squares()]
    planes[view][3] = 0
    batch, embedded = batch_with(planes), []
    method = make("maskcontrast").train()
    method.head.register_forward_hook(lambda *found: embedded.append(found[2]))
    loss = method(batch.views(), batch, STEP).loss
    taught = torch.autograd.grad(loss, embedded[0])[0].flatten(1).abs().sum(dim=1) > 0
    assert taught.tolist() == [b != 3 for b in range(8)]
    torch.testing.assert_close(method.queue.norm(dim=1), torch.ones(20))


def test_its_weight_is_that_of_the_saliency_loss():
    batch = batch_with([squares(), squares()])
    (_, one), (_, three) = out_of(batch), out_of(batch, saliency_weight=3.0)
    torch.testing.assert_close(three.loss - one.loss, 2 * one.logs["saliency"])


def test_its_preset_segments_by_k_means_of_masked_means():
    stages = runs.resolve(Config(), "maskcontrast")
    assert stages.pretrain.attention
    assert stages.extract.attend
    assert stages.finetune.segmenter.model_dump(include={"attend", "head", "label"}) == {
        "attend": True,
        "head": "centroids",
        "label": "image",
    }
    assert stages.finetune.train.epochs == 0


def test_it_needs_the_attention():
    with pytest.raises(ValueError, match="maskcontrast teaches the attention where objects are: set attention: true"):
        PretrainConfig.model_validate({"method": {"name": "maskcontrast"}, "attention": False})
    with pytest.raises(UserError, match=r"set pretrain\.attention: true"):
        build_method(MaskContrastConfig(), Encoder(PLAIN), IMAGES)


def test_masks_are_cut_in_each_view():
    method = make("maskcontrast")
    random = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 1, 24, 24), dtype=np.uint8))
    batch = batch_with([squares(), random])
    like = torch.zeros(8, 1, 6, 6)
    first, second = method.masks(batch, like)
    expected = torch.zeros(8, 1, 6, 6)
    expected[..., :3, :3] = 1
    assert torch.equal(first, expected)
    assert set(second.unique().tolist()) == {0.0, 1.0}


def test_its_preset_does_not_depend_on_how_others_are_segmented():
    others = {"attend": False, "encoder": "trained", "features": "stage4"}
    config = Config.model_validate({"finetune": {"segmenter": others}, "extract": {"attend": False}})
    own = runs.resolve(config, "maskcontrast")
    assert (own.finetune, own.extract) == tuple(
        getattr(runs.resolve(Config(), "maskcontrast"), stage) for stage in ("finetune", "extract")
    )
