"""Cues of the foreground and the attention that they teach, categories by the nearest centroid."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from luss_core.config import METHODS, EncoderConfig, ExtractConfig, FinetuneConfig, SegmenterConfig, TrainConfig
from luss_core.data.features import read_clusters
from luss_core.errors import UserError
from luss_core.kmeans import fit_components
from luss_core.losses.cues import CUES, border, component, norm, together, unit
from luss_core.methods import build_method
from luss_core.methods.foreground import Foreground
from luss_core.methods.segmenter import Segmenter
from luss_core.models.centroids import NearestCentroid, of_clusters
from luss_core.models.encoder import Encoder
from luss_core.stages.extract import batches_of
from luss_core.train.loop import train_step
from luss_core.train.optim import make_optimizer
from tests.method.test_methods import TRAIN, Progress, batch_of
from tests.unit.test_cluster import blobs, run

SMALL = {"backbone": {"width": 8}, "attention": True}


def features(seed: int = 0) -> torch.Tensor:
    """(3, 5, 6, 7) with an object in the middle."""
    maps = 0.3 * torch.randn(3, 5, 6, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    maps[:, 0] += 1
    maps[:, 1, 2:4, 2:5] += 3
    return maps


def test_cues_by_their_definitions():
    maps = features()
    for image, (n, b) in enumerate(zip(norm(maps), border(maps), strict=True)):
        places = [(y, x) for y in range(6) for x in range(7)]
        outer = [p for p in places if p[0] in (0, 5) or p[1] in (0, 6)]
        unit_vector = {p: maps[image, :, p[0], p[1]] / maps[image, :, p[0], p[1]].norm() for p in places}
        for y, x in places:
            assert n[0, y, x] == pytest.approx(float(maps[image, :, y, x].pow(2).sum() ** 0.5))
            alike = np.mean([float(unit_vector[y, x] @ unit_vector[o]) for o in outer])
            assert b[0, y, x] == pytest.approx(1 - alike)


def test_component_is_that_of_scikit_learn_with_the_border_low():
    for maps, found in zip(features(), component(features()), strict=True):
        z = torch.nn.functional.normalize(maps, dim=0).flatten(1).T.numpy()
        theirs = PCA(1, random_state=0).fit_transform(z)[:, 0].reshape(6, 7)
        theirs *= np.sign(np.corrcoef(theirs.ravel(), found[0].numpy().ravel())[0, 1])
        np.testing.assert_allclose(found[0].numpy(), theirs, atol=0.02)
        assert found[0, 2:4, 2:5].mean() > found[0, 0].mean()


@pytest.mark.parametrize("cue", CUES.values(), ids=CUES)
def test_cues_do_not_round_where_the_network_does(cue):
    maps = features().float()
    with torch.autocast("cpu", torch.bfloat16):
        found = cue(maps)
    assert found.dtype == torch.float32
    assert torch.equal(found, cue(maps))


@given(st.integers(0, 1000))
def test_together_stays_in_bounds_and_agrees(seed):
    cues = [torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(seed + k)) for k in range(3)]
    found = together(cues)
    assert 0 <= found.min() <= found.max() <= 1
    torch.testing.assert_close(together([3 * cue + 7 for cue in cues]), found, rtol=1e-4, atol=1e-5)
    for cue in cues:
        assert (found <= unit(cue) + 1e-6).all()


def test_a_cue_that_says_nothing_is_nowhere():
    assert unit(torch.full((1, 1, 3, 3), 5.0)).abs().max() == 0


def test_attention_alone_learns_what_the_cues_say():
    """The saliency of the textures is noise that has nothing to do with them, so the target is the norm alone."""
    torch.manual_seed(0)
    cfg = METHODS["foreground"].config(cues=("norm",), penalty=0.0)
    encoder = Encoder(EncoderConfig.model_validate(SMALL | {"attention_stages": [3, 4]}))
    method = build_method(cfg, encoder, 40).train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    train = TrainConfig.model_validate(TRAIN.model_dump() | {"lr": 0.05})
    optimizer, batch = make_optimizer(method, train), batch_of(16, "foreground")
    found = [train_step(method, optimizer, batch, train, Progress(step, 40, 40)) for step in range(40)]
    assert float(found[-1].logs["agreement"]) > 0.9 > float(found[0].logs["agreement"])
    changed = {n for n, value in encoder.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {n for n in before if n.startswith("attention.")}


def test_penalty_keeps_weights_small():
    method = build_method(METHODS["foreground"].config(penalty=2.0), Encoder(EncoderConfig.model_validate(SMALL)), 40)
    free = build_method(METHODS["foreground"].config(penalty=0.0), method.encoder, 40)
    batch = batch_of(4, "foreground")
    pair = [m(batch.views(), batch, Progress(0, 1, 1)).loss for m in (method.eval(), free.eval())]
    weight = method.encoder.attention.weight
    torch.testing.assert_close(pair[0] - pair[1], 2 * weight.square().sum())


def test_without_attention_there_is_nothing_to_teach():
    with pytest.raises(UserError, match="set pretrain.attention: true"):
        Foreground(METHODS["foreground"].config(), Encoder(EncoderConfig.model_validate({"backbone": {"width": 8}})), 4)


def test_cues_are_of_a_stage_that_there_is():
    encoder = Encoder(EncoderConfig.model_validate(SMALL))
    Foreground(METHODS["foreground"].config(stage=4), encoder, 4)
    with pytest.raises(UserError, match=r"pretrain\.method\.stage 5, but the backbone has 4 stages; lower it"):
        Foreground(METHODS["foreground"].config(stage=5), encoder, 4)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalize": False},
        {"components": 3, "whiten": False, "normalize_after": True},
        {"components": 4, "whiten": True},
    ],
)
def test_nearest_centroid_labels_as_kmeans_did(tmp_path, settings):
    vectors, _ = blobs(120)
    found = run(tmp_path, vectors, 5, **settings)
    head = of_clusters(found)
    scores = head(torch.from_numpy(vectors).view(len(vectors), -1, 1, 1))[:, :, 0, 0]
    np.testing.assert_array_equal(scores.argmax(dim=1).numpy(), found.label)
    again = NearestCentroid(head.shape, 5)
    again.load_state_dict(head.state_dict())
    assert torch.equal(again(torch.from_numpy(vectors).view(120, -1, 1, 1))[:, :, 0, 0], scores)
    read = read_clusters(tmp_path / "clusters.h5").change
    assert (read.normalize, read.normalize_after) == (head.shape.normalize, head.shape.normalize_after)


def test_vectors_of_unit_length_are_compared_by_cosine(tmp_path):
    vectors, _ = blobs(120)
    found = run(tmp_path, vectors, 5, components=4, whiten=False, normalize_after=True)
    np.testing.assert_allclose(np.linalg.norm(found.centroids, axis=1), 1, rtol=1e-5)
    z = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    z = z @ found.change.matrix.T + found.change.offset
    cosine = z @ found.centroids.T / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_array_equal(found.label, cosine.argmax(axis=1))
    np.testing.assert_allclose(found.distance, 2 - 2 * cosine.max(axis=1), atol=1e-5)


def test_whole_images_are_seen_as_infer_sees_them():
    class Tall:
        def read(self, row: int) -> np.ndarray:
            return np.full((40, 30 - row, 3), 9 * row, np.uint8)

    found = list(batches_of(ExtractConfig(size=28, crop=None), Tall(), 14, np.arange(3)))
    assert [tuple(batch.shape) for batch in found] == [(1, 3, 42, 28)] * 3
    assert [int(batch.max()) for batch in found] == [0, 9, 18]
    squares = list(batches_of(ExtractConfig(size=28, crop=28, batch_size=2), Tall(), 14, np.arange(3)))
    assert [tuple(batch.shape) for batch in squares] == [(2, 3, 28, 28), (1, 3, 28, 28)]


def test_components_are_those_of_scikit_learn():
    vectors, _ = blobs(200, dim=7)
    found = fit_components(vectors, 3, whiten=False)
    theirs = PCA(3).fit_transform(vectors)
    ours = found(vectors)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(vectors @ found.matrix.T + found.offset, ours, rtol=1e-4, atol=1e-4)


def test_one_category_an_image_or_one_a_position():
    torch.manual_seed(0)
    encoder, images = Encoder(EncoderConfig.model_validate(SMALL)).eval(), torch.randn(2, 3, 32, 40)
    segmenters = {label: Segmenter(SegmenterConfig(label=label), encoder, 4).eval() for label in ("pixel", "image")}
    segmenters["image"].head.load_state_dict(segmenters["pixel"].head.state_dict())
    pixel, image = (segmenters[label].segment(images) for label in ("pixel", "image"))
    assert (tuple(pixel.maps.shape), tuple(image.maps.shape)) == ((2, 4, 4, 5), (2, 4, 1, 1))
    c = pixel.attention.sigmoid()
    pooled = (c * pixel.maps).mean(dim=(2, 3))  # as extract pools; the bias of the head is not weighted there
    bias = segmenters["image"].head.bias
    torch.testing.assert_close(image.maps[:, :, 0, 0], pooled - c.mean(dim=(2, 3)) * bias + bias)
    assert torch.equal(image.attention, pixel.attention)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"segmenter": {"head": "centroids"}}, "learns nothing, but train.epochs = 10; set 0"),
        ({"segmenter": {"label": "image", "attend": False}}, "set segmenter.attend: true"),
    ],
)
def test_settings_that_do_not_go_together(settings, message):
    with pytest.raises(ValueError, match=message):
        FinetuneConfig.model_validate(settings)
