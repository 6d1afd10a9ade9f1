"""Masks that people corrected: what is found wrong with them, and what is learned from them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from luss_core import corrected, runs
from luss_core.config import EncoderConfig, FinetuneConfig, FinetuneTrainConfig, SegmenterConfig
from luss_core.data.corrected import find_corrected
from luss_core.data.features import Change, Clusters, write_clusters
from luss_core.data.images import read_images
from luss_core.data.store import Store
from luss_core.data.whole import resize_short, to_network
from luss_core.digests import content
from luss_core.edits import Edits
from luss_core.errors import UserError
from luss_core.methods.base import Progress
from luss_core.methods.cams import load_segmenter
from luss_core.methods.corrected import PLANE, Corrected, category_loss, foreground_loss
from luss_core.methods.segmenter import Segmented, Segmenter
from luss_core.models.attention import OutputAttention
from luss_core.models.centroids import NearestCentroid, Shape
from luss_core.models.encoder import Encoder, Maps, pool
from luss_core.models.weights import save_weights
from luss_core.stages.corrected import members_of, round_of
from luss_core.stages.finetune import finetune
from luss_core.train.loop import Resources
from luss_core.train.optim import make_optimizer
from tests.unit.prior_data import SIZES, prepared

SIZE = 40
NETWORK = EncoderConfig.model_validate({"backbone": {"width": 8}, "decoder": None, "attention": True})
SEGMENTER = {"attend": True, "encoder": "frozen", "head": "centroids", "label": "image"}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Four training images, two of whose vectors are the centroids; the two others are of the nearer one."""
    root = prepared(tmp_path_factory.mktemp("data"))
    torch.manual_seed(0)
    encoder = Encoder(NETWORK).eval()
    torch.nn.init.normal_(encoder.attention.weight, std=0.5)
    save_weights(root / "encoder.safetensors", encoder, {"encoder": NETWORK.model_dump(mode="json")})
    rows = read_images(root / "prepare/images.csv").rows("train")
    vectors = np.stack([vector_of(encoder, root, row) for row in rows])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = ((vectors[:, None] - vectors[:2]) ** 2).sum(axis=2)
    change = Change(True, np.empty((0, vectors.shape[1]), np.float32), np.empty(0, np.float32), False)
    label = distance.argmin(axis=1).astype(np.int32)
    found = Clusters(vectors[:2], rows, label, distance.min(axis=1).astype(np.float32), change)
    write_clusters(root / "clusters.h5", found, {})
    return root


def vector_of(encoder: Encoder, root: Path, row: int) -> np.ndarray:
    with torch.no_grad():
        image = resize_short(Store(root / "prepare/images.h5").read(int(row)), SIZE)
        return pool(encoder(to_network(image[None], torch.device("cpu"))))[0].numpy()


def write(folder: Path, name: str, ids: np.ndarray) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids.astype(np.uint8)).save(folder / name)


def rectangle(image: int, category: int) -> np.ndarray:
    ids = np.zeros(SIZES[image % 3], np.uint8)
    ids[12:30, 12:30] = category
    ids[:2] = 255
    return ids


def train(data: Path, out: Path, masks: Path | None, **given) -> str:
    """Digest of the weights of the segmenter."""
    settings = {"segmenter": SEGMENTER, "train": {"epochs": 0}, "corrected": masks and str(masks)}
    finetune(
        FinetuneConfig.model_validate(settings),
        store=data / "prepare/images.h5",
        encoder=data / "encoder.safetensors",
        clusters=data / "clusters.h5",
        classes=2,
        seed=0,
        state=out / "state",
        out=out / "segmenter.safetensors",
        log=out / "log.jsonl",
        resources=Resources(torch.device("cpu")),
        **given,
    )
    return content(out / "segmenter.safetensors")


class Given(torch.nn.Module):
    """An encoder whose maps are the images that it is given."""

    def __init__(self):
        super().__init__()
        self.attention = OutputAttention(4)
        torch.nn.init.constant_(self.attention.weight, 0.5)  # knows nothing: the same everywhere, but not near nothing

    def forward(self, images: torch.Tensor) -> Maps:
        return Maps(images, (images,), self.attention([images]))


def maps_of(kinds: list[list[float]]) -> torch.Tensor:
    """(B, 4, 4, 4): in the middle an object of some kind, channels 1 to 3, and around it channel 0."""
    maps = 0.02 * torch.randn(len(kinds), 4, 4, 4, generator=torch.Generator().manual_seed(0))
    maps[:, 0] += 1
    maps[:, 0, 1:3, 1:3] -= 1
    maps[:, 1:, 1:3, 1:3] += torch.tensor(kinds)[:, :, None, None]
    return maps


