"""Truth that cannot be used, or that leaves a question: prepare stops before the work and says what to do."""

import numpy as np
import pytest
from folders import prepare, save
from mask_files import SHAPE, drawn, optimised, palette, photographs, prepared, truth, write
from PIL import Image

from luss_core.config import PrepareConfig
from luss_core.errors import UserError


def stops(root, message, **settings):
    """prepare stops, and before any image is decoded."""
    with pytest.raises(UserError, match=f"(?s){message}") as error:
        prepared(root, **settings)
    assert not list(root.with_name(f"{root.name}.out").glob("images.*"))
    return str(error.value)


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (lambda _: drawn(255), 255),
        (lambda _: drawn(65535, np.uint16), 65535),
        (lambda _: palette(drawn(255), [[0, 0, 0]] * 255 + [[9, 9, 9]]), 255),
    ],
)
def test_only_nothing_and_ignore_is_a_question(tmp_path, make, value):
    text = stops(photographs(tmp_path / "data", make), f"the masks: 4 of them hold only 0 and {value}")
    assert f"If {value} is the object, set prepare.mask_coding to binary, and it becomes id 1." in text
    assert "If it is to be ignored, there is nothing to score: take the masks away (prepare.masks: null" in text


def test_palettes_that_leave_indices_unused_are_of_no_optimiser(tmp_path):
    """Colours may then be any, and others in each file."""
    root = photographs(
        tmp_path / "data", lambda i: palette(drawn(1 + i % 2, inside=255), [[i, 9, 200 - j % 99] for j in range(256)])
    )
    found = truth(root)
    assert (found[0, 0], found[2, 3], found[4, 5]) == (0, 1, 1000)


def test_one_value_above_the_classes_is_a_question(tmp_path):
    stops(
        photographs(tmp_path / "data", lambda _: drawn(128)),
        "4 of them hold only 0 and 128, but ids go to classes = 2. If 128 is the object, set prepare.mask_coding to"
        " binary, and it becomes id 1. If it is an id, raise classes",
    )


def test_a_question_is_asked_of_all_masks_not_of_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr("luss_core.data.survey.SAMPLE", 2)
    root = photographs(tmp_path / "data", lambda i: drawn(1 if i == 1 else 255, inside=255), count=5)
    assert truth(root, classes=1)[2, 3] == 1000
    assert prepared(root, classes=1)[1]["mask_ids"] == {"0": 5, "1": 1, "1000": 5}


@pytest.mark.parametrize(
    ("make", "found", "table"),
    [
        (lambda _: drawn((0, 0, 255)), "#000000 in 4, #0000ff in 4", '{"#000000": 0, "#0000ff": 1}'),
        (lambda _: drawn((255, 0, 0)), "#000000 in 4, #ff0000 in 4", '{"#000000": 0, "#ff0000": 1}'),
        (
            lambda i: drawn([(128, 0, 0), (0, 128, 0)][i % 2], inside=(224, 224, 192)),
            "the colours of PASCAL VOC (found: #000000 in 4, #e0e0c0 in 4, #008000 in 2, #800000 in 2)",
            '{"#000000": 0, "#008000": 2, "#800000": 1, "#e0e0c0": "ignore"}',
        ),
        (
            lambda i: optimised(drawn([(0, 0, 90), (0, 128, 0)][i % 2])),
            "#000000 in 4, #00005a in 2, #008000 in 2",
            '{"#000000": 0, "#00005a": 1, "#008000": 2}',
        ),
    ],
    ids=["blue", "red", "VOC", "palettes that differ"],
)
def test_colours_that_are_no_ids_are_counted_and_a_table_is_offered(tmp_path, make, found, table):
    text = stops(photographs(tmp_path / "data", make), "the masks: 4 of them are coloured")
    assert found in text
    assert text.endswith(f"\n  prepare: {{mask_colours: {table}}}")
    assert ("if the index of their palettes is the id, set prepare.mask_coding to ids" in text) == ("#00005a" in table)


def test_the_offered_table_can_be_pasted(tmp_path):
    root = photographs(tmp_path / "data", lambda i: drawn([(128, 0, 0), (0, 128, 0)][i % 2], inside=(224, 224, 192)))
    table = {"#000000": 0, "#008000": 2, "#800000": 1, "#e0e0c0": "ignore"}
    found = truth(root, mask_colours=table)
    assert (found[0, 0], found[2, 3], found[4, 5]) == (0, 1, 1000)


def test_pictures_and_soft_edges_are_no_masks(tmp_path):
    rng = np.random.default_rng(0)
    pictures = photographs(tmp_path / "a", lambda _: rng.integers(0, 256, (*SHAPE, 3), np.uint8))
    stops(pictures, r"4 of them hold at least \d+ colours: pictures, or masks with soft edges")
    soft = photographs(
        tmp_path / "b", lambda _: np.tile(np.linspace(0, 255, SHAPE[0] * SHAPE[1]), 1).reshape(SHAPE).astype(np.uint8)
    )
    stops(soft, r"grey levels everywhere between 0 and 255 \(\d+ values\), where ids go to classes = 2")


def test_soft_edges_of_a_binary_mask_are_named(tmp_path):
    root = photographs(tmp_path / "data", lambda _: drawn(255, inside=77))
    stops(root, "one other value; this one has 77 beside 0 and 255: save it without soft edges", mask_coding="binary")


