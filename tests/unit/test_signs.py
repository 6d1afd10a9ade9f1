"""Signs that a training taught nothing, from its log alone, and where they are said."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from luss_core.errors import UserError
from luss_core.signs import NOTHING, SIGNS, TAIL_BYTES, last_steps, sign_in, sign_of, warnings_of


def write_log(path: Path, steps: int, **values: Any) -> Path:
    """A log whose values are numbers, or functions of the step."""
    lines = [
        {"step": k, "loss": 1.0} | {name: value(k) if callable(value) else value for name, value in values.items()}
        for k in range(steps)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"code_entropy": 0.994}, "the codes of the images are almost uniform (code_entropy 0.994 of 1). If the photo"),
        ({"code_entropy": 0.9}, None),
        ({"code_entropy": 0.9, "chance": 1.0004}, "told apart no better than by a guess (chance 1.000, where 1 is"),
        ({"chance": 0.95}, None),
        ({"chance": 2.3}, "a guess (chance 2.300"),
        ({"margin": -0.0004}, "views of one image are no more alike than views of two images (margin 0.000, of"),
        ({"margin": 0.1}, None),
        ({"attended": 1.0}, "the attention calls all of the images foreground, or nothing (attended 1.000 of 1)"),
        ({"attended": 0.0}, "(attended 0.000 of 1). Try other pretrain.method.cues"),
        ({"attended": 0.3}, None),
        ({"code_entropy": float("nan"), "chance": True}, None),
        (
            {"deviation": 0.04},
            "the features of all images are nearly the same, a collapse (deviation 0.040, of at most 1).",
        ),
        ({"deviation": 0.0}, "If the photographs are nearly the same, or very few, no setting helps"),
        ({"deviation": 0.35, "effective_rank": 16.7}, None),
        ({"deviation": 0.35, "effective_rank": 1.01}, "lie on one line (effective rank 1.010, where 1 is a line)"),
        ({"knn": 0.12, "knn_guess": 0.15}, "worse than a guess (k-NN accuracy less that of a guess: -0.030)"),
        ({"knn": 0.16, "knn_guess": 0.15}, None),
        ({"knn": 0.12}, None),
        ({}, None),
    ],
)
def test_signs(values: dict[str, Any], words: str | None) -> None:
    text = sign_in([{"loss": 1.0, **values}] * 3)
    assert (text is None) if words is None else (text is not None and words in text)


def test_of_what_is_measured_now_and_then_the_last_counts() -> None:
    healthy, collapsed = {"deviation": 0.4, "knn": 0.9, "knn_guess": 0.3}, {"deviation": 0.01}
    assert sign_in([collapsed, {"loss": 1.0}, healthy, {"loss": 1.0}]) is None
    assert "a collapse (deviation 0.010" in str(sign_in([healthy, {"loss": 1.0}, collapsed]))
    lost = {"knn": 0.2, "knn_guess": 0.3}
    assert "less that of a guess: -0.100" in str(sign_in([healthy, lost]))
    assert sign_in([lost, healthy]) is None


def test_every_sign_says_what_to_do() -> None:
    for sign in SIGNS:
        text = sign.text(1.0)
        assert "{" not in text
        assert "pretrain." in text
        assert "Try " in text or " try " in text


def test_the_last_tenth_counts(tmp_path: Path) -> None:
    late = write_log(tmp_path / "late.jsonl", 200, code_entropy=lambda k: 0.999 if k >= 180 else 0.5)
    early = write_log(tmp_path / "early.jsonl", 200, code_entropy=lambda k: 0.5 if k >= 180 else 0.999)
    assert "code_entropy 0.999" in str(sign_of(late))
    assert sign_of(early) is None
    assert [record["step"] for record in last_steps(late)] == list(range(180, 200))
    assert len(last_steps(write_log(tmp_path / "one.jsonl", 1))) == 1


def test_of_a_long_log_only_the_end_is_read(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.jsonl", 60_000, code_entropy=0.99)
    assert log.stat().st_size > 4 * TAIL_BYTES
    found = last_steps(log)
    assert found[-1]["step"] == 59_999
    assert 1000 < len(found) <= 6000
    assert sign_of(log)


def test_no_training_shows_no_sign(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").touch()
    assert sign_of(tmp_path / "log.jsonl") is None


def test_logs_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"log\.jsonl does not exist; run the stage that writes it"):
        sign_of(tmp_path / "log.jsonl")
    for content in (b'{"step": 1}\n{"st', b"\xff\xfe\n", b"[1]\n", b'{"loss": 1}\n'):
        (tmp_path / "log.jsonl").write_bytes(content)
        with pytest.raises(UserError, match=r"log\.jsonl is no whole log of a training; delete it and run its stage"):
            sign_of(tmp_path / "log.jsonl")


def test_what_the_workflow_says_at_the_very_end(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"warnings": [f"{NOTHING} x", "5 of 8 categories are empty: y"]}))
    (tmp_path / "b.json").write_text(json.dumps({"warnings": []}))
    runs = [("shape, seed 0", tmp_path / "a.json"), ("b", tmp_path / "b.json"), ("c", tmp_path / "c.json")]
    assert warnings_of(runs) == (
        "\nwarning: shape, seed 0: nothing was learned in pre-training, so categories, masks and scores say little: x."
        "\nwarning: shape, seed 0: 5 of 8 categories are empty: y."
    )


def test_no_torch_is_loaded() -> None:
    code = "import sys, luss_core.signs; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
