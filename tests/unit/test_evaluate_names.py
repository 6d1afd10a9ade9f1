"""The command `luss evaluate` on what `luss predict` and `luss export` wrote: palettes, folders, names beside masks."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from mask_files import drawn, palette, write

from luss_core.away.legend import Category, write_categories
from luss_core.away.pictures import write_indexed
from luss_core.colours import class_colours
from luss_core.errors import UserError
from luss_core.metrics import command

NAMES = ("other", "cow", "dog", "horse")


def written(folder: Path, make, names=NAMES, kind="class", classes=(0, 1, 2, 3)) -> Path:
    """Six masks as predict writes them."""
    for i in range(6):
        (folder / "masks" / "part").mkdir(parents=True, exist_ok=True)
        write_indexed(folder / f"masks/part/{i}.png", make(i), class_colours(3))
    rows = zip(range(4), names, ("other", *[kind] * 3), classes, strict=True)
    write_categories(folder / "categories.csv", [Category(k, name, "#000000", what, c) for k, name, what, c in rows])
    return folder


def ids(i: int) -> np.ndarray:
    return drawn(1 + i % 3, np.int32)


def found_as(table: list[int]):
    return lambda i: np.array(table)[ids(i)]


def run(prediction: Path, truth: Path, capsys, *options, classes=3) -> dict:
    given = ["--prediction", str(prediction), "--truth", str(truth), "--threads", "1", "--classes", str(classes)]
    command.main([*given, "--json", *options])
    return json.loads(capsys.readouterr().out)


def test_a_palette_is_read_by_its_index_and_the_folder_of_predict_is_enough(tmp_path, capsys):
    truth = written(tmp_path / "truth", ids, kind="cluster")
    predicted = written(tmp_path / "predicted", found_as([0, 2, 3, 1]), kind="cluster")
    found = run(predicted, truth, capsys)
    assert found["match"] == {"0": 0, "1": 3, "2": 1, "3": 2}
    assert found["mIoU"] == pytest.approx(100)
    assert run(predicted / "masks" / "part", truth / "masks" / "part", capsys) == found


def test_names_beside_the_masks_say_what_is_what(tmp_path, capsys, caplog):
    caplog.set_level(logging.WARNING)
    truth = written(tmp_path / "truth", ids)
    names = ("other", "Dog", "something", " cow")
    predicted = written(tmp_path / "predicted", found_as([0, 2, 3, 1]), names)
    found = run(predicted, truth, capsys)
    assert found["match"] == {"0": 0, "1": 2, "2": 3, "3": 1}
    assert "2 of the predicted ids are called as classes of the truth are" in caplog.text
    assert "(1 = 2, 3 = 1); 1 other(s) are matched by the images that hold both" in caplog.text
    wanted = run(predicted, truth, capsys, "--match", str(match_file(tmp_path, found["match"])))
    assert wanted == found


def match_file(folder: Path, match: dict) -> Path:
    file = folder / "match.json"
    file.write_text(json.dumps(match))
    return file


def test_numbers_in_words_are_no_names(tmp_path, capsys, caplog):
    numbered = ("other", "category 1", "category 2", "category 3")
    truth = written(tmp_path / "truth", ids, numbered, "cluster")
    predicted = written(tmp_path / "predicted", found_as([0, 2, 3, 1]), numbered, "cluster")
    assert run(predicted, truth, capsys)["mIoU"] == pytest.approx(100)
    assert "called as classes" not in caplog.text


def test_the_table_of_predict_is_a_matching(tmp_path, capsys):
    predicted = written(tmp_path / "predicted", found_as([0, 2, 3, 1]), classes=(0, 3, 1, 2))
    truth = tmp_path / "truth"
    for i in range(6):
        write(truth / f"part/{i}.png", ids(i).astype(np.uint8))
    table = predicted / "categories.csv"
    assert run(predicted, truth, capsys, "--match", str(table))["mIoU"] == pytest.approx(100)
    unnamed = written(tmp_path / "unnamed", ids, kind="cluster", classes=(None,) * 4) / "categories.csv"
    with pytest.raises(UserError, match="says of no id which class it is"):
        run(predicted, truth, capsys, "--match", str(unnamed))
    unnamed.write_text("id,name,kind,class\nx,a,class,1\n")
    with pytest.raises(UserError, match="'x' and '1' are not both numbers"):
        run(predicted, truth, capsys, "--match", str(unnamed))


def test_a_palette_of_colours_that_are_ids_is_read_by_its_index_only_beside_a_table(tmp_path, capsys):
    """Of a palette whose colours are ids of ImageNet-S the index means nothing, but where predict wrote it."""
    coded = [[0, 0, 0], [2, 0, 0], [3, 0, 0], [1, 0, 0]]
    for i in range(6):
        for folder in ("predicted/masks", "truth"):
            write(tmp_path / folder / f"{i}.png", palette(np.array([[0, 1], [2, 3]]), coded))
    truth = tmp_path / "truth"
    assert run(tmp_path / "predicted/masks", truth, capsys, "--match", "identity")["mIoU"] == pytest.approx(100)
    rows = [Category(k, f"category {k}", "#000000", "cluster", None) for k in range(4)]
    write_categories(tmp_path / "predicted" / "categories.csv", rows)
    found = run(tmp_path / "predicted", truth, capsys, "--match", "identity")
    assert found["IoU"] == pytest.approx([100, 0, 0, 0])
