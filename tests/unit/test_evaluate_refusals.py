"""What the stage evaluate refuses: every damaged file by its name, and nothing is written."""

from pathlib import Path

import numpy as np
import pytest
from segmented_run import Run, make_run

from luss_core.data.masks import write_mask
from luss_core.errors import UserError


def damage(run: Run, what: str) -> None:
    mask, scored = run.root / "infer" / "masks" / "test" / "f1" / "000.png", run.root / "infer" / "scored.h5"
    truth = run.root / "data" / "test-segmentation" / "f1" / "000.png"
    ids, bins = run.scored["test"][0]
    above = np.where(ids == ids[0, 0], 7, ids)

    def other_map(ids: np.ndarray, levels: np.ndarray) -> None:
        run.scored["test"][0] = ids, levels
        run.write_scored()

    actions = {
        "mask missing": lambda: mask.unlink(),
        "scored missing": lambda: scored.unlink(),
        "truth missing": lambda: truth.unlink(),
        "mask of another size": lambda: write_mask(mask, ids[1:]),
        "truth of another size": lambda: write_mask(truth, np.zeros((99, 3), int)),
        "truth with ids above C": lambda: write_mask(truth, above),
        "mask with ids above C": lambda: write_mask(mask, above),
        "scored map missing": lambda: (run.scored["test"].pop(), run.write_scored()),
        "scored map of another size": lambda: other_map(ids[1:], bins[1:]),
        "scored with ids above C": lambda: other_map(above, bins),
        "scored with id 0": lambda: other_map(np.where(ids == ids[0, 0], 0, ids), bins),
        "scored above 80": lambda: other_map(ids, bins + np.uint8(100)),
        "scored cut short": lambda: scored.write_bytes(scored.read_bytes()[:-3000]),
        "truth cut short": lambda: truth.write_bytes(truth.read_bytes()[:-60]),
    }
    actions[what]()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("mask missing", r"1 of 12 masks.*masks/test/f1/000\.png does not exist"),
        ("scored missing", r"infer/scored\.h5 does not exist; run the stage infer"),
        ("scored map missing", r"1 of 6 masks.*there is no scored map of .*masks/test/f3/005\.png"),
        ("scored map of another size", r"the map of .*f1/000\.png in .*scored\.h5 is \d+ x \d+ .*, its image \d+ x"),
        ("scored cut short", r"scored\.h5 is damaged or cut short"),
        ("truth missing", r"test-segmentation/f1/000\.png does not exist"),
        ("mask of another size", r"masks/test/f1/000\.png is \d+ x \d+ \(height x width\), its image \d+ x \d+"),
        ("truth of another size", r"test-segmentation/f1/000\.png is 99 x 3"),
        ("truth with ids above C", r"1 of 6 masks.*test-segmentation/f1/000\.png has ids above 3, .*: 7"),
        ("mask with ids above C", r"masks/test/f1/000\.png has ids above 3, .*: 7"),
        (
            "scored with ids above C",
            r"the map of .*masks/test/f1/000\.png in .*scored\.h5 has clusters outside 1\.\.3: 7",
        ),
        ("scored with id 0", r"the map of .*masks/test/f1/000\.png in .*scored\.h5 has clusters outside 1\.\.3: 0"),
        ("scored above 80", r"the map of .*masks/test/f1/000\.png in .*scored\.h5 has scores above 80 hundredths"),
        ("truth cut short", r"test-segmentation/f1/000\.png cannot be read as a mask"),
    ],
)
def test_bad_files_are_named_and_nothing_is_written(tmp_path: Path, what: str, message: str) -> None:
    run = make_run(tmp_path, {"test": 6})
    damage(run, what)
    with pytest.raises(UserError, match=f"(?s){message}"):
        run.evaluate()
    assert not (tmp_path / "evaluate").exists()


def test_masks_must_be_there(tmp_path: Path) -> None:
    run = make_run(tmp_path, {"test": 6})
    (tmp_path / "infer" / "masks" / "test").rename(tmp_path / "infer" / "masks" / "other")
    with pytest.raises(UserError, match="no folder of any of the splits test; run the stage infer"):
        run.evaluate()
