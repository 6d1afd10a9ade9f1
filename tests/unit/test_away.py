"""What a run found, read back pixel by pixel as each program reads it."""

import json
import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from exported_run import make_run
from PIL import Image
from pycocotools.coco import COCO
from skimage.measure import grid_points_in_poly

from luss_core.away import label_studio
from luss_core.away.command import FORMS, main
from luss_core.away.found import find
from luss_core.away.outlines import outlines
from luss_core.away.runs import run_lengths
from luss_core.data.images import read_images
from luss_core.data.masks import read_mask
from luss_core.errors import UserError

NAME = 'Käfer <b>&\'"猫"'
"""Of category 2."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of which a person named one category, merged one into it, and moved what is in one image."""
    files = make_run(tmp_path_factory.mktemp("away"))
    folder = files["run"]
    text = json.dumps({"names": {2: NAME}, "merged": {1: 2}, "moved": {"validation/cat/0": {2: 3}}}, ensure_ascii=False)
    (folder / "edits.yaml").write_text(re.sub(r'"(\d)":', r"\1:", text), encoding="utf-8")
    return folder


def truth(run: Path) -> dict[str, np.ndarray]:
    """Path of each photograph that was segmented, and its mask as it should arrive."""
    listing, found = read_images(run.parents[1] / "prepare" / "images.csv"), {}
    for split in ("validation", "test"):
        for row in listing.rows(split):
            ids = read_mask(run / "infer" / "masks" / split / f"{listing.id[row]}.png")
            moved = split == "validation" and listing.id[row] == "cat/0"
            table = np.array([0, 2, 3 if moved else 2, 3])
            found[listing.path[row]] = table[ids]
    return found


def export(run: Path, form: str, out: Path) -> Path:
    main([str(run), "--to", form, "-o", str(out)])
    return out


def names_of(run: Path) -> dict[str, int]:
    names = {category.name: category.id for category in find(run).categories}
    assert NAME in names
    assert sorted(names.values()) == [0, 2, 3]
    return names


def check(run: Path, found: dict[str, np.ndarray]) -> None:
    wanted = truth(run)
    assert found.keys() == wanted.keys()
    assert len(found) == 5
    assert any(len(np.unique(ids)) > 1 for ids in wanted.values())
    for path, ids in found.items():
        assert np.array_equal(ids, wanted[path]), path


def test_coco(run: Path, tmp_path: Path) -> None:
    out = export(run, "coco", tmp_path)
    coco = COCO(out / "annotations.json")
    names = {entry["id"]: entry["name"] for entry in coco.loadCats(coco.getCatIds())}
    assert names == {number: name for name, number in names_of(run).items() if number}
    found = {}
    for image in coco.loadImgs(coco.getImgIds()):
        ids = np.zeros((image["height"], image["width"]), int)
        for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
            inside = coco.annToMask(annotation).astype(bool)
            ids[inside] = annotation["category_id"]
            rows, columns = np.nonzero(inside)
            assert annotation["area"] == len(rows)
            left, top, width, height = annotation["bbox"]
            assert (left, left + width - 1) == (columns.min(), columns.max())
            assert (top, top + height - 1) == (rows.min(), rows.max())
        found[image["file_name"]] = ids
    check(run, found)


def test_cvat(run: Path, tmp_path: Path) -> None:
    root = ElementTree.parse(export(run, "cvat", tmp_path) / "annotations.xml").getroot()
    names = names_of(run)
    assert {label.findtext("name") for label in root.iter("label")} == set(names) - {"other"}
    found = {}
    for image in root.iter("image"):
        ids = np.zeros((int(image.attrib["height"]), int(image.attrib["width"])), int)
        for mask in image.iter("mask"):
            left, top, width, height = (int(mask.attrib[key]) for key in ("left", "top", "width", "height"))
            lengths = [int(text) for text in mask.attrib["rle"].split(",")]
            inside = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)
            ids[top : top + height, left : left + width][inside] = names[mask.attrib["label"]]
        found[image.attrib["name"]] = ids
    check(run, found)


def painted(data: list[int]) -> np.ndarray:
    """What a brush of Label Studio paints, (4 H W,): written from the description of its form, value by value."""
    bits = "".join(f"{byte:08b}" for byte in data)
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    total, size = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < total:
        same = take(1)
        count = take(sizes[take(2)]) + 1
        values += [take(size)] * count if same else [take(size) for _ in range(count)]
    assert len(values) == total
    return np.array(values)


def test_label_studio(run: Path, tmp_path: Path) -> None:
    out, names, found = export(run, "labelstudio", tmp_path), names_of(run), {}
    config = ElementTree.parse(out / "label-config.xml").getroot()
    assert {label.attrib["value"] for label in config.iter("Label")} == set(names) - {"other"}
    for task in json.loads((out / "tasks.json").read_text()):
        path = unquote(task["data"]["image"].partition("?d=")[2])
        ids = np.zeros(truth(run)[path].shape, int)
        for result in task["predictions"][0]["result"]:
            assert (result["original_height"], result["original_width"]) == ids.shape
            paint = painted(result["value"]["rle"]).reshape(*ids.shape, 4)
            assert set(np.unique(paint)) <= {0, 255}
            ids[paint[..., 3] == 255] = names[result["value"]["brushlabels"][0]]
        found[path] = ids
    check(run, found)


