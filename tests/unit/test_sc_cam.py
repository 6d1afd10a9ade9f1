"""SC-CAM: sub-categories and rounds; and what the settings of methods of finetune refuse."""

import numpy as np
import pytest
from pydantic import ValidationError

from luss_core.config import EncoderConfig, FinetuneConfig, Stages
from luss_core.data.features import Features, write_features
from luss_core.errors import UserError
from luss_core.explain import explain
from luss_core.methods.base import Progress
from luss_core.methods.learners import build_segmenter
from luss_core.methods.sc_cam import _parts, within_categories
from luss_core.methods.segmenter import Segmenter
from luss_core.models.encoder import Encoder
from tests.unit.test_finetune import NETWORK


def features(folder, vectors: np.ndarray) -> Features:
    path = folder / "vectors.h5"
    with write_features(path, *vectors.shape, {}) as writer:
        writer.append(vectors, np.arange(len(vectors)))
    return Features(path)


@pytest.mark.parametrize("held", [1 << 28, 1000])
def test_sub_categories_are_clusters_within_each_category(tmp_path, monkeypatch, held):
    """Three groups in category 0, far apart, that it shares with category 2; category 1 has no image, 3 has two."""
    random = np.random.default_rng(0)
    group = np.arange(40) % 3
    label = np.where(np.arange(40) < 20, 0, 2)
    label[[5, 33]] = 3
    vectors = (group[:, None] * 10 + random.normal(0, 0.1, (40, 4))).astype(np.float32)
    monkeypatch.setattr("luss_core.methods.sc_cam.HELD_BYTES", held)
    monkeypatch.setattr("luss_core.data.features.BLOCK_BYTES", 7 * 16)
    source = features(tmp_path, vectors)
    found = within_categories(source, label, 3, 10, seed=3)
    assert found.max() == 2
    for c in (0, 2):
        pairs = {(int(group[i]), int(found[i])) for i in np.flatnonzero(label == c)}
        assert len(pairs) == 3
        assert len({cluster for _, cluster in pairs}) == 3
    assert sorted(found[label == 3]) == [0, 1]
    assert np.array_equal(within_categories(source, label, 3, 10, seed=3), found)


def test_categories_are_read_in_groups_that_fit():
    samples = {0: np.arange(6), 2: np.arange(3), 3: np.arange(20), 4: np.arange(5), 7: np.arange(5)}
    assert _parts(samples, 10) == [[0, 2], [3], [4, 7]]


def test_rounds_are_even_parts_of_the_epochs():
    settings = {"method": {"name": "sc-cam"}, "segmenter": {"attend": False, "encoder": "trained"}}
    cfg = FinetuneConfig.model_validate(settings)
    method = build_segmenter(cfg, Encoder(NETWORK), 4, np.zeros(3, np.int32))
    assert [method.round_of(Progress(5 * epoch, 50, 5)) for epoch in range(10)] == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert [method.round_of(Progress(epoch, 4, 1)) for epoch in range(4)] == [0, 1, 2, 3]
    assert type(method.trained) is Segmenter
    assert not any("sub" in name or "category" in name for name in method.trained.state_dict())


WHOLE = {"attend": False, "encoder": "trained"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": {"name": "sea"}},
            "finetune.method: unknown method 'sea'; did you mean seam? known: seam, cam, sc-cam",
        ),
        ({"method": {"name": "seam"}}, "set segmenter.attend: false"),
        ({"method": {"name": "cam", "present": "one"}}, "set segmenter.attend: false"),
        ({"method": {"name": "sc-cam"}, "segmenter": {"attend": False}}, "set segmenter.encoder: trained"),
        (
            {"method": {"name": "sc-cam"}, "segmenter": WHOLE, "train": {"epochs": 3}},
            "set it to 4 or more, or lower rounds",
        ),
        (
            {"method": {"name": "seam"}, "segmenter": {**WHOLE, "head": "centroids"}, "train": {"epochs": 0}},
            "set segmenter.head: linear",
        ),
        ({"method": {"name": "seam", "scal": 0.5}}, "did you mean scale?"),
        ({"method": {"name": "seam", "present": "any"}}, "Input should be 'one' or 'several'"),
    ],
)
def test_settings_that_clash_are_refused(settings, message):
    with pytest.raises(ValidationError) as error:
        FinetuneConfig.model_validate(settings)
    text = explain(error.value, "config", FinetuneConfig, "finetune")
    assert message in text
    assert "finetune" in text


def test_smaller_views_need_two_positions():
    views = {"crops": [{"count": 1, "size": 16, "scale": [0.2, 1]}]}
    cfg = {"method": {"name": "seam"}, "segmenter": WHOLE, "views": views}
    with pytest.raises(ValidationError, match=r"views of 16 pixels .* set the size to 24 or more"):
        Stages.model_validate({"finetune": cfg})
    with pytest.raises(UserError, match=r"views of 16 pixels .* set the size to 24 or more"):
        build_segmenter(FinetuneConfig.model_validate(cfg), Encoder(EncoderConfig()), 4, np.zeros(3, np.int32))