@pytest.mark.parametrize(
    ("image", "format_", "reason"),
    [
        (Image.new("L", SHAPE[::-1], 1), "JPEG", "it is a JPEG file, whose compression changes values"),
        (Image.new("F", SHAPE[::-1], 1), "TIFF", "it holds floating-point pixels"),
        (Image.new("L", (5, 4), 1), "PNG", "mask of 4 x 5 pixels for an image of 12 x 18"),
    ],
    ids=["JPEG", "float", "size"],
)
def test_truth_of_which_nothing_can_be_used_stops_before_the_work(tmp_path, image, format_, reason):
    root = photographs(tmp_path / "data", lambda _: image, format=format_)
    stops(root, rf"none of the 4 masks .*'masks/0.png': .*{reason}.*\(and 3 more like it\)", allow_missing=True)


def test_names_of_which_one_fits_stop_whatever_is_allowed(tmp_path):
    root = photographs(tmp_path / "data", lambda _: drawn(1), count=6)
    for i in range(1, 6):
        (root / f"masks/{i}.png").rename(root / f"masks/x{i}.png")
    text = stops(root, "the ground truth of train cannot be used: 1 of 6 masks fit", allow_missing=True)
    assert "\n  '1.jpg': mask missing; the image is kept (and 4 more like it)" in text
    assert "\n  'masks/x1.png': mask without an image (and 4 more like it)" in text


def test_most_masks_unusable_stop_with_an_example_of_each_reason(tmp_path):
    root = photographs(tmp_path / "data", lambda _: drawn(1), count=6)
    for i in (1, 2):
        write(root / f"masks/{i}.png", drawn((0, 0, 255)))
    for i in (3, 4):
        write(root / f"masks/{i}.png", np.ones((3, 4 + i), np.uint8))
    with pytest.raises(UserError, match=r"(?s)train cannot be used: 2 of 6 masks fit.*one of each kind") as error:
        prepared(root, allow_missing=True, mask_coding="imagenet_s", classes=1)
    text = str(error.value)
    assert "'masks/1.png': colours with blue in them, such as #0000ff, are no ids" in text
    assert "'masks/3.png': mask of 3 x 7 pixels for an image of 12 x 18" in text
    assert text.count("(and 1 more like it)") == 2


def test_few_images_of_a_large_set_of_masks_are_fine(tmp_path):
    root = photographs(tmp_path / "data", lambda _: drawn(1))
    for i in range(30):
        write(root / f"masks/other{i}.png", drawn(1))
    images, summary = prepared(root, classes=1, allow_missing=True)
    assert (all(images.mask), summary["noted"]) == (True, 30)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("train/a/{}.png", {}, "lie deeper, in masks/train/a: set prepare.masks: masks/train/a"),
        (
            "{}.jpg",
            {},
            "found 4 .jpg: JPEG changes the values of pixels, so that ids are lost; export the masks as PNG",
        ),
        ("{}.bmp", {}, "found 4 .bmp: masks are PNG files here"),
        ("task-{}-annotation-7-by-1-tag-cat-0.png", {}, "exports of Label Studio, one PNG for each label"),
        ("other{}.png", {}, "the mask of cat/1.jpg must be cat/1.png there; found: 4 masks, such as 'other0.png'"),
    ],
)
def test_masks_that_fit_no_image_are_told_apart(tmp_path, name, options, message):
    root = photographs(tmp_path / "data", lambda _: drawn(1), name=name, **options)
    stops(root, f"prepare.masks masks: no mask fits an image; .*{message}")


def test_an_empty_folder_of_masks(tmp_path):
    save(tmp_path / "data/1.jpg")
    (tmp_path / "data/masks").mkdir()
    stops(tmp_path / "data", "no mask fits an image; the folder is empty")


@pytest.mark.parametrize(
    ("make", "classes", "advice"),
    [
        (lambda _: drawn(1), 2, "one kind of object: only id 1 occurs, while classes = 2"),
        (lambda _: drawn(1), 1, ""),
        (
            lambda i: drawn(1 + 2 * (i % 2)),
            4,
            "2 of 4 classes occur in no mask and count 0 in means over classes: 2, 4",
        ),
        (lambda _: drawn(0), 2, "no mask holds any object"),
    ],
)
def test_ids_that_occur_are_compared_with_the_classes(tmp_path, caplog, make, classes, advice):
    prepared(photographs(tmp_path / "data", make), classes=classes)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == bool(advice)
    assert all(advice in warning for warning in warnings)


def test_jpeg_masks_in_imagenet_s_layout_stop(tmp_path):
    for split in ("train", "validation"):
        save(tmp_path / f"data/{split}/cat/1.jpg", *SHAPE)
    write(tmp_path / "data/validation-segmentation/cat/1.jpg", drawn(1))
    with pytest.raises(UserError, match=r"^validation-segmentation/: found 1 \.jpg: JPEG changes the values of pixels"):
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_ids_above_the_classes_in_colours_name_the_colour(tmp_path):
    root = photographs(tmp_path / "data", lambda i: drawn([(200, 0, 0), (1, 0, 0)][i % 2]))
    with pytest.raises(
        UserError, match=r'classes = 2 \(largest found: 200;.*prepare: \{mask_colours: \{"#c80000": 1\}\}'
    ):
        prepared(root)
