"""Scores do not depend on how masks are coded: the command finds or is told the coding, the stage has it of prepare."""

import json
from pathlib import Path

import numpy as np
import pytest
from mask_files import drawn, optimised, palette, write
from segmented_run import make_run

from luss_core.data.coding import IGNORE
from luss_core.data.masks import encode, read_mask
from luss_core.errors import UserError
from luss_core.io import read_json, write_json
from luss_core.metrics import command


def folders(root: Path, truth, prediction=None, count=4) -> Path:
    for i in range(count):
        write(root / f"truth/{i}.png", truth(i))
        write(root / f"prediction/{i}.png", (prediction or truth)(i))
    return root


def run(root: Path, capsys, classes=2, *options):
    folder = ["--prediction", str(root / "prediction"), "--truth", str(root / "truth"), "--threads", "1"]
    command.main([*folder, "--json", "--classes", str(classes), *options])
    return json.loads(capsys.readouterr().out)


def ids(i: int) -> np.ndarray:
    return drawn(1 + i % 2, np.int32, inside=IGNORE)


def predicted(i: int) -> np.ndarray:
    return np.roll(drawn(1 + i % 2, np.int32), 2, 1)


BLUE = np.array([[0, 0, 0], [0, 0, 255], [0, 90, 255]], np.uint8)


def blue(values: np.ndarray) -> np.ndarray:
    return np.where((values == IGNORE)[..., None], np.uint8(9), BLUE[np.where(values == IGNORE, 0, values)])


def test_a_perfect_prediction_of_0_and_255_is_no_half_success(tmp_path, capsys):
    root = folders(tmp_path, lambda _: drawn(255))
    with pytest.raises(UserError) as error:
        run(root, capsys, 1)
    text = str(error.value)
    for option in ("--prediction", "--truth"):
        assert f"{option} {root / option[2:]}: 4 of them hold only 0 and 255" in text
        assert f"If 255 is the object, give {option}-coding binary, and it becomes id 1." in text
    found = run(root, capsys, 1, "--truth-coding", "binary", "--prediction-coding", "binary", "--match", "identity")
    assert [found[key] for key in ("mIoU", "F", "img_acc")] == pytest.approx([100, 100, 100])


@pytest.mark.parametrize(
    "coded",
    [
        lambda i: np.where(ids(i) == IGNORE, 255, ids(i)).astype(np.uint8),
        lambda i: np.where(ids(i) == IGNORE, 65535, ids(i)).astype(np.uint16),
        lambda i: palette(np.where(ids(i) == IGNORE, 255, ids(i)), [[i * 9, i, 255 - i] for i in range(28)]),
        lambda i: np.where(ids(i) == IGNORE, 255, ids(i)).astype(np.uint8)[..., None].repeat(3, 2),
    ],
    ids=["8 bits", "16 bits", "palette", "three channels"],
)
def test_the_command_finds_the_coding_of_the_truth(tmp_path, capsys, coded):
    wanted = run(folders(tmp_path / "a", lambda i: encode(ids(i)), lambda i: encode(predicted(i))), capsys)
    assert 0 < wanted["mIoU"] < 100
    assert run(folders(tmp_path / "b", coded, lambda i: predicted(i).astype(np.uint8)), capsys) == wanted


def test_a_table_of_colours_is_given_as_a_file(tmp_path, capsys):
    wanted = run(folders(tmp_path / "a", lambda i: encode(ids(i)), lambda i: encode(predicted(i))), capsys)
    root = folders(tmp_path / "b", lambda i: blue(ids(i)), lambda i: encode(predicted(i)))
    with pytest.raises(
        UserError, match=r'give --truth-coding colours\.json; ready to paste, .*\n  \{"#000000": 0, '
    ) as e:
        run(root, capsys)
    assert json.loads(str(e.value).splitlines()[-1]) == {"#000000": 0, "#0000ff": 1, "#005aff": 2, "#090909": 3}
    table = tmp_path / "colours.json"
    table.write_text('{"#0000ff": 1, "0,90,255": 2, "#090909": "ignore"}')
    assert run(root, capsys, 2, "--truth-coding", str(table)) == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"--truth-coding .*t\.json: neither a file nor one of auto, ids, imagenet_s, binary"),
        ("no json", r"t\.json is no JSON such as"),
        ('{"red": 1}', r"'red' is neither a colour nor a value; write a colour as \"#ff0000\""),
    ],
)
def test_wrong_tables_are_refused(tmp_path, capsys, content, message):
    root = folders(tmp_path, lambda i: encode(ids(i)))
    if content:
        (tmp_path / "t.json").write_text(content)
    with pytest.raises(UserError, match=message):
        run(root, capsys, 2, "--truth-coding", str(tmp_path / "t.json"))


def test_palettes_of_predictions_by_an_optimiser_are_read_by_their_colours(tmp_path, capsys):
    wanted = run(folders(tmp_path / "a", lambda i: encode(ids(i)), lambda i: encode(predicted(i))), capsys)
    # index 1 is id 1 in some and id 2 in others
    root = folders(tmp_path / "b", lambda i: encode(ids(i)), lambda i: optimised(encode(predicted(i))))
    found = run(root, capsys)
    assert found == wanted
    assert found["match"] == {"0": 0, "1": 1, "2": 2}


def test_a_truth_without_png_says_what_is_there(tmp_path, capsys):
    root = folders(tmp_path, lambda i: encode(ids(i)))
    for i in range(4):
        (root / f"truth/{i}.png").rename(root / f"truth/{i}.jpg")
    with pytest.raises(UserError, match=r"no PNG file in it or below it \(found: 4 \.jpg; JPEG changes values"):
        run(root, capsys)


def test_the_stage_reads_truth_in_the_coding_that_prepare_found(tmp_path):
    wanted, run_ = make_run(tmp_path / "a", {"test": 6}).evaluate(), make_run(tmp_path / "b", {"test": 6})
    colours = np.array([[0, 0, 0], [0, 0, 255], [0, 90, 255], [7, 7, 200]], np.uint8)
    for path in (tmp_path / "b/data").rglob("*.png"):
        truth = read_mask(path)
        write(path, np.where((truth == IGNORE)[..., None], np.uint8(9), colours[np.where(truth == IGNORE, 0, truth)]))
    summary = tmp_path / "b/prepare/summary.json"
    table = {"#0000ff": 1, "#005aff": 2, "#0707c8": 3, "#090909": IGNORE}
    write_json(summary, read_json(summary) | {"mask_coding": {"table": table}})
    found = run_.evaluate()
    assert found["splits"] == wanted["splits"]
    assert found["curve"] == wanted["curve"]