def test_brushes_of_any_shape() -> None:
    rng = np.random.default_rng(0)
    whole = np.ones((200, 300), bool)  # one run of 240,000 values, more than a length can say
    noise = rng.random((17, 23)) < 0.5
    for inside in (whole, ~whole[:9, :7], noise, np.eye(5, dtype=bool)):
        assert np.array_equal(painted(label_studio.brush(inside)), np.repeat(inside.ravel() * 255, 4))


def test_x_anylabeling(run: Path, tmp_path: Path) -> None:
    out, names, found = export(run, "xanylabeling", tmp_path) / "annotations", names_of(run), {}
    for path, wanted in truth(run).items():
        content = json.loads((out / path).with_suffix(".json").read_text())
        assert content["imagePath"] == Path(path).name
        assert (content["imageHeight"], content["imageWidth"]) == wanted.shape
        ids = np.zeros(wanted.shape, int)
        for shape in content["shapes"]:
            assert shape["shape_type"] == "polygon"
            ids[filled(np.array(shape["points"]), wanted.shape)] = names[shape["label"]]
        found[path] = ids
    check(run, found)


def filled(ring: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose centre is inside, by the even-odd rule of scikit-image."""
    return grid_points_in_poly(shape, ring[:, ::-1] - 0.5, binarize=True)


def test_outlines_hold_exactly_their_pixels() -> None:
    rng = np.random.default_rng(0)
    rings = np.ones((9, 9), bool)
    rings[1:4, 1:4] = rings[5:8, 5:8] = rings[2, 6] = False
    rings[2, 2] = True
    for inside in (rings, np.ones((1, 1), bool), *(rng.random((12, 15)) < share for share in (0.2, 0.5, 0.8, 0.95))):
        found = np.zeros(inside.shape, int)
        for ring in outlines(inside):
            assert ring.min() >= 0
            assert (ring.max(axis=0) <= inside.shape[::-1]).all()
            found += filled(ring, inside.shape)
        assert np.array_equal(found, inside)


def test_fiftyone_layout(run: Path, tmp_path: Path) -> None:
    """data/ and labels/ have one tree, masks one channel, as ImageSegmentationDirectory is documented."""
    out, found = export(run, "fiftyone", tmp_path), {}
    for data in (out / "data").rglob("*.png"):
        name = data.relative_to(out / "data")
        with Image.open(out / "labels" / name) as mask:
            assert mask.mode == "L"
            found[name.as_posix()] = np.asarray(mask)
        assert data.read_bytes() == (find(run).root / name).read_bytes()
    check(run, found)
    targets = json.loads((out / "mask_targets.json").read_text())
    assert {name: int(value) for value, name in targets.items()} == names_of(run)


def test_png(run: Path, tmp_path: Path) -> None:
    out, found = export(run, "png", tmp_path), {}
    for path in truth(run):
        with Image.open(out / "masks" / path) as mask:
            assert mask.mode == "P"
            found[path] = np.asarray(mask)
    check(run, found)
    assert NAME.replace('"', '""') in (out / "categories.csv").read_text(encoding="utf-8")


def test_masks_of_predict_are_exported_too(run: Path, tmp_path: Path) -> None:
    from luss_core.predict.command import main as predict

    root = find(run).root
    predict([str(run), str(root / "validation"), "-o", str(tmp_path / "found"), "--threads", "1", "--device", "cpu"])
    coco = COCO(export(tmp_path / "found", "coco", tmp_path / "out") / "annotations.json")
    assert {image["file_name"] for image in coco.dataset["images"]} == {f"cat/{k}.png" for k in range(3)}
    assert NAME in {entry["name"] for entry in coco.dataset["categories"]}
    for image in coco.dataset["images"]:
        with Image.open(tmp_path / "found" / "masks" / image["file_name"]) as mask:
            ids = np.zeros(mask.size[::-1], int)
            for annotation in coco.loadAnns(coco.getAnnIds(image["id"])):
                ids[coco.annToMask(annotation) > 0] = annotation["category_id"]
            assert np.array_equal(ids, np.asarray(mask))


def test_nothing_is_written_over(run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    export(run, "coco", tmp_path)
    with pytest.raises(UserError, match=r"already holds annotations\.json; delete it, or give another folder with -o"):
        export(run, "coco", tmp_path)
    with pytest.raises(UserError, match="is a file; give a folder"):
        export(run, "coco", tmp_path / "notes.txt")
    for name in (".", "none"):
        with pytest.raises(
            UserError, match=r"found no evaluate/scores\.json and no infer/masks in it; give the folder"
        ):
            export(tmp_path / name, "cvat", tmp_path / "out")


@pytest.mark.parametrize("flags", ["", "0", "1", "0011", "1100", "010101"])
def test_lengths_of_runs(flags: str) -> None:
    flat = np.array([flag == "1" for flag in flags], bool)
    lengths = run_lengths(flat).tolist()
    assert "".join(str(k % 2) * n for k, n in enumerate(lengths)) == flags
    assert all(lengths[1:])


def test_every_form_is_named_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    assert all(f"--to {form}" in text for form in FORMS)
