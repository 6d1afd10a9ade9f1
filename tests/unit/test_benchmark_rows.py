"""The rows of `snakemake benchmark`: one pipeline, where results lie, and why runs are missing."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from luss_core import runs, unfinished
from luss_core.config import METHODS, BenchmarkRows, Config, Stages
from luss_core.config.benchmark import PAPER
from luss_core.config.training import TrainConfig
from luss_core.errors import UserError
from luss_core.rows import benchmark_rows

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
DATA = Path("results/tiny")


def load(recipe: Path | None = None, **changes: Any) -> Config:
    values = yaml.safe_load(recipe.read_text(encoding="utf-8")) if recipe else {}
    return runs.load(runs.merge(runs.over_defaults(values), changes))


def rows_of(*methods: str, **changes: Any) -> BenchmarkRows:
    return benchmark_rows(load(benchmark={"methods": list(methods)}, **changes))


def test_the_default_has_every_method_of_the_paper_that_there_is_and_a_control() -> None:
    methods = Config().benchmark.methods
    assert methods == (*(name for name in PAPER if name in METHODS), "random")
    assert {"npid", "moco", "deepcluster", "swav", "byol", "shape"} < set(methods)


@pytest.mark.parametrize("recipe", [None, *RECIPES], ids=lambda path: path.stem if path else "config")
def test_rows_differ_in_pretrain_alone(recipe: Path | None) -> None:
    config = load(recipe)
    found = runs.presets(config)
    common = {row: found[row + runs.COMMON] for row in config.benchmark.methods}
    first = common[config.benchmark.methods[0]]
    for row, stages in common.items():
        assert stages.pretrain == found[row].pretrain
        for section in set(Stages.model_fields) - {"pretrain"}:
            assert getattr(stages, section) == getattr(first, section), (row, section)
    assert benchmark_rows(config).common.finetune == first.finetune


@pytest.mark.parametrize("recipe", [None, *RECIPES], ids=lambda path: path.stem if path else "config")
def test_rows_without_a_decoder_have_one_network(recipe: Path | None) -> None:
    """Else the table would compare networks: recipes whose backbone suits the decoder name a plain one."""
    config = load(recipe)
    found = {row: runs.resolve(config, row).pretrain for row in config.benchmark.methods}
    plain = {row: pretrain.backbone for row, pretrain in found.items() if not pretrain.decoder}
    assert [row for row, backbone in plain.items() if backbone != plain["swav"]] == []


def test_rates_of_methods_stay_with_the_optimizer_that_they_were_found_with() -> None:
    others = [config for config in map(load, RECIPES) if config.pretrain.train.optimizer != TrainConfig().optimizer]
    assert {config.dataset for config in others} == {"imagenet-s50", "imagenet-s300", "imagenet-s919"}
    for config in others:
        found = {name: runs.resolve(config, name).pretrain for name in config.benchmark.methods}
        rates = {name: pretrain.method_train.lr for name, pretrain in found.items()}
        assert set(rates.values()) == {config.pretrain.train.lr}, (config.dataset, rates)


def test_presets_without_a_decoder_may_have_another_backbone() -> None:
    own = {
        "mine": {
            "pretrain": {"decoder": None, "attention": False, "method": {"name": "swav"}, "backbone": {"width": 8}}
        }
    }
    own["mine"] |= {"finetune": {"segmenter": {"attend": False, "encoder": "trained"}}}
    config = load(plain_backbone={"strides": [1, 2, 2, 2], "width": 24}, presets=own)
    found = {name: runs.resolve(config, name).pretrain.backbone for name in ("swav", "random", "mine", "shape")}
    assert {name: backbone.width for name, backbone in found.items()} == {
        "swav": 24,
        "random": 24,
        "mine": 8,
        "shape": 16,
    }
    assert found["mine"].strides == found["swav"].strides == (1, 2, 2, 2) != found["shape"].strides
    with pytest.raises(UserError, match="plain_backbone: unknown key 'strids'; allowed: family, arch"):
        load(plain_backbone={"strids": [1]})
    with pytest.raises(UserError, match="presets.mine.pretrain: "):
        load(presets={"mine": {"pretrain": 3}})


def test_a_row_keeps_its_own_pipeline_where_that_is_asked_for() -> None:
    listed = {"methods": ["shape", "swav"], "own_pipeline": ["shape"]}
    shape, swav = benchmark_rows(load(benchmark=listed)).rows
    assert shape.stages["evaluate"] == "shape"
    assert "finetune.segmenter.attend: false → true" in shape.pipeline
    assert swav.pipeline == ()
    with pytest.raises(UserError, match="benchmark.own_pipeline: unknown method 'maskcontrust'"):
        load(benchmark={"own_pipeline": ["maskcontrust"]})


def test_all_rows_of_the_default_have_equal_budgets() -> None:
    found = runs.presets(load())
    trained = [found[row].pretrain.train for row in Config().benchmark.methods if row != "random"]
    assert len({(train.epochs, train.batch_size) for train in trained}) == 1
    assert found["random"].pretrain.train.epochs == 0


@pytest.mark.parametrize(
    ("methods", "parts"),
    [
        (["mocco", "swav"], ["benchmark.methods: unknown method 'mocco'; did you mean moco? known: moco, swav, "]),
        (["swav", "swav"], ["benchmark.methods ['swav', 'swav'] names something twice"]),
        ([], ["benchmark.methods: found []; allowed: a list of one method or more, such as [swav, moco]"]),
        ("swav", ["benchmark.methods: found 'swav'; allowed: a list"]),
    ],
)
def test_a_list_that_cannot_be_run_is_refused(methods: Any, parts: list[str]) -> None:
    with pytest.raises(UserError) as error:
        load(benchmark={"methods": methods})
    for part in parts:
        assert part in str(error.value)


def test_rows_share_results_with_presets_and_the_ablation() -> None:
    rows = {row.name: row for row in rows_of("swav", "shape", "random").rows}
    assert set(rows["swav"].stages.values()) == {"swav"}
    assert rows["shape"].stages["pretrain"] == rows["shape"].stages["cluster"] == "shape"
    assert rows["shape"].stages["finetune"] == rows["shape"].stages["evaluate"] == "shape+common"
    assert (rows["random"].method, rows["shape"].method) == ("swav", "shape")
    with_ablation = {row.name: row for row in rows_of("swav", "shape", "random", ablation=[]).rows}
    assert with_ablation == rows


def test_a_preset_of_the_user_can_be_a_row() -> None:
    own = {"slow": {"pretrain": {"decoder": None, "attention": False, "method": {"name": "byol", "momentum": 0.9}}}}
    own["slow"]["finetune"] = {"segmenter": {"attend": False, "encoder": "trained", "head_lr": 1.0}}
    (row,) = rows_of("slow", presets=own).rows
    assert (row.name, row.method, row.stages["evaluate"]) == ("slow", "byol", "slow")


WAITING = {f"{DATA}/benchmark", *(f"{DATA}/moco/seed1/{stage}" for stage in ("infer", "evaluate"))}


def write_log(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def test_a_run_that_failed_says_which_stage_and_what(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = rows_of("swav", "moco", seeds=[0, 1])
    text = "09:00 step 1\nerror: config: 2 settings\n  classes: 1\n"
    log = write_log(tmp_path, f"{DATA}/moco/seed1/logs/infer.1-of-2.log", text)
    missing = unfinished.missing_runs(rows, DATA, [log], WAITING)
    (run,) = missing.runs
    assert (run.row, run.seed, run.stage, run.failed, run.log) == ("moco", 1, "infer", True, log)
    assert run.said == "config: 2 settings classes: 1"
    scored = unfinished.scored_runs(rows, DATA, missing)
    assert scored.split("--run ")[1:] == [
        f"{name}:{seed}:{DATA}/{name}/seed{seed}{' ' if name == 'swav' else ''}"
        for name, seed in (("swav", 0), ("swav", 1), ("moco", 0))
    ]


def test_a_job_that_was_killed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = write_log(tmp_path, f"{DATA}/moco/seed1/logs/join_masks.log", "09:00 step 1\n")
    (run,) = unfinished.missing_runs(rows_of("swav", "moco", seeds=[0, 1]), DATA, [log], WAITING).runs
    assert (run.stage, run.failed) == ("infer", True)
    assert run.said.startswith("infer ended without a message, as a process does that is killed")


def test_runs_that_were_not_reached_are_told_from_failed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What older jobs left is not shown: after a change of settings it is not what these give."""
    monkeypatch.chdir(tmp_path)
    rows = rows_of("shape", "moco")
    waiting = {f"{DATA}/shape+common/seed0/evaluate", f"{DATA}/moco/seed0/pretrain", f"{DATA}/moco/seed0/evaluate"}
    found = unfinished.missing_runs(rows, DATA, [], waiting).runs
    assert [(run.row, run.stage, run.failed) for run in found] == [
        ("shape", "evaluate", False),
        ("moco", "pretrain", False),
    ]
    log = write_log(tmp_path, f"{DATA}/logs/prior.log", "error: the disk is full\n")
    found = unfinished.missing_runs(rows, DATA, [log], waiting).runs
    assert {(run.stage, run.said) for run in found} == {("prior", "the disk is full")}
    assert unfinished.missing_runs(rows, DATA, [], ()).runs == ()
