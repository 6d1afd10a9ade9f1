"""The zip for the server: what is in it for a made-up run, the same bytes each time, and mistakes."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from segmented_run import AUTOMATIC, Run, make_run

from luss_core.__main__ import main
from luss_core.data import benchmark
from luss_core.data.benchmark import Benchmark, Names, digest
from luss_core.data.masks import at_threshold, decode, write_mask
from luss_core.errors import UserError
from luss_core.io import write_json

METHOD = {
    "--method-name": "shape",
    "--training-data": "ImageNet-S50, unlabelled",
    "--training-scheme": "fully unsupervised",
    "--networks": "ResNet-18",
    "--link": "https://example.org",
    "--description": "prior: from shape",
}
METHOD_TXT = """\
Method name: shape
Training data: ImageNet-S50, unlabelled
Training scheme: fully unsupervised
Networks: ResNet-18
Paper/Project link: https://example.org
Method description: prior: from shape
"""
CLASS_OF_CLUSTER = np.array([0, 2, 3, 1])
IMAGES = 7


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Matched on validation, with test images whose truth nobody has."""
    run = make_run(tmp_path, {"train": 3, "validation": 9}, {"test": IMAGES})
    run.evaluate()
    return run


def submit(run: Run, **changed: str) -> Path:
    """Call the command; arguments are named without dashes."""
    arguments = {
        "--masks": run.root / "infer" / "masks",
        "--match": run.root / "evaluate" / "match.json",
        "--images": run.root / "prepare" / "images.csv",
        "--out": run.root / "submission.zip",
        "--threads": "1",
        **METHOD,
        **{f"--{name.replace('_', '-')}": value for name, value in changed.items()},
    }
    main(["submission", *(str(part) for pair in arguments.items() for part in pair)])
    return Path(arguments["--out"])


def test_masks_are_matched_and_named_like_the_images(run: Run) -> None:
    with zipfile.ZipFile(submit(run)) as archive:
        assert archive.testzip() is None
        names = [f"f{i % 3 + 1}/{i:03d}.png" for i in range(IMAGES)]
        assert archive.namelist() == ["method.txt", *names]
        assert archive.read("method.txt").decode() == METHOD_TXT
        pixels = {name: np.asarray(Image.open(BytesIO(archive.read(name)))) for name in names}
    for i, (ids, levels) in enumerate(run.scored["test"]):
        found = pixels[f"f{i % 3 + 1}/{i:03d}.png"]
        assert found.shape == (*ids.shape, 3)
        assert np.array_equal(decode(found), CLASS_OF_CLUSTER[at_threshold(ids, levels, AUTOMATIC)])


def test_ids_above_255_need_both_bytes(run: Run) -> None:
    folders = 300
    text = (run.root / "prepare" / "images.csv").read_text()
    more = "".join(f'"c{k}/x","train/c{k}/x.jpg","train",9,9,"c{k}",""\n' for k in range(folders - 3))
    (run.root / "prepare" / "images.csv").write_text(text + more)
    write_json(run.root / "evaluate" / "match.json", {"0": 0, "1": 300, "2": 2, "3": 1})
    with zipfile.ZipFile(submit(run)) as archive:
        ids = decode(np.asarray(Image.open(BytesIO(archive.read("f2/001.png")))))
    assert set(np.unique(ids)) <= {0, 300, 2, 1}
    assert np.array_equal(ids == 300, at_threshold(*run.scored["test"][1], AUTOMATIC) == 1)


def test_the_same_run_gives_the_same_bytes(run: Run) -> None:
    first = submit(run).read_bytes()
    other = submit(run, out=str(run.root / "again.zip"), threads="2").read_bytes()
    assert first == other
    assert submit(run, split="validation").read_bytes() != first


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"description": " "}, "--description ' ': method.txt has one line"),
        ({"link": "a\nb"}, "--link 'a\\nb': method.txt has one line"),
        ({"match": "nowhere.json"}, "nowhere.json does not exist"),
        ({"masks": "nowhere"}, "--masks nowhere: no folder test in it"),
    ],
)
def test_arguments_that_cannot_be_used(run: Run, changed: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as error:
        submit(run, **changed)
    assert message in str(error.value)
    assert not list(run.root.glob("*.zip*"))


def break_size(run: Run) -> None:
    write_mask(run.root / "infer/masks/test/f1/000.png", np.zeros((3, 4), np.int32))


def break_id(run: Run) -> None:
    path = run.root / "infer/masks/test/f2/001.png"
    write_mask(path, np.full(run.scored["test"][1][0].shape, 4, np.int32))


def break_nothing_matched(run: Run) -> None:
    write_json(run.root / "evaluate/scores.json", {"truth": False})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: (run.root / "infer/masks/test/f1/003.png").unlink(), "1 of 7 masks cannot be used; each image"),
        (break_size, "f1/000.png is 3 x 4 (height x width), its image"),
        (break_id, "f2/001.png has ids that"),
        (break_nothing_matched, "the run found no ground truth, so its clusters are not matched"),
        (lambda run: write_json(run.root / "evaluate/match.json", {"0": 0, "1": 4}), "outside 0..3"),
    ],
)
def test_runs_that_cannot_be_submitted_leave_no_file(run: Run, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    spoil(run)
    with pytest.raises(UserError) as error:
        submit(run)
    assert message in str(error.value)
    assert not [path for path in run.root.iterdir() if "zip" in path.name]


def test_a_split_without_images_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"train": 3, "validation": 6})
    run.evaluate()
    with pytest.raises(UserError, match="--split test: --images lists none; it has train, validation"):
        submit(run)


@pytest.mark.parametrize("official", [IMAGES, IMAGES + 1])
def test_the_images_must_be_those_of_the_official_list(
    run: Run, official: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    submit(run)
    assert "not those of ImageNet-S" in caplog.text
    splits = {"train": Names(3), "validation": Names(9), "test": Names(official)}
    monkeypatch.setattr(benchmark, "BENCHMARKS", (Benchmark("Small", digest(["f1", "f2", "f3"]), splits),))
    if official == IMAGES:
        submit(run)
        return
    with pytest.raises(UserError, match="lists 7 test images, which are not the official ones of Small"):
        submit(run)
