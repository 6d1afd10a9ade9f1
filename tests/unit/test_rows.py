"""The rows of the ablation: one pipeline, encoders made once, and what sets each row apart."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from luss_core import runs
from luss_core.config import Config, RowsConfig, Stages
from luss_core.rows import differences, rows

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


def load(recipe: Path | None, **changes: Any) -> Config:
    """A recipe laid over config.yaml, as Snakemake does it."""
    values = Config().model_dump(mode="json")
    values = runs.merge(values, yaml.safe_load(recipe.read_text(encoding="utf-8")) if recipe else {})
    return runs.load(runs.merge(values, changes))


@pytest.mark.parametrize("recipe", [None, *RECIPES], ids=lambda path: path.stem if path else "config")
def test_rows_differ_in_pretrain_alone(recipe: Path | None) -> None:
    """Whatever a recipe sets: else a step of the table would not be what a part of the method adds."""
    config = load(recipe)
    found = runs.presets(config)
    common = [found[row + runs.COMMON] for row in config.ablation]
    assert len(common) == len(config.ablation) == 6
    for row, stages in zip(config.ablation, common, strict=True):
        assert stages.pretrain == found[row].pretrain
        for section in set(Stages.model_fields) - {"pretrain"}:
            assert getattr(stages, section) == getattr(common[0], section), (row, section)
    assert len({runs.settings(stages.pretrain) for stages in common}) == len(common)
    segmenter = common[0].finetune.segmenter
    assert (segmenter.features, segmenter.attend, segmenter.encoder) == ("output", False, "trained")
    # what the recipe says of the stages themselves stays
    for section in ("extract", "cluster", "infer"):
        assert getattr(common[0], section) == getattr(config, section)
    assert (common[0].finetune.train, common[0].finetune.views) == (config.finetune.train, config.finetune.views)


def test_a_preset_that_segments_otherwise_changes_no_row_of_the_common_table() -> None:
    own = {"cluster": {"restarts": 1}, "infer": {"size": 9}, "evaluate": {"absent": "zero"}}
    changed = load(None, presets={"i2p": {"finetune": {"train": {"epochs": 1}}, **own}})
    assert runs.presets(changed)["i2p+common"] == runs.presets(load(None))["i2p+common"]
    assert runs.presets(changed)["i2p"].infer.size == 9


def test_the_pipeline_can_be_changed_for_all_rows() -> None:
    config = load(None, ablation_pipeline={"finetune": {"segmenter": {"features": "stage4"}}, "infer": {"size": 9}})
    for row in config.ablation:
        stages = runs.presets(config)[row + runs.COMMON]
        assert (stages.finetune.segmenter.features, stages.finetune.segmenter.attend, stages.infer.size) == (
            "stage4",
            False,
            9,
        )


def test_the_first_of_equal_presets_makes_the_encoder() -> None:
    presets = runs.presets(load(None))
    encoders = runs.makers(presets, "pretrain")
    assert [encoders[name] for name in ("random", "colour", "single")] == ["random"] * 3
    for row in Config().ablation:
        assert encoders[row] == encoders[row + runs.COMMON] == row
    # pooled alike, then clustered alike
    assert [runs.makers(presets, "extract")[name] for name in ("colour", "single")] == ["colour", "random"]
    assert runs.makers(presets, "cluster")["single"] == "single"
    assert {runs.makers(presets, "cluster")[row + runs.COMMON] for row in Config().ablation} == set(Config().ablation)


def test_a_row_whose_preset_has_the_common_pipeline_is_made_once() -> None:
    """swav by itself; in the ImageNet recipes, which fine-tune as the paper does, the method as well."""
    whole = runs.makers(runs.presets(load(None)), "evaluate")
    assert [row for row in Config().ablation if whole[row + runs.COMMON] == row] == ["swav"]
    (recipe,) = (path for path in RECIPES if path.stem == "imagenet-s50")
    whole = runs.makers(runs.presets(load(recipe)), "evaluate")
    assert [row for row in Config().ablation if whole[row + runs.COMMON] == row] == ["swav", "i2p", "shape"]


def test_presets_of_the_user_take_encoders_and_move_none() -> None:
    mine = {"mine": {"cluster": {"restarts": 3}}, "other": {"pretrain": {"train": {"epochs": 3}}}}
    before = runs.makers(runs.presets(load(None)), "pretrain")
    after = runs.makers(runs.presets(load(None, presets=mine)), "pretrain")
    assert after == before | {"mine": "shape", "other": "other"}
    values = load(None).model_dump(mode="json")
    first = runs.load(values | {"presets": mine | values["presets"]})  # as Snakemake puts them
    assert runs.makers(runs.presets(first), "pretrain") == after
    assert runs.makers(runs.presets(load(None, presets=mine)), "extract")["mine"] == "shape"
    assert runs.makers(runs.presets(load(None, presets=mine)), "cluster")["mine"] == "mine"


def test_what_sets_a_row_apart_is_told() -> None:
    found = rows(load(None))
    assert RowsConfig.model_validate_json(runs.settings(found)) == found  # as the script gets it, in order
    assert [row.name for row in found.rows] == list(Config().ablation)
    own = {row.name: row for row in found.rows}
    assert own["swav"].pretrain == own["swav"].pipeline == ()
    assert own["attention"].pretrain == ("attention: false → true",)
    assert own["shape"].pretrain == ("method.p2p_weight: 0.0 → 0.25",)
    assert own["attention"].pipeline == ("finetune.segmenter.features: output → stage4",)
    assert own["shape"].segmenter == Config().finetune.segmenter
    assert found.common.finetune.segmenter.head_lr == 1
    assert rows(load(None, ablation=[])).rows == ()


def test_differences() -> None:
    before = {"same": 1, "number": 1, "gone": 1, "inner": {"a": [1, 2], "b": None}, "name": "x"}
    after = {"same": 1, "number": 2.5, "inner": {"a": [1], "b": {"c": True}}, "name": "y", "new": False}
    assert differences(before, after) == [
        *("number: 1 → 2.5", "no gone", "inner.a: [1, 2] → [1]", 'inner.b: null → {"c": true}', "name: x → y"),
        "new: false",
    ]
    assert differences(after, after) == []
