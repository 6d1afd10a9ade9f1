"""AdvCAM: the score it climbs, the mask that limits it, and what it must leave alone."""

import gc

import numpy as np
import pytest
import torch
from exported_run import SMALLEST, make_run
from torch import nn

from luss_core.away.network import write_torch
from luss_core.config import BackboneConfig, Config, EncoderConfig, SeamConfig, SegmenterConfig
from luss_core.config.advcam import AdvCAMConfig
from luss_core.data.decode import Decoded
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.methods.advcam import AdvCAM, climb, objective, with_advcam
from luss_core.methods.exported import load_exported
from luss_core.methods.seam import Seam
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder
from luss_core.models.tensor_file import read_about
from luss_core.runs import load

PLAIN = {"scales": [1], "flip": False}
CLASSES = 4


def segmenter(encoder="frozen"):
    torch.manual_seed(0)
    backbone = BackboneConfig(arch="resnet18", width=8)
    body = Encoder(EncoderConfig(backbone=backbone, decoder=None, attention=False))
    network = Segmenter(SegmenterConfig(attend=False, encoder=encoder), body, CLASSES).eval()
    nn.init.normal_(network.head.weight, std=0.5)
    return network


def images(count=2, size=32):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def convolution(seed=0):
    """A toy network in float64: one convolution with padding."""
    torch.manual_seed(seed)
    return nn.Conv2d(3, CLASSES, 3, padding=1).double()


def test_the_objective_is_the_written_out_sum():
    generator = torch.Generator().manual_seed(0)
    maps, first = torch.randn(2, 3, CLASSES, 5, 4, generator=generator, dtype=torch.float64)
    category, cfg = torch.tensor([2, 0, 3]), AdvCAMConfig(weight=7, keep=0.5)
    for b, c in enumerate(category.tolist()):
        positive = maps[b].clamp(min=0)
        score = positive[c].mean() - sum(positive[k].mean() for k in range(CLASSES) if k != c)
        change = 0.0
        for i in range(5):
            for j in range(4):
                if positive[c, i, j] > 0.5 * positive[c].max():
                    change += abs(float(positive[c, i, j] - first[b, c].clamp(min=0)[i, j]))
        found = objective(maps, first, category, cfg)[b]
        torch.testing.assert_close(found, score - 7 * change, atol=1e-12, rtol=0)


