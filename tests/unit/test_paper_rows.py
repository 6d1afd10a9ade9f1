"""The rows of `snakemake cacl`: one budget, one beginning, the method alone apart; presets that begin from others."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from luss_core import runs
from luss_core.bounds import needs_of
from luss_core.config import Config, PaperTablesConfig, Stages
from luss_core.config.cacl import MORE, TABLES
from luss_core.errors import UserError
from luss_core.paper_rows import CACL, judged
from luss_core.rows import paper_tables

ROOT = Path(__file__).parents[2]
ALL = ["1a", "1b", "1c", 2, 3, 4]
VIDEO: dict[str, Any] = {"prepare": {"video": {"sources": ["folders"]}}, "ablation": [], "cacl": {"tables": ALL}}


def load(**changes: Any) -> Config:
    return runs.load(runs.over_defaults(runs.merge(VIDEO, changes)))


def recipe() -> Config:
    return runs.load(runs.over_defaults(yaml.safe_load((ROOT / "recipes" / "cacl.yaml").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("config", [load(), recipe()], ids=["config", "recipe"])
def test_rows_differ_in_the_method_alone(config: Config) -> None:
    found = runs.presets(config)
    rows = {row: found[row + CACL] for rows in TABLES.values() for row in rows}
    assert len(rows) == 14
    for row, stages in rows.items():
        assert stages.pretrain.weights_of == "moco"
        for section in set(Stages.model_fields) - {"pretrain"}:
            assert getattr(stages, section) == getattr(found["cacl"], section), (row, section)
        for key in set(type(stages.pretrain).model_fields) - {"method"}:
            assert getattr(stages.pretrain, key) == getattr(rows["cacl"].pretrain, key), (row, key)
    # of two rows none is the other, so that none is a column of zeros
    assert len({runs.settings(stages.pretrain) for stages in rows.values()}) == 14
    assert (rows["cacl"].pretrain.method, rows["moco"].pretrain.method) == (
        found["cacl"].pretrain.method,
        found["moco"].pretrain.method,
    )
    assert (rows["moco"].pretrain.backbone, rows["moco"].pretrain.views.crops) == (
        found["moco"].pretrain.backbone,
        found["moco"].pretrain.views.crops,
    )


def test_the_rows_are_those_of_the_paper() -> None:
    found = {name: stages.pretrain.method for name, stages in runs.presets(load()).items()}
    two, three = ("global", "pixel"), ("global", "pixel", "cycle")
    expected = {
        "pixel": (("pixel",), 8, "position", True, True),
        "global": (("global",), 8, "matched", True, True),
        "global-cycle": (("global", "cycle"), 8, "matched", True, True),
        "two-heads": (two, 8, "matched", True, True),
        "cacl": (three, 8, "matched", True, True),
        "augmentation": (two, 0, "position", True, True),
        "position-2": (two, 2, "position", True, True),
        "position-4": (two, 4, "position", True, True),
        "position-8": (two, 8, "position", True, True),
        "matched-4": (two, 4, "matched", True, True),
        "cacl-4": (three, 4, "matched", True, True),
        "no-tricks": (three, 8, "matched", False, False),
        "shuffle": (three, 8, "matched", True, False),
    }
    names = ("heads", "stride", "positives", "pixel_shuffle", "soft_cycle")
    for row, values in expected.items():
        assert tuple(getattr(found[row + CACL], name) for name in names) == values, row
        assert found[row + CACL].cycle_negatives
    assert found["moco" + CACL].name == "moco"


def test_strides_in_milliseconds_keep_their_proportion() -> None:
    found = {name: stages.pretrain.method for name, stages in runs.presets(recipe()).items()}
    ms = {row: found[row + CACL].stride_ms for row in ("cacl", "cacl-4", "position-2", "position-8", "augmentation")}
    assert ms == {"cacl": 333, "cacl-4": 166.5, "position-2": 83.25, "position-8": 333, "augmentation": None}
    assert found["augmentation" + CACL].frame_stride == 0
    mine = {"methods": {"cacl": {"stride_ms": 100}}, "cacl": {"rows": {"mine": {"stride": 4, "stride_ms": 40}}}}
    config = load(**mine, prepare={"video": {"sources": ["folders"], "frame_rate": 30}})
    assert runs.presets(config)["mine" + CACL].pretrain.method.stride_ms == 40


def test_rows_of_ones_own_have_a_table_of_their_own() -> None:
    config = load(cacl={"tables": ["1c"], "rows": {"no-negatives": {"cycle_negatives": False}}})
    told = paper_tables(config)
    assert [(table.name, [row.row for row in table.rows]) for table in told.tables] == [
        ("1c", ["no-tricks", "shuffle", "cacl"]),
        (MORE, ["cacl", "no-negatives"]),
    ]
    assert told.tables[1].rows[1].changes == ("cycle_negatives: false",)
    assert not runs.presets(config)["no-negatives" + CACL].pretrain.method.cycle_negatives
    assert "pixel" + CACL not in runs.presets(config)  # no table asks for it


def test_what_sets_a_row_apart_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = {
        "decoder": None,
        "attention": False,
        "method": {"name": "swav"},
        "weights": "/a/b.pth",
        "train": {"epochs": 0},
    }
    mine = {"frozen": {"pretrain": ready, "finetune": {"segmenter": {"attend": False, "encoder": "trained"}}}}
    beside = ["random", "moco", "frozen"]
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    config = load(cacl={"encoders": beside, "pretrain": {"train": {"epochs": 7}}}, presets=mine, seeds=[0, 4])
    told = paper_tables(config)
    assert PaperTablesConfig.model_validate_json(runs.settings(told)) == told  # as the script gets it
    tables = {table.name: table for table in told.tables}
    assert list(tables) == [*TABLES]
    assert (tables["1a"].probes, tables["4"].probes) == (("linear",), ("1", "5", "10", "100"))
    assert [row.preset for row in tables["3"].rows] == [*beside, "moco+cacl", "cacl+cacl"]
    learned = {row.preset: row.learned for row in tables["3"].rows}
    assert learned == {
        "random": "not trained",
        "moco": "moco, 56 epochs",
        "frozen": "b.pth, as it is",
        "moco+cacl": "moco, 7 epochs, from moco",
        "cacl+cacl": "cacl, 7 epochs, from moco",
    }
    rows = {row.row: row.changes for table in told.tables for row in table.rows}
    assert rows["cacl"] == ()
    assert rows["cacl-4"] == ("stride: 4",)
    assert rows["augmentation"] == ("heads: global, pixel", "stride: 0", "positives: position")
    assert rows["moco"] == ()  # what it learned by says it
    assert (told.seeds, told.pretrain["train"]["epochs"]) == ((0, 4), 7)


def test_a_row_that_a_preset_has_already_is_trained_once() -> None:
    config = load(cacl={"begin": None, "pretrain": {"backbone_lr": 0.1}})
    encoders = runs.makers(runs.presets(config), "pretrain")
    assert (encoders["cacl" + CACL], encoders["pixel" + CACL]) == ("cacl", "pixel" + CACL)
    assert runs.makers(runs.presets(load()), "pretrain")["cacl" + CACL] == "cacl" + CACL


def test_where_no_table_is_asked_for_nothing_is_looked_at() -> None:
    config = runs.load(runs.over_defaults({"pretrain": {"weights": "a.pth"}, "run": ["random"], "ablation": []}))
    assert judged(config) == []
    assert not [name for name in runs.presets(config) if name.endswith(CACL)]
    assert paper_tables(config) == PaperTablesConfig()


def test_rows_ask_for_videos_long_enough_before_anything_is_trained() -> None:
    config = load()
    needs = {need.key: need.least for need in needs_of(config, runs.presets(config))}
    assert (needs["the stride of cacl+cacl"], needs["the stride of cacl-4+cacl"]) == (9, 5)
    assert "the stride of augmentation+cacl" not in needs
    with pytest.raises(UserError, match=r"preset pixel\+cacl learns from frames of one video, 8 apart"):
        load(prepare={"video": {"sources": []}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cacl": {"tables": ["1d"]}}, "cacl.tables.0: Input should be '1a', '1b'"),
        ({"cacl": {"tables": ["1a", "1a"]}}, "cacl: tables .* names something twice"),
        ({"cacl": {"begin": "mocco"}}, "cacl.begin: unknown preset 'mocco'; did you mean moco?"),
        ({"cacl": {"encoders": ["randm"]}}, "cacl.encoders: unknown preset 'randm'; did you mean random?"),
        ({"cacl": {"pretrain": {"trian": {}}}}, r"pretrain.trian: unknown key; did you mean train(.|\n)*cacl.pretrain"),
        ({"cacl": {"rows": {"pixel": {"positives": "matched"}}}}, r"matched asks the global head(.|\n)*row pixel"),
        ({"presets": {"a+cacl": {}}}, r"presets.a\+cacl: names in \+cacl are those of `snakemake cacl`; rename it"),
        ({"presets": {"a": {"pretrain": {"weights_of": "b"}}}}, "weights_of of a: unknown preset 'b'; known: "),
        (
            {"presets": {name: {"pretrain": {"weights_of": other}} for name, other in (("a", "b"), ("b", "a"))}},
            "weights_of of a: a begins from b begins from a; set weights_of: null in the preset that is to come first",
        ),
        ({"pretrain": {"weights_of": "moco"}}, "moco begins from moco; set weights_of: null"),
        (
            {"presets": {"a": {"pretrain": {"weights_of": "moco", "backbone": {"width": 8}}}}},
            "weights_of of a: moco has backbone {width: 16}, a has {width: 8}; make them the same: only strides",
        ),
        (
            {"presets": {"a": {"pretrain": {"weights_of": "moco", "weights": "x.pth"}}}},
            "weights x.pth and weights_of moco: training begins from one of them; set the other to null",
        ),
    ],
)
def test_a_mistake_names_the_key_and_the_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(**changes)


def test_strides_and_frozen_stages_of_what_begins_from_another() -> None:
    own = {"strides": [1, 2, 1, 1], "dilations": [1, 1, 2, 4]}
    config = load(presets={"a": {"pretrain": {"weights_of": "moco", "frozen_stages": 1, "backbone": own}}})
    assert runs.resolve(config, "a").pretrain.begun
