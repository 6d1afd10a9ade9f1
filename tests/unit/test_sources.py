"""luss_core.sources: which source a stage is made of, and when that has changed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from luss_core import source_facts, sources
from luss_core.config import PROBES, STAGES, TAUGHT
from luss_core.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def package(tmp_path):
    """A small package named luss_core: script -> a -> b -> sub, a page, and modules that nothing imports."""
    files = {
        "script.py": "import numpy\nfrom luss_core import config\nfrom luss_core.a import f\n",
        "luss_core/__init__.py": "from luss_core import unrelated\n",
        "luss_core/config.py": "from luss_core import unrelated\n",
        "luss_core/a.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import luss_core.unrelated\n"
        "def f():\n    from .b import g\n    return g()\n",
        "luss_core/b.py": "import luss_core.sub.c\nfrom luss_core import a\ndef g():\n    return 1\n",
        "luss_core/sub/__init__.py": "from . import d\n",
        "luss_core/sub/c.py": "",
        "luss_core/sub/d.py": "from ..e import x\n",
        "luss_core/sub/page.html": "<p>",
        "luss_core/e.py": "x = 1\n",
        "luss_core/unrelated.py": "",
        "luss_core/named.py": "import luss_core.far\n",
        "luss_core/far.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(files, root):
    return {str(file.relative_to(root)) for file in files}


CLOSURE = {
    "script.py",
    "luss_core/a.py",
    "luss_core/b.py",
    "luss_core/sub/__init__.py",
    "luss_core/sub/c.py",
    "luss_core/sub/d.py",
    "luss_core/sub/page.html",
    "luss_core/e.py",
}


def test_imports_are_followed_but_not_through_what_does_not_count(package):
    assert names(sources.imports(package / "script.py", package), package) == CLOSURE


def test_modules_imported_by_name_are_followed_too(package):
    found = names(sources.imports(package / "script.py", package, ["luss_core.named"]), package)
    assert found == CLOSURE | {"luss_core/named.py", "luss_core/far.py"}


LOADED = """
import importlib, json, sys
found = {}
for stage in sys.argv[1:]:
    for name in [name for name in sys.modules if name.startswith(("luss_core", "workflow_scripts"))]:
        del sys.modules[name]  # torch stays: loading it ten times takes minutes
    importlib.import_module(f"workflow_scripts.{stage}")
    found[stage] = [name for name in sys.modules if name.startswith("luss_core")]