@pytest.mark.parametrize("label", ["pixel", "image"])
def test_corrected_masks_pull_a_wrong_category_right_and_leave_the_others(label):
    """Of three kinds the third was taken for the first; two masks of each say what is right, of other images too."""
    torch.manual_seed(0)
    head = NearestCentroid(Shape(4, 0, True, False), 2)
    head.centroids.copy_(torch.tensor([[0, 0.9, 0.1, 0.3], [0, 0.1, 0.9, 0.1]]))
    segmenter = Segmenter(SegmenterConfig(attend=True, label=label), Given(), 2, head)
    kinds = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.2, 0.0, 1.0]]
    maps, ids = maps_of(2 * kinds), torch.full((6, 1, 8, 8), 0)
    ids[:, 0, 2:6, 2:6] = torch.tensor([1, 2, 2, 1, 2, 2])[:, None, None]
    ids[0, 0, :2] = 1000
    others, before = maps_of(3 * kinds)[6:], segmenter.segment(maps_of(3 * kinds)[6:])
    assert middle(before) == [1, 2, 1]

    method = Corrected(segmenter, torch.tensor([[0, 0], [1, 0], [0, 1]]).bool(), 6)
    optimizer = make_optimizer(method, FinetuneTrainConfig(weight_decay=0), method.lr_scale)
    batch = SimpleNamespace(planes={PLANE: [ids]})
    for group in optimizer.param_groups:
        group["lr"] = 0.1 * group["scale"]
    for _ in range(60):
        optimizer.zero_grad()
        method([maps], batch, Progress(0, 60, 1)).loss.backward()
        optimizer.step()
    found = segmenter.segment(others)
    assert middle(found) == [1, 2, 2]
    gap = [float((f.attention[:, :, 1:3, 1:3].mean() - f.attention[:, :, 0].mean()).detach()) for f in (before, found)]
    assert gap[1] > gap[0] + 0.05
    again = NearestCentroid(Shape(4, 0, True, False), 2)
    again.load_state_dict(head.state_dict())  # the file is read as one of centroids
    assert torch.equal(again(others), head(others))


