"""What the contract promises to methods that are not written yet, shown with small ones made for it."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from luss_core.config import METHODS, EncoderConfig, PretrainConfig
from luss_core.data.beside import TrueMasks, folder_labels
from luss_core.data.features import Features
from luss_core.data.images import ImageList
from luss_core.data.loader import Plane, Views, make_loader
from luss_core.data.masks import write_mask
from luss_core.data.ordered import TrainingImages
from luss_core.errors import UserError
from luss_core.methods import Method, Output, Progress
from luss_core.models.backbone import Backbone
from luss_core.models.encoder import Encoder, pool
from luss_core.train.folder import TrainingFolder
from luss_core.train.loop import Resources, begin_epoch, epoch_order, fit, stretches, train_step
from luss_core.train.optim import make_optimizer
from tests.method.test_methods import CPU, IMAGES, NAMES, PLAIN, TRAIN, VIEWS, Textures, batch_of, make, train, views

HALF = IMAGES // 2


class Means(Method):
    """Labels the images by their mean feature between epochs, and draws the bright half only."""

    label: torch.Tensor
    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = Encoder(PLAIN)
        self.head = nn.Linear(self.encoder.width, 2)
        self.register_buffer("label", torch.zeros(IMAGES, dtype=torch.long))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))

    def forward(self, views, batch, progress):  # noqa: ARG002
        return Output(nn.functional.cross_entropy(self.head(pool(self.encoder(views[0]))), self.label[batch.index]))

    def before_epoch(self, progress: Progress, images: TrainingImages) -> Iterable[nn.Parameter]:  # noqa: ARG002
        assert not self.training
        self.calls += 1
        with images.vectors(lambda x: x.mean(dim=(1, 2, 3))[:, None], 1) as features:
            assert isinstance(features, Features)
            bright = np.argsort(features.take(np.arange(features.count))[:, 0])[HALF:]
        self.label.zero_()[bright] = 1
        nn.init.normal_(self.head.weight)
        return self.head.parameters()

    def order(self, epoch, random):  # noqa: ARG002
        return random.permutation(np.flatnonzero(self.label.numpy()).repeat(2))


def fitted(folder: Path, stop: int | None = None, workers: int = 0) -> Means:
    method = Means()
    fit(method, views(), TRAIN, TrainingFolder(folder, {}), Resources(CPU, workers), stop)
    return method


def test_work_between_epochs_is_done_once_an_epoch_and_resumes_bit_for_bit(tmp_path):
    whole = fitted(tmp_path / "whole").state_dict()
    assert whole["calls"] == 3
    for stop in (3, 5, 12):  # within an epoch, at its end
        fitted(tmp_path / str(stop), stop=stop)
        resumed = fitted(tmp_path / str(stop), workers=2).state_dict()
        assert [key for key in whole if not torch.equal(whole[key], resumed[key])] == []
    assert list((tmp_path / "whole").glob("*.h5")) == []


def test_the_order_of_a_method_is_what_its_steps_see(tmp_path):
    method = fitted(tmp_path, stop=5)
    order = epoch_order(method, IMAGES, 0, 1)
    seen = [
        b.index for b in make_loader(views(), 8, 5, 10, 0, CPU, lambda epoch: epoch_order(method, IMAGES, 0, epoch))
    ]
    assert torch.cat(seen).tolist() == order.tolist()
    assert set(order.tolist()) == set(np.flatnonzero(method.label.numpy()).tolist())


def test_parameters_that_begin_anew_are_forgotten_by_the_optimiser(tmp_path):
    method = Means()
    optimizer = make_optimizer(method, TRAIN)
    train_step(method, optimizer, batch_of(8), TRAIN, Progress(0, 15, 5))
    begin_epoch(method, optimizer, TrainingImages(views(), CPU, "float32", tmp_path), Progress(5, 15, 5), 0)
    assert method.training
    assert all(p not in optimizer.state for p in method.head.parameters())
    assert all(p in optimizer.state for p in method.encoder.parameters())


def test_stretches_end_with_epochs():
    assert list(stretches(3, 12, 5)) == [(3, 5), (5, 10), (10, 12)]
    assert list(stretches(3, 12, 12)) == [(3, 12)]
    assert list(stretches(0, 0, 5)) == []


def test_ordered_vectors_are_of_squares_that_are_not_augmented(tmp_path):
    images = TrainingImages(views(), CPU, "float32", tmp_path)
    with (
        images.vectors(lambda x: x.flatten(1)[:, :7], 7) as one,
        images.vectors(lambda x: x.flatten(1)[:, :7], 7) as two,
    ):
        assert one.row.tolist() == list(range(IMAGES))
        assert np.array_equal(one.take(np.arange(IMAGES)), two.take(np.arange(IMAGES)))


def listing(folder: Path, names: list[str], masked: bool = True) -> ImageList:
    """Images of 30 x 34 pixels, each with a mask whose id is its row, below left half."""
    masks = [f"masks/{name}.png" if masked else "" for name in names]
    for row, mask in enumerate(filter(None, masks)):
        ids = np.zeros((30, 34), np.int32)
        ids[:, :17] = row + 1
        (folder / mask).parent.mkdir(parents=True, exist_ok=True)
        write_mask(folder / mask, ids)
    size = np.full(len(names), 30), np.full(len(names), 34)
    folders = [name.partition("/")[0] for name in names]
    return ImageList(folder, names, names, ["train"] * len(names), *size, folders, masks)


NAMES_OF_FRAMES = [f"video{v}/{k:03}" for v in range(2) for k in range(6)]


def test_masks_are_cropped_and_flipped_as_the_views(tmp_path):
    images = listing(tmp_path, NAMES_OF_FRAMES)
    rows = np.arange(12)

    class Painted:
        def read(self, row: int) -> np.ndarray:
            return (TrueMasks(images, rows).read(row) > 0).astype(np.uint8).repeat(3, axis=2) * 200

    source = Views(Painted(), rows, VIEWS, 0, planes={"masks": Plane(TrueMasks(images, rows), nearest=True)})
    batch = source[source.keys(0, range(12))]
    assert len(batch.planes["masks"]) == 2
    for crop, mask in zip(batch.crops, batch.planes["masks"], strict=False):
        assert mask.dtype == torch.int32
        for row in range(12):
            assert set(mask[row].unique().tolist()) <= {0, row + 1}
        inside = (crop[:, :1] == 200) | (crop[:, :1] == 0)  # away from the edge, where colours mix
        assert torch.equal((mask > 0)[inside], (crop[:, :1] > 0)[inside])


def test_masks_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match=r"12 of 12 training images have no mask.*\n  'video0/000'"):
        TrueMasks(listing(tmp_path, NAMES_OF_FRAMES, masked=False), np.arange(12))


def test_labels_are_folders(tmp_path):
    images = listing(tmp_path, NAMES_OF_FRAMES, masked=False)
    assert folder_labels(images, np.arange(3, 12)).tolist() == [0] * 3 + [1] * 6
    with pytest.raises(UserError, match="one folder 'video0'"):
        folder_labels(images, np.arange(3))


def test_frames_of_a_pair_are_cropped_and_flipped_alike_and_coloured_apart():
    rows, partners = np.arange(12), np.array([2, 3, 4, 5, 2, 3, 8, 9, 10, 11, 8, 9])
    source = Views(Textures(), rows, VIEWS, 0, partners=partners)
    alone = Views(Textures(), rows, VIEWS, 0)
    batch, plain = source[source.keys(0, range(12))], alone[alone.keys(0, range(12))]
    first, second, small = batch.parameters
    assert torch.equal(first.box, second.box)
    assert torch.equal(first.flip, second.flip)
    assert not torch.equal(first.factor, second.factor)
    later = Views(Textures(), partners, VIEWS, 0)
    shown = later[[(k, key) for k, (_, key) in enumerate(source.keys(0, range(12)))]]
    assert torch.equal(batch.crops[0], plain.crops[0])
    assert torch.equal(batch.crops[1], shown.crops[0])
    assert torch.equal(batch.crops[2], plain.crops[2])


WAITS = {"_local_scalar_dense", "nonzero", "is_nonzero", "_unique2", "unique_dim", "equal", "masked_select"}
"""Operations for which a processor waits for its GPU."""
INDEXED = {"index", "index_put", "index_put_"}
"""These as well where the index is a mask: how many it selects must be known."""


class Waits(TorchDispatchMode):
    """Names what would wait; numbers that live on the processor on any device (``allowed``) are not waited for."""

    def __init__(self, allowed: Iterable[torch.Tensor] = ()):
        super().__init__()
        self.found, self.allowed = list[str](), {t.data_ptr() for t in allowed}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if (name in WAITS and args[0].data_ptr() not in self.allowed) or (name in INDEXED and _by_a_mask(args[1])):
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def _by_a_mask(indices: list[torch.Tensor | None]) -> bool:
    return any(index is not None and index.dtype == torch.bool for index in indices)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_waits_for_no_gpu(name):
    """Of a whole step: colour of the views, forward, backward, optimiser; logging is not part of it."""
    method = make(name).train()
    optimizer = make_optimizer(method, TRAIN)
    for step in (0, 7, 8):  # The first steps make the state of the optimiser, counters included.
        batch = batch_of(8, name)
        counters = [state["step"] for state in optimizer.state.values() if "step" in state]
        with Waits(counters) as waits:
            train_step(method, optimizer, batch, TRAIN, Progress(step, 15, 5))
    assert waits.found == []


def test_what_waits_is_seen():
    x = torch.arange(4.0)
    with Waits() as waits:
        x[x > 1].sum().item()
        torch.unique(x)
        x.nonzero()
    assert len(waits.found) >= 4


@pytest.mark.parametrize("name", METHODS)
def test_views_that_a_method_does_not_look_at_are_not_made(name):
    method = METHODS[name].config()
    crops = [{"count": 2, "size": 48, "scale": [0.5, 1]}, {"count": 4, "size": 32, "scale": [0.1, 0.5]}]
    plain = {} if METHODS[name].whole else {"decoder": None, "attention": False}
    section = PretrainConfig.model_validate({"method": {"name": name}, "views": {"crops": crops}, **plain})
    made = [(crop.count, crop.size) for crop in section.seen_views.crops]
    assert made == ([(2, 48), (4, 32)] if method.small_views else [(method.views, 48)])


def test_a_backbone_gives_all_its_stages():
    encoder = Encoder(EncoderConfig(backbone=PLAIN.backbone)).eval()
    maps = encoder(torch.randn(2, 3, 32, 32))
    assert [m.shape[1] for m in maps.stages] == list(encoder.backbone.widths)
    assert maps.stage4 is maps.stages[-1] is maps.output


class Patches(Backbone):
    """A backbone that is no ResNet: one map, of patches of eight pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.widths, self.strides = (24,), (8,)
        self.embed = nn.Conv2d(3, 24, 8, 8)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.embed(images),)


@pytest.mark.parametrize("name", METHODS)
def test_methods_train_a_backbone_of_another_family(name, monkeypatch, tmp_path):
    monkeypatch.setattr("luss_core.models.encoder.make_backbone", lambda _: Patches())
    monkeypatch.setattr("tests.method.test_methods.ENCODERS", {name: EncoderConfig(attention=METHODS[name].whole)})
    method = train(name, tmp_path, stop=2)
    maps = method.encoder(torch.randn(2, 3, 40, 24))
    assert maps.output.shape == (2, 24, 5, 3)
    assert pool(maps).shape == (2, 24)