print(json.dumps(found))
"""


def test_a_stage_counts_every_module_that_it_loads_and_no_other_stage():
    """The static walk against what Python loads."""
    command = [sys.executable, "-c", LOADED, *STAGES, *PROBES, *TAUGHT]
    command += ["align", "compare", "ablation", "benchmark", "probes", "cacl", "transfer"]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    for stage, modules in found.items():
        training = stage in sources.TRAININGS
        loaded = {str(file.relative_to(ROOT)) for name in modules if (file := sources._file(name, ROOT, training))}
        counted = sources.of_stage(stage, method="swav" if stage == "pretrain" else None).keys()
        assert loaded <= counted, stage
        others = {f"luss_core/stages/{other}.py" for other in STAGES if other != stage}
        assert counted & others == set(), stage


def test_of_a_training_the_readers_do_not_count(package, monkeypatch):
    monkeypatch.setattr(sources, "UNTRACKED_IN_TRAINING", {"luss_core.b": "reads"})
    found = names(sources.imports(package / "script.py", package, training=True), package)
    assert found == {"script.py", "luss_core/a.py"}
    assert names(sources.imports(package / "script.py", package), package) == CLOSURE


def test_the_tables_name_modules_that_exist():
    for name in {**sources.UNTRACKED, **sources.UNTRACKED_IN_TRAINING}:
        place = ROOT.joinpath(*name.split("."))
        assert place.with_suffix(".py").is_file() or (place / "__init__.py").is_file(), name


def test_a_training_is_made_of_what_decides_its_numbers():
    counted = sources.of_stage("pretrain", method="swav").keys()
    for name in (
        "train/loop",
        "train/optim",
        "methods/swav",
        "losses/clustering",
        "data/views",
        "data/loader",
        "group",
    ):
        assert f"luss_core/{name}.py" in counted, name
    for name in ("io", "data/images", "data/masks", "data/store", "train/folder", "methods/shape", "losses/attention"):
        assert f"luss_core/{name}.py" not in counted, name
    assert "luss_core/data/overlap.py" in counted, "the stage itself asks how often views overlap"


def test_of_weights_that_a_training_begins_from_counts_where_they_go():
    """Not what can only refuse a file."""
    folder = "luss_core/models/foreign/"
    counted = {file.removeprefix(folder) for file in sources.of_stage("pretrain", method="swav") if folder in file}
    assert counted == {f"{name}.py" for name in ("__init__", "fill", "fit", "layouts", "load", "own", "spellings")}
    assert {"luss_core/models/initial.py", "luss_core/models/frozen.py", "luss_core/models/timm_backbone.py"} <= (
        sources.of_stage("pretrain", method="swav").keys()
    )
    assert not any(folder in file for file in sources.of_stage("finetune"))


def test_checkpoints_carry_the_digests_that_the_workflow_records(monkeypatch):
    assert sources.of_training("pretrain", "swav") != sources.of_training("pretrain", "shape")
    found = sources.of_training("finetune")
    assert sources.of_training("finetune") == found
    monkeypatch.setattr(sources.io, "versions", lambda names: dict.fromkeys(names, "9"))
    assert sources.of_training("finetune") != found
    monkeypatch.undo()
    monkeypatch.setattr(sources, "digest", lambda file: "" if file.name == "loop.py" else "same")
    assert sources.of_training("finetune") != found


def test_readers_count_for_a_stage_before_the_training():
    """So that the job of the training runs after an edit and looks at what is read now."""
    before = [sources.of_stage(stage).keys() for stage in ("prepare", "prior", "extract", "cluster")]
    for name in ("data.images", "data.masks", "data.store", "data.features", "data.hdf5", "models.weights", "parallel"):
        file = str(sources._file(f"luss_core.{name}", ROOT, False).relative_to(ROOT))
        assert any(file in counted for counted in before), name


def test_the_root_of_the_package_holds_nothing_that_would_have_to_count():
    body = ast.parse((ROOT / "luss_core" / "__init__.py").read_text()).body
    made = [ast.unparse(node) for node in body if not source_facts._is_text(node)]
    assert [text.partition("(")[0].partition(" =")[0] for text in made] == ["__version__", "def __getattr__"]


SOURCE = '''"""Says."""
class A:
    """Doc."""
    x: int = 1
    """Meaning."""

    def f(self, y):
        if y:
            log.info("y is %s", y)
        if y < 0:
            raise UserError(f"y is {y}") from None
        return y + 1
'''


def digest(folder, text):
    file = folder / f"{abs(hash(text))}.py"
    file.write_text(text)
    return sources.digest(file)


@pytest.mark.parametrize(
    "same",
    [
        SOURCE.replace("Says", "Tells"),
        SOURCE.replace('    """Doc."""\n', ""),
        SOURCE.replace("Meaning", "Sense"),
        SOURCE.replace("y + 1", "y + 1  # why"),
        SOURCE.replace("y + 1", "(\n            y + 1\n        )"),
        SOURCE.replace("y is", "found"),
        SOURCE.replace(" from None", " from y"),
        SOURCE.replace('        if y:\n            log.info("y is %s", y)\n', ""),
        SOURCE.replace("        return", '        logger.warning("more")\n        return'),
    ],
)
def test_comments_docstrings_layout_and_messages_do_not_count(tmp_path, same):
    assert same != SOURCE
    assert digest(tmp_path, same) == digest(tmp_path, SOURCE)


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace("y + 1", "y + 2"),
        SOURCE.replace("y + 1", "y - 1"),
        SOURCE.replace("= 1\n", "= None\n"),
        SOURCE.replace("= 1\n", "= True\n"),
        SOURCE.replace("self, y", "self, y=1"),
        SOURCE.replace("y < 0", "y < 1"),
        SOURCE.replace("raise UserError(", "raise ValueError("),
        SOURCE.replace("log.info", "log.remove"),
        SOURCE.replace("if y:", "if y.pop():"),
        SOURCE.replace("return y + 1", "return 'y'"),
        SOURCE + "B = A\n",
    ],
)
def test_every_other_change_counts(tmp_path, other):
    assert digest(tmp_path, other) != digest(tmp_path, SOURCE)


def test_other_pythons_give_the_same_digest():
    """A new Python is no reason to train for a week again."""
    program = "from luss_core import sources; from pathlib import Path; print(sources.digest(Path('luss_core/io.py')))"
    expected = sources.digest(ROOT / "luss_core" / "io.py")
    found = []
    for minor in range(11, 16):
        command = [f"python3.{minor}", "-c", program]
        try:
            found.append(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip())
        except (OSError, subprocess.CalledProcessError):  # not on this machine
            continue
    if not found:
        pytest.skip("no other Python on this machine")
    assert set(found) == {expected}


def test_the_record_changes_only_when_the_source_does(tmp_path, package, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record, script = tmp_path / "results" / "source.json", package / "script.py"
    sources.record(record, {"script.py": sources.digest(script)})
    assert json.loads(record.read_text()) == {"script.py": sources.digest(script)}
    os.utime(record, (1, 1))
    sources.record(record, {"script.py": sources.digest(script)})
    assert record.stat().st_mtime == 1

    def edited():
        script.write_text(script.read_text() + "x = 2\n")
        sources.digest.cache_clear()
        source_facts.facts.cache_clear()
        return {"script.py": sources.digest(script)}

    before = record.read_text()
    now = edited()
    sources.record(record, now, tracked=False)
    assert record.read_text() == before
    lock = tmp_path / ".snakemake" / "locks" / "0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    sources.record(record, now)
    assert record.read_text() == before, "a running stage was made from the source before the edit"
    lock.unlink()
    sources.record(record, now)
    assert record.read_text() != before


def test_a_record_that_cannot_be_written_is_an_error_only_if_there_is_none(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise UserError("cannot write: disk full")

    monkeypatch.setattr(sources.io, "write_text", full)
    record = tmp_path / "source.json"
    with pytest.raises(UserError, match="disk full"):
        sources.record(record, {"script.py": ""})
    record.write_text("{}")
    sources.record(record, {"script.py": ""})
    assert "disk full" in caplog.text
    assert record.read_text() == "{}"
