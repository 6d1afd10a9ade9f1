"""The first ten losses of each method stay what they were: a change of numbers must be meant.

Made by: python -m tests.golden.test_losses
"""

import json
import tempfile
from pathlib import Path

import pytest
import torch

from tests.method.test_methods import NAMES, train

STORED = Path(__file__).with_name("losses.json")


def losses(name: str, folder: Path) -> list[float]:
    torch.set_num_threads(1)
    train(name, folder, stop=10)
    return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_first_losses(name, tmp_path):
    # Processors round differently, and training amplifies it.
    assert losses(name, tmp_path) == pytest.approx(json.loads(STORED.read_text(encoding="utf-8"))[name], rel=2e-3)


if __name__ == "__main__":
    found = {name: losses(name, Path(tempfile.mkdtemp())) for name in NAMES}
    STORED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
