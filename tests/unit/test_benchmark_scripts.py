"""The scripts in benchmarks/ can be imported as the package is now, and say how they are called."""

import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
BESIDE = {"memory", "training_parts"}
"""What the scripts share."""
SCRIPTS = sorted({file.stem for file in FOLDER.glob("*.py")} - BESIDE)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_shows_its_help(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(FOLDER)
    script = importlib.import_module(name)
    with pytest.raises(SystemExit) as end:
        script.main(["--help"])
    assert end.value.code == 0
    assert f"benchmarks/{name}.py" in capsys.readouterr().out


def test_a_step_of_every_row_and_every_method_is_timed(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    step_cost = importlib.import_module("step_cost")
    for what, base in step_cost.BASES.items():
        assert base in dict(step_cost.compared(step_cost.Config(), what))
