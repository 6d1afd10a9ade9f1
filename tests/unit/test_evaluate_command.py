"""python -m luss_core evaluate: golden scores from files, options, parallel work, and every refusal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import official
import pytest
from PIL import Image

from luss_core import __main__
from luss_core.data.masks import resize_nearest, write_mask
from luss_core.errors import UserError
from luss_core.metrics import command, files

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "imagenet_s_fixture.json").read_text())
KEYS = ["mIoU", "mBIoU", "F", "img_acc", "S", "MS", "ML", "L"]
KEYS += ["mBIoU_S", "mBIoU_MS", "mBIoU_ML", "mBIoU_L", "IoU", "match"]
KEYS += ["mIoU_present", "mBIoU_present", "absent_classes"]


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """The golden fixture as files: truth, prediction (class ids) and clusters (renamed)."""
    for kind in ("truth", "prediction"):
        for i, rectangles in enumerate(GOLDEN[kind]):
            ids = np.zeros((GOLDEN["height"], GOLDEN["width"]), np.int32)
            for top, bottom, left, right, value in rectangles:
                ids[top:bottom, left:right] = value
            name = f"n0{i % 2}/img_{i}.png"
            write_mask(tmp_path / kind / name, ids)
            if kind == "prediction":
                renamed = np.vectorize(lambda v: GOLDEN["relabelled"]["clusters"][str(v)])(ids)
                write_mask(tmp_path / "clusters" / name, renamed)
    return tmp_path


def run(folder: Path, capsys: pytest.CaptureFixture[str], *options: str, prediction: str = "prediction") -> str:
    command.main(
        ["--prediction", str(folder / prediction), "--truth", str(folder / "truth"), "--threads", "1", *options]
    )
    return capsys.readouterr().out


def run_json(folder: Path, capsys: pytest.CaptureFixture[str], *options: str, prediction: str = "prediction") -> Any:
    return json.loads(run(folder, capsys, "--json", "--classes", "4", *options, prediction=prediction))


def assert_scores(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for key in set(wanted) - {"BIoU"}:
        assert found[key] == pytest.approx(wanted[key], abs=5e-5), key


def test_command_line_prints_one_object(golden: Path) -> None:
    arguments = ["--prediction", golden / "prediction", "--truth", golden / "truth", "--classes", "4"]
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-m",
            "luss_core",
            "evaluate",
            *arguments,
            "--match",
            "identity",
            "--json",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found = json.loads(done.stdout)
    assert list(found) == KEYS
    assert_scores(found, GOLDEN["scores"])
    assert found["match"] == {str(i): i for i in range(5)}
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time" in line}
    assert "numpy" in imported
    assert "torch" not in imported
    assert "1 of 6 predictions have ids without a class" in done.stderr


def test_user_errors_end_with_status_1_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "luss_core",
            "evaluate",
            "--prediction",
            tmp_path,
            "--truth",
            tmp_path,
            "--classes",
            "4",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: --truth")
    assert "Traceback" not in done.stderr


def test_auto_finds_the_official_match(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(golden, capsys, prediction="clusters")
    assert found["match"] == GOLDEN["relabelled"]["match"]
    assert_scores(found, GOLDEN["relabelled"]["scores"])


def test_match_file_gives_the_same(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (golden / "match.json").write_text(json.dumps(GOLDEN["relabelled"]["match"]))
    found = run_json(golden, capsys, "--match", str(golden / "match.json"), prediction="clusters")
    assert found == run_json(golden, capsys, prediction="clusters")


def test_absent_zero_counts_every_class(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skip, zero = (run_json(golden, capsys, "--match", "identity", "--absent", rule) for rule in ("skip", "zero"))
    assert skip["L"] == pytest.approx(100 / 3)
    assert zero["L"] == pytest.approx(100 * 2 / 3 / 5)  # classes 0 and 2 occur; 2/3 for class 2, none for 0
    assert skip["mIoU"] == zero["mIoU"]


def test_unknown_ids_stop_or_are_dropped(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"(?s)1 of 6 masks.*img_4\.png: the matching has no class for id 999"):
        run_json(golden, capsys)
    with pytest.raises(UserError, match="999"):
        run_json(golden, capsys, "--match", "identity", "--unknown", "error")
    dropped = run_json(golden, capsys, "--unknown", "drop")
    assert_scores(dropped, GOLDEN["scores"])  # here the best matching is the identity


def test_table_is_aligned_and_complete(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = run(golden, capsys, "--classes", "4", "--match", "identity").splitlines()
    assert lines[0].split() == ["class", "IoU", "BIoU", "predicted", "id"]
    assert lines[2] == f"{1:>8} {46.15:>8} {'36.00':>8}  1"
    summary = {line.split()[0]: line.split()[1:] for line in lines[6:] if line}
    assert summary["mean"] == ["55.64", "46.37"]
    assert summary["ML"] == ["83.33", "81.53"]
    assert summary["F"] == ["60.50"]
    assert summary["img_acc"] == ["66.67"]


def test_undefined_scores_are_null_and_a_dash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("truth", "prediction"):
        write_mask(tmp_path / folder / "a.png", np.zeros((8, 8), int))
    assert run_json(tmp_path, capsys)["S"] is None
    assert "       S        -        -" in run(tmp_path, capsys, "--classes", "2")


def test_several_processes_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for i in range(40):
        prediction, truth = (resize_nearest(rng.integers(0, 5, (3, 4)), 20, 26) for _ in range(2))
        write_mask(tmp_path / "p" / f"{i:02d}.png", prediction)
        write_mask(tmp_path / "t" / f"{i:02d}.png", truth)
        pairs.append((prediction, truth))
    alone = command.evaluate_folders(tmp_path / "p", tmp_path / "t", 4, "auto", "skip", None, 1)
    monkeypatch.setattr(files, "WORTH_A_PROCESS", 1)
    assert command.evaluate_folders(tmp_path / "p", tmp_path / "t", 4, "auto", "skip", None, 2) == alone
    match = {int(cluster): name for cluster, name in alone["match"].items()}
    assert alone["mIoU"] == pytest.approx(official.evaluate(pairs, 4, match)["mIoU"], abs=1e-9)


def test_single_channel_truth(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = run_json(golden, capsys, "--match", "identity")
    for path in (golden / "truth").rglob("*.png"):
        pixels = np.asarray(Image.open(path))
        values = np.where(pixels[..., 1] == 3, 255, pixels[..., 0]).astype(np.uint8)  # 1000 = 232 + 3 * 256
        Image.fromarray(values).save(path)
    assert run_json(golden, capsys, "--match", "identity") == wanted


def test_missing_predictions_are_listed(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((golden / "prediction").rglob("*.png"))[1:3]:
        path.unlink()
    with pytest.raises(UserError) as error:
        run_json(golden, capsys)
    assert "2 of 6 masks cannot be used" in str(error.value)
    assert str(golden / "prediction" / "n00" / "img_2.png") in str(error.value)
    assert str(golden / "prediction" / "n00" / "img_4.png") in str(error.value)


def test_only_the_first_files_are_listed(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (golden / "prediction").rglob("*.png"):
        path.unlink()
    with pytest.raises(UserError, match=r"(?s)6 of 6 masks.*img_0.*\.\.\. and 1 more"):
        run_json(golden, capsys)


def test_extra_predictions_are_left_out(
    golden: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    wanted = run_json(golden, capsys, "--match", "identity")
    write_mask(golden / "prediction" / "n00" / "more.png", np.ones((3, 3), int))
    assert run_json(golden, capsys, "--match", "identity") == wanted
    assert "1 of the files" in caplog.text


def test_sizes_are_checked_before_the_work(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mask(golden / "prediction" / "n01" / "img_3.png", np.zeros((41, 50), int))
    with pytest.raises(UserError, match=r"img_3\.png is 41 x 50 \(height x width\), its truth .* is 40 x 50"):
        run_json(golden, capsys)


def test_truth_ids_above_the_classes_are_named(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"(?s)1 of 6 masks.*truth.*img_4\.png has ids above 3, .*: 4$"):
        run(golden, capsys, "--classes", "3", "--json")


def test_damaged_files_are_named_and_the_others_still_read(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("n00/img_0.png", "n01/img_5.png"):
        path = golden / "truth" / name
        path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"(?s)2 of 6 masks.*img_0\.png cannot be read.*img_5\.png cannot be read"):
        run_json(golden, capsys)


def test_alpha_that_says_nothing_is_left_out(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = run_json(golden, capsys, "--unknown", "drop")
    path = golden / "prediction" / "n00" / "img_0.png"
    Image.open(path).convert("RGBA").save(path)
    assert run_json(golden, capsys, "--unknown", "drop") == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2]", "is no matching"),
        ('{"a": 1}', "is no matching"),
        ('{"0": 0, "1": 9}', r"maps 1 id\(s\) outside 0\.\.4"),
        ("{", "is not whole JSON"),
        ('{"0": 0, "1": 2}', "has no class for id"),
    ],
)
def test_bad_match_files(golden: Path, capsys: pytest.CaptureFixture[str], content: str, message: str) -> None:
    (golden / "match.json").write_text(content)
    with pytest.raises(UserError, match=message):
        run_json(golden, capsys, "--match", str(golden / "match.json"))


def test_bad_arguments(golden: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="--match best: no such file; allowed: auto, identity"):
        run_json(golden, capsys, "--match", "best")
    for classes in ("0", "1000"):
        with pytest.raises(UserError, match=r"allowed: 1\.\.999"):
            run(golden, capsys, "--classes", classes)
    with pytest.raises(UserError, match="--prediction .*none: no such folder"):
        run_json(golden, capsys, prediction="none")
    (golden / "empty").mkdir()
    with pytest.raises(UserError, match="--truth .*empty: no PNG file"):
        command.evaluate_folders(golden / "prediction", golden / "empty", 4, "auto", "skip", None, 1)


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match="there is no command 'evaluat'; did you mean evaluate"):
        __main__.main(["evaluat"])
    __main__.main(["--help"])
    assert "evaluate" in capsys.readouterr().out