def middle(found: Segmented) -> list[int]:
    """The category in the middle of each image, 1 or 2."""
    height, width = found.maps.shape[-2:]
    return (found.maps[:, :, height // 2, width // 2].argmax(dim=1) + 1).tolist()


def test_training_with_masks_is_the_same_each_time_and_without_them_as_before(data, tmp_path, caplog):
    plain = train(data, tmp_path / "plain", None)
    for image in range(3):
        write(tmp_path / "masks", f"train/cat/{image}.png", rectangle(image, 1 + image % 2))
    given = {"images": data / "prepare/images.csv", "size": SIZE}
    taught = train(data, tmp_path / "taught", tmp_path / "masks", **given)
    assert taught != plain
    steps = [json.loads(line) for line in (tmp_path / "taught/log.jsonl").read_text().splitlines()]
    assert len(steps) == 60
    assert steps[-1]["loss"] < 0.8 * steps[0]["loss"]
    assert load_segmenter(tmp_path / "taught/segmenter.safetensors").head.shape.normalize
    assert "validation or test" not in caplog.text

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("luss_core.train.loop.train_step", None)  # from its checkpoint
        assert train(data, tmp_path / "taught", tmp_path / "masks", **given) == taught
    assert train(data, tmp_path / "taught", None) == plain
    shutil.rmtree(tmp_path / "taught")
    write(tmp_path / "masks", "validation/cat/0.png", rectangle(0, 1))
    assert train(data, tmp_path / "taught", tmp_path / "masks", **given) != taught
    assert "1 of the images are validation or test images" in caplog.text


def test_losses_by_their_definitions():
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 4, 2, 2, generator=random, dtype=torch.float64)
    ids = torch.tensor([0, 1, 3, 1000])[torch.randint(4, (3, 1, 6, 8), generator=random)]
    ids[1] = 1000  # nobody looked
    members = torch.zeros(4, 4, dtype=torch.bool)
    members[1, 0] = members[3, 2] = members[3, 3] = True  # 4 is merged into 3
    where, what = [], []
    for image in (0, 2):
        crosses, weights, categories, shares = 0.0, 0.0, 0.0, 0.0
        for y in range(6):
            for x in range(8):
                number, p = int(ids[image, 0, y, x]), logits[image, :, y // 3, x // 4].softmax(0)
                s = logits[image, 0, y // 3, x // 4].sigmoid()
                if number != 1000:
                    crosses -= float((s if number else 1 - s).log())
                    weights += 1
                if number in (1, 3):
                    categories -= float(p[members[number]].sum().log())
                    shares += 1
        where.append(crosses / weights)
        what.append(categories / shares)
    assert float(foreground_loss(logits[:, :1], ids)) == pytest.approx(np.mean(where), rel=1e-5)
    assert float(category_loss(logits, ids, members)) == pytest.approx(np.mean(what), rel=1e-5)
    nothing = torch.zeros_like(ids)
    assert category_loss(logits.requires_grad_(), nothing, members).item() == 0


def test_ids_mean_what_is_shown_as_them():
    edits = Edits(categories=4, merged={2: 1}, background=(3,), split={5: 4, 6: 5})
    found = {number: (1 + np.flatnonzero(row)).tolist() for number, row in enumerate(members_of(edits))}
    assert found == {0: [], 1: [1, 2], 2: [2], 3: [3], 4: [4], 5: [4], 6: [4]}


@pytest.mark.parametrize(
    ("name", "ids", "said"),
    [
        ("train/cat/9.png", rectangle(0, 1), "of no image here (1): 'train/cat/9.png'"),
        ("train/cat/0.png", rectangle(1, 1), "50 x 50 pixels, the photograph 'train/cat/0.png' has 60 x 40"),
        ("train/cat/0.png", rectangle(0, 7), "'train/cat/0.png': id 7"),
        ("cat/0.png", rectangle(0, 1), "an image of train and validation; put it into a folder of that name"),
        ("notes.txt", None, "no masks in it"),
    ],
)
def test_masks_that_cannot_be_used_are_named_with_the_remedy(data, tmp_path, name, ids, said):
    if ids is None:
        (tmp_path / name).write_text("cat")
    else:
        write(tmp_path, name, ids)
    with pytest.raises(UserError, match="finetune.corrected") as error:
        find_corrected(tmp_path, read_images(data / "prepare/images.csv"), 2, 1)
    assert said in str(error.value)


def test_an_exported_folder_is_read_as_it_is(data, tmp_path):
    write(tmp_path / "masks", "train/cat/2.png", rectangle(2, 2))
    write(tmp_path / "masks", "cat/3.png", rectangle(3, 1))
    (tmp_path / "categories.csv").write_text("id,name\n")
    found = find_corrected(tmp_path, read_images(data / "prepare/images.csv"), 2, 1)
    assert found.rows.tolist() == [2, 3]
    assert set(np.unique(found.read(2))) == {0, 2, 1000}


def test_settings_that_do_not_go_together_are_refused_before_any_work(tmp_path):
    with pytest.raises(UserError, match=r"set it to true,\s+with pretrain.attention"):
        runs.load({"finetune": {"segmenter": {"attend": False}, "corrected": "masks"}})
    (tmp_path / "masks").mkdir()
    for folder, said in (("none", "not a folder"), ("masks", "is empty")):
        with pytest.raises(UserError, match=said):
            folders(tmp_path / folder, [0])
    write(tmp_path, "masks/a.png", rectangle(0, 1))
    with pytest.raises(UserError, match=r"seeds \[0, 1\] are several"):
        folders(tmp_path / "masks", [0, 1])
    assert folders(tmp_path / "masks", [3]) == {"shape": tmp_path / "masks"}


def folders(masks: Path, seeds: list[int]) -> dict[str, Path]:
    settings = {"seeds": seeds, "presets": {"shape": {"finetune": {"corrected": str(masks)}}}}
    config = runs.load(runs.over_defaults(settings))
    return corrected.folders(config, {"shape": runs.presets(config)["shape"]})


def test_a_mark_goes_with_what_masks_hold(tmp_path):
    write(tmp_path, "a.png", rectangle(0, 1))
    first = corrected.mark(tmp_path)
    write(tmp_path, "a.png", rectangle(0, 1))
    assert corrected.mark(tmp_path) == first
    write(tmp_path, "a.png", rectangle(0, 2))
    assert corrected.mark(tmp_path) != first


def test_few_masks_are_seen_as_often_as_many():
    for masks in (1, 8, 80, 1000):
        cfg = round_of(masks)
        assert masks // cfg.batch_size * cfg.epochs >= 60
        assert cfg.epochs >= 1