def test_one_step_is_the_written_out_one():
    network, cfg, x = convolution(), AdvCAMConfig(step=0.3, **PLAIN), images(1, 6).double()
    category = torch.tensor([1])
    # at the first step nothing has changed yet, so that the gradient is that of the scores alone
    w, inside = network.weight.detach(), (network(x) > 0).double().detach()
    sign = -torch.ones(CLASSES, dtype=torch.float64)
    sign[1] = 1
    weights = inside * sign[:, None, None] / 36
    gradient = torch.nn.functional.conv_transpose2d(weights, w, padding=1)
    moved = (x + 0.3 * gradient / (gradient.abs().max() + 1e-12)).clamp(x.min(), x.max())
    expected = (network(x) + network(moved)) / 2
    torch.testing.assert_close(climb(network, x, category, 1, cfg), expected.detach(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("encoder", ["frozen", "trained"])
def test_the_score_rises_step_by_step(encoder):
    network, seen = segmenter(encoder), []
    network.requires_grad_(False)

    def maps_of(x):
        seen.append(network.segment(x).maps)
        return seen[-1]

    cfg, category = AdvCAMConfig(step=0.02, weight=0, **PLAIN), torch.tensor([1, 3])
    climb(maps_of, images(), category, 6, cfg)
    climbed = torch.stack([objective(maps, seen[0], category, cfg) for maps in seen]).detach()
    assert len(seen) == 7
    assert (climbed.diff(dim=0) > 0).all()


def test_the_mask_limits_the_change_where_the_map_was_high():
    network, category = segmenter().requires_grad_(False), torch.tensor([1, 3])

    def change(weight):
        seen = []

        def maps_of(x):
            seen.append(network.segment(x).maps[range(2), category].relu())
            return network.segment(x).maps

        climb(maps_of, images(), category, 8, AdvCAMConfig(step=0.02, weight=weight, **PLAIN))
        high = seen[0] > 0.5 * seen[0].amax((1, 2), keepdim=True)
        return ((seen[-1] - seen[0]).abs() * high).sum().item()

    assert change(50) < 0.5 * change(0)


def test_without_a_step_the_maps_are_the_plain_ones():
    network, x = segmenter(), images()
    with torch.inference_mode():
        plain = network.segment(x).maps
        found = AdvCAM(network, AdvCAMConfig(steps=0, **PLAIN)).segment(x)
    assert torch.equal(found.maps, plain)
    assert found.attention is None


def test_seam_refines_the_climbed_maps():
    torch.manual_seed(0)
    body = Encoder(EncoderConfig(backbone=BackboneConfig(arch="resnet18", width=8), decoder=None, attention=False))
    network = Seam(SegmenterConfig(attend=False, encoder="trained"), body, CLASSES, method=SeamConfig()).eval()
    nn.init.normal_(network.head.weight, std=0.5)
    with torch.inference_mode():
        plain = network.segment(images()).maps
        assert torch.equal(AdvCAM(network, AdvCAMConfig(steps=0, **PLAIN)).segment(images()).maps, plain)
        climbed = AdvCAM(network, AdvCAMConfig(steps=3, step=0.3, **PLAIN)).segment(images()).maps
    assert not torch.equal(climbed, plain)
    assert torch.equal(climbed > -1, plain > -1)  # the category of an image stays
    assert climbed.max() <= 1


def test_maps_of_an_image_do_not_depend_on_the_batch():
    climbing, x = AdvCAM(segmenter(), AdvCAMConfig(steps=4, scales=[1, 0.5])), images(3)
    with torch.inference_mode():
        together = climbing.segment(x).maps
        alone = torch.cat([climbing.segment(image[None]).maps for image in x])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)


def test_the_map_is_that_of_grad_cam_at_stage_4():
    network, x = segmenter("trained"), images(1)
    stage4 = network.encoder(x).stage4.detach().requires_grad_(True)
    maps = network.head(stage4)
    (gradient,) = torch.autograd.grad(maps.mean(dim=(2, 3))[0, 2] * maps[0, 0].numel(), stage4)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    grad_cam = (weights * stage4).sum(dim=1).relu()
    plain = network.segment(x).maps[:, 2] - network.head.bias[2]
    torch.testing.assert_close(grad_cam, plain.relu(), atol=1e-5, rtol=1e-5)


def test_memory_does_not_grow_with_the_steps():
    network = segmenter()

    def alive(steps):
        counts = []

        def maps_of(x):
            gc.collect()
            counts.append(sum(isinstance(thing, torch.Tensor) for thing in gc.get_objects()))
            return network.segment(x).maps

        network.requires_grad_(False)
        climb(maps_of, images(1), torch.tensor([0]), steps, AdvCAMConfig(**PLAIN))
        return max(counts[2:])

    assert alive(9) == alive(3)


def test_weights_stay_as_they_are_and_have_no_gradient():
    network = segmenter("trained")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.inference_mode():
        AdvCAM(network, AdvCAMConfig(steps=2, scales=[1])).segment(images())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(weight.grad is None for weight in network.parameters())
    assert with_advcam(network, None) is network


def test_a_vit_can_be_climbed():
    backbone = {"family": "timm", "name": "vit_tiny_patch16_224"}
    body = Encoder(EncoderConfig.model_validate({"backbone": backbone, "decoder": None, "attention": False}))
    network = Segmenter(SegmenterConfig(attend=False), body, CLASSES).eval()
    with torch.inference_mode():
        plain = network.segment(images(1, 48)).maps
        found = AdvCAM(network, AdvCAMConfig(steps=2, step=0.5, scales=[1, 1.5])).segment(images(1, 48))
    assert found.maps.shape == plain.shape
    assert not torch.allclose(found.maps, plain, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"infer": {"advcam": {}}}, "the attention decides what is foreground; set attend: false"),
        ({"infer": {"advcam": {"scales": [1, 1]}}}, "names a scale twice"),
        ({"infer": {"advcam": {"stepz": 3}}}, "infer.advcam.stepz"),
    ],
)
def test_settings_that_cannot_be_climbed_with(changes, said):
    with pytest.raises(UserError, match=said):
        load(Config().model_dump() | changes)


def test_an_exported_network_climbs_as_infer_did(tmp_path):
    settings = {"steps": 2, "step": 0.3, "scales": [1], "flip": False}
    files = make_run(tmp_path, attention=False, network=SMALLEST, advcam=settings)
    about = read_about(files["model"], "export")
    assert (about["version"], about["advcam"]["step"]) == (3, 0.3)
    listing, model = read_images(files["images"]), load_exported(files["model"])
    for row in map(int, listing.rows("test")):
        image = Decoded(Store(files["store"]).read(row), int(listing.height[row]), int(listing.width[row]))
        mask = read_mask(files["masks"] / "test" / f"{listing.id[row]}.png")
        assert np.array_equal(model.clusters([image])[0], mask)
    with pytest.raises(UserError, match="carry it away with --to model, or set infer.advcam: null"):
        write_torch(files["run"], tmp_path / "out")
