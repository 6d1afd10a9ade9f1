"""The shape of the repository: sizes, import directions, one name a stage, environments in step."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from luss_core import stages
from luss_core.config import PROBES, STAGES, TAUGHT, Config, ProbesConfig, Stages

ROOT = Path(__file__).parents[2]
PYTHON = [
    file
    for folder in ("luss_core", "workflow_scripts", "tests", "benchmarks")
    for file in ROOT.glob(f"{folder}/**/*.py")
]

LAYERS = (
    ("errors", "config", "explain", "colours"),
    ("settings_file",),
    (
        "io",
        "as_typed",
        "digests",
        "edits",
        "edits_file",
        "dry_run",
        "invocation",
        "last_words",
        "start",
        "cli",
        "defaults",
        "listing",
        "runs",
        "rows",
        "presets",
        "paper_rows",
        "wsss_rows",
        "names",
        "running",
        "probed",
        "source_facts",
        "sources",
        "runtime",
        "group",
        "launch",
        "signs",
        "unfinished",
        "parallel",
        "shortage",
    ),
    ("losses", "models", "data", "metrics", "kmeans", "changed", "bounds", "corrected", "labelled"),
    ("methods",),
    ("train",),
    ("report",),
    ("away",),
    ("stages", "predict"),
    ("photos", "studio"),
)
"""A module imports from its own layer and those above it in this list."""


def test_files_and_functions_are_short():
    long = []
    for file in PYTHON:
        text = file.read_text(encoding="utf-8")
        if text.count("\n") > 300:
            long.append(f"{file.relative_to(ROOT)}: {text.count(chr(10))} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60:
                long.append(f"{file.relative_to(ROOT)}:{node.lineno} {node.name}")
    for file in (ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")):
        if (lines := file.read_text(encoding="utf-8").count("\n")) > 300:
            long.append(f"{file.relative_to(ROOT)}: {lines} lines")
    assert long == []


def test_imports_go_down():
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    wrong = []
    for file in ROOT.glob("luss_core/*/**/*.py"):
        own = file.relative_to(ROOT / "luss_core").parts[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("luss_core"):
                parts = node.module.split(".")
                for name in parts[1:2] or [alias.name for alias in node.names]:
                    if name in layer and layer[name] > layer[own]:
                        wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert wrong == []


def test_every_part_of_the_package_has_a_layer():
    parts = {path.stem for path in (ROOT / "luss_core").iterdir() if not path.name.startswith("_")} - {"py"}
    assert parts == {name for names in LAYERS for name in names}


@pytest.mark.parametrize("stage", [*STAGES, *PROBES, *TAUGHT])
def test_a_stage_has_one_name_in_five_places(stage):
    assert f"rule {stage}:" in (ROOT / "rules" / f"{stage}.smk").read_text(encoding="utf-8")
    assert (ROOT / "workflow_scripts" / f"{stage}.py").is_file()
    assert stage in (ProbesConfig if stage in PROBES else Config if stage in TAUGHT else Stages).model_fields
    assert f'include: "rules/{stage}.smk"' in (ROOT / "Snakefile").read_text(encoding="utf-8")
    assert callable(getattr(importlib.import_module(f"{stages.__name__}.{stage}"), stage))


ACROSS = ("align", "compare", "ablation", "benchmark", "probes", "cacl", "wsss", "transfer", "suggest")
"""Pages of several runs."""
JOIN = "join"
"""Puts the parts of a stage together; its rules stand with the stage."""


def test_nothing_but_stages_is_named_like_one():
    scripts = {file.stem for file in (ROOT / "workflow_scripts").glob("*.py")}
    rules = {file.stem for file in (ROOT / "rules").glob("*.smk")}
    assert scripts == {*STAGES, *PROBES, *TAUGHT, *ACROSS, JOIN}
    assert rules == {*STAGES, *PROBES, *TAUGHT, *ACROSS, "common", "inputs", "before", "after"}


@pytest.mark.parametrize("stage", [*STAGES, *PROBES, *TAUGHT, *ACROSS])
def test_a_rule_states_what_it_needs_and_gives_the_script_all_of_it(stage):
    """The rule is read as text: what Snakemake parsed is in its internals alone, which differ between versions."""
    text = (ROOT / "rules" / f"{stage}.smk").read_text(encoding="utf-8")
    for directive in ("log", "benchmark", "conda", "threads", "resources", "params"):
        assert re.search(rf"^    {directive}:", text, re.MULTILINE), directive
    text = text.partition("\n\n\nif ")[0]
    shell = text[text.index("    shell:") :]
    assert f"workflow_scripts.{stage} " in shell
    assert "--settings {params.settings:q} --threads {threads} 2>&1 | tee -i {log}" in shell
    named = set(re.findall(r"^        (\w+)=", text[: text.index("    shell:")].partition("    log:")[0], re.MULTILINE))
    # a parameter where some runs have the input and others do not
    used = set(re.findall(r"\{(?:input|output|params)\.(\w+)", shell))
    # what a script finds beside a file that it is given or in its settings, or writes into a folder that it is given
    implied = {
        "prepare": {"images", "store", "rejected", "summary", "files", "videos"},
        "prior": {"maps", "summary", "files"},
        "pretrain": {"weights", "heads"},
        "examine": {"heads"},
        "align": {"galleries"},
        "compare": {"scores", "masks", "similarity"},
        "probes": {"linear", "limited", "masks", "similarity"},
        "cacl": {"linear", "limited"},
        "transfer": {"masks"},
        "suggest": {"features"},
        "ablation": {"scores", "masks", "measures", "attention"},
        "benchmark": {"scores", "complete"},
        "wsss": {"scores", "complete"},
    }
    assert named - used - {"source"} == implied.get(stage, set())


@pytest.mark.parametrize("stage", [*STAGES, *PROBES, *TAUGHT, *ACROSS])
def test_help_names_every_argument_that_the_rule_gives(stage, capsys):
    text = (ROOT / "rules" / f"{stage}.smk").read_text(encoding="utf-8").partition("\n\n\nif ")[0]
    shell = text.partition("    shell:")[2]
    given = set(re.findall(r"--[a-z-]+", shell.partition("\nuse rule")[0]))
    given |= {"--run"} if stage in ACROSS else set()
    script = importlib.import_module(f"workflow_scripts.{stage}")
    with pytest.raises(SystemExit) as end:
        script.main(["--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0
    assert given <= set(re.findall(r"--[a-z-]+", text))
    assert script.__doc__.partition("\n")[0] in text


def test_the_snakefile_needs_no_torch():
    modules = ", ".join(
        f"luss_core.{name}"
        for name in (
            *("config", "probed", "runs", "rows", "presets", "paper_rows", "sources", "defaults", "bounds", "changed"),
            "running",
            "unfinished",
        )
    )
    later = "luss_core.data.annotated.read"  # where a data set for probes is named
    program = f"import sys, {modules}, {later}; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
OUTSIDE = {"snakemake"}
"""Runs the environments, so it is in none."""


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_conda_environments_have_the_bounds_of_pyproject(kind):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"python": project["requires-python"]}
    for text in project["dependencies"]:
        need = Requirement(text)
        if need.name not in OUTSIDE:
            name = CONDA_NAMES.get(need.name, need.name)
            name = {"pytorch": f"pytorch-{kind}"}.get(name, name)
            wanted[name] = str(need.specifier)
    file = ROOT / "envs" / ("luss.yaml" if kind == "cpu" else "luss-gpu.yaml")
    found = dict(entry.split() for entry in yaml.safe_load(file.read_text(encoding="utf-8"))["dependencies"])
    assert found == wanted


IMPORT_NAMES = {
    "PIL": "pillow",
    "faiss": "faiss-cpu",
    "markupsafe": "jinja2",  # Its own dependency and part of its interface.
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def test_what_the_package_imports_is_what_it_asks_for():
    """Not what only the checks install: a plain `pip install -e .` must run the workflow, but for the studio."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {Requirement(text).name for text in project["dependencies"]}
    extra = {Requirement(text).name for text in project["optional-dependencies"]["studio"]}
    assert imported(ROOT.glob("luss_core/studio/*.py")) <= asked | extra
    rest = [file for file in ROOT.glob("luss_core/**/*.py") if file.parent.name != "studio"]
    assert imported([*rest, *ROOT.glob("workflow_scripts/*.py")]) <= asked


def imported(files):
    """What Python files import of others, as it is called where it is installed from."""
    used = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            used |= {name.partition(".")[0] for name in names}
    outside = used - set(sys.stdlib_module_names) - {"luss_core", "workflow_scripts"}
    return {IMPORT_NAMES.get(name, name) for name in outside}


def test_the_lock_pins_every_dependency_within_its_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = dict(line.lower().replace("_", "-").split("==") for line in lines if not line.startswith("#"))
    for text in [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]:
        need = Requirement(text)
        assert need.specifier.contains(pins[need.name.lower()]), text
