"""The rows of `snakemake wsss`: what they share, what they change, and what is refused before any work."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from luss_core import runs
from luss_core.bounds import LABELS, Counts, Need, needs_of, stop_if_not_enough
from luss_core.config import Config
from luss_core.config.wsss import WSSSConfig, before
from luss_core.errors import UserError
from luss_core.rows import wsss_table
from luss_core.wsss_rows import check_asked, name_of

ROOT = Path(__file__).parents[2]
METHODS = ("cam", "seam", "sc-cam", "cam+advcam", "seam+advcam")
VIEWS = {"finetune": {"views": {"crops": [{"count": 1, "size": 96, "scale": [0.25, 1]}]}}}
"""Large enough for the smaller view of SEAM."""


def load(asked: dict[str, Any], **changes: Any) -> Config:
    return runs.load(runs.over_defaults(runs.merge(VIEWS | {"wsss": {"encoders": ["swav"]} | asked}, changes)))


def recipe() -> Config:
    return runs.load(runs.over_defaults(yaml.safe_load((ROOT / "recipes" / "wsss.yaml").read_text(encoding="utf-8"))))


@pytest.mark.parametrize("config", [load({}), recipe()], ids=["config", "recipe"])
def test_rows_of_an_encoder_differ_in_finetune_and_infer_alone(config: Config) -> None:
    found = runs.presets(config)
    for encoder in config.wsss.encoders:
        for labels in ("folders", "clusters"):
            rows = [found[name_of(encoder, labels, method)] for method in METHODS]
            assert all(row.pretrain == found[encoder].pretrain for row in rows)
            assert {row.cluster.assign for row in rows} == {"folders" if labels == "folders" else "kmeans"}
            assert [row.finetune.method.name for row in rows] == ["cam", "seam", "sc-cam", "cam", "seam"]
            assert [row.infer.advcam is None for row in rows] == [True, True, True, False, False]
            assert not any(row.finetune.segmenter.attend for row in rows)
            assert {row.finetune.method.present for row in rows} == {"one"}


def test_what_rows_share_is_made_once() -> None:
    rows = wsss_table(load({"encoders": ["swav", "random"]})).rows
    assert len(rows) == 2 * 2 * 5
    makers = {stage: {row.stages[stage] for row in rows} for stage in rows[0].stages}
    assert makers["pretrain"] == makers["extract"] == {"swav", "random"}
    assert {stage: len(names) for stage, names in makers.items()} == {
        "pretrain": 2,
        "extract": 2,
        "cluster": 4,
        "finetune": 12,
        "infer": 20,
        "evaluate": 20,
    }
    by_name = {row.name: row for row in rows}
    climbing = by_name["swav+folders+seam+advcam+wsss"]
    assert climbing.stages["finetune"] == "swav+folders+seam+wsss"
    assert climbing.learned == "swav, 56 epochs"


def test_a_row_that_is_a_preset_already_is_that() -> None:
    """With the settings of a preset in every row, its scores stand in the table, and its own segmenter beside them."""
    segmenter = {"attend": False, "encoder": "trained", "head_lr": 1.0}
    mine = {"mine": {"pretrain": {"decoder": None, "attention": False, "method": {"name": "swav"}}}}
    mine["mine"]["finetune"] = {"segmenter": segmenter, "method": dict(WSSSConfig().pipeline["finetune"]["method"])}
    rows = wsss_table(load({"encoders": ["mine"], "methods": ["cam", "cam+advcam"]}, presets=mine)).rows
    clusters = [row for row in rows if row.labels == "clusters"]
    assert [row.stages["evaluate"] for row in clusters] == ["mine", "mine+clusters+cam+advcam+wsss"]
    assert [row.stages["finetune"] for row in clusters] == ["mine", "mine"]


def test_rows_of_ones_own_are_compared_with_what_they_are_named_after() -> None:
    config = load({"methods": ["cam", "slow"], "rows": {"slow": {"finetune": {"train": {"epochs": 3}}}}})
    assert runs.presets(config)["swav+folders+slow+wsss"].finetune.train.epochs == 3
    methods = ("cam", "slow", "seam+advcam", "seam", "sc-cam+advcam")
    assert [before(method, methods) for method in methods] == [None, "cam", "seam", "cam", None]


def test_no_encoder_is_no_row_and_says_so_where_the_table_is_asked_for(tmp_path: Path) -> None:
    config = runs.load(runs.over_defaults({}))
    assert wsss_table(config).rows == ()
    assert LABELS not in {need.kind for need in needs_of(config, runs.presets(config))}
    with pytest.raises(UserError, match=r"wsss.encoders is \[\], so there is nothing to compare: name presets"):
        check_asked(config, tmp_path / "images.csv")


@pytest.mark.parametrize(
    ("asked", "changes", "said"),
    [
        ({"encoders": ["swaw"]}, {}, "wsss.encoders: unknown preset 'swaw'; did you mean swav"),
        ({"methods": ["cams"]}, {}, "methods has 'cams', which rows lacks; allowed: cam, seam, sc-cam"),
        ({"methods": []}, {}, "allowed: a list of one or more"),
        ({"labels": ["folders", "folders"]}, {}, "names something twice"),
        ({"rows": {"cam": {"extract": {"size": 9}}}}, {}, "rows.cam changes extract; allowed: finetune and infer"),
        ({"rows": {"cam": {"infer": {"sise": 9}}}}, {}, r"infer.sise: unknown key.* \(row cam of `snakemake wsss`"),
        ({}, {"classes": 1, "run": ["shape"]}, "with classes = 1 there are no categories to tell apart"),
        ({}, {"presets": {"mine+wsss": {}}}, r"names in \+wsss are those of `snakemake wsss`"),
    ],
)
def test_mistakes_are_said_before_any_work(asked: dict[str, Any], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        load(asked, **changes)


def test_folders_that_are_no_labels_are_refused_before_training(tmp_path: Path) -> None:
    config = load({})
    needs = needs_of(config, runs.presets(config))
    assert Need(LABELS, 8, "wsss.labels") in needs
    assert LABELS not in {need.kind for need in needs_of(load({"labels": ["clusters"]}), runs.presets(config))}
    said = (
        r"wsss.labels has folders: the training images lie in {}, .*classes = 8; sort them.* wsss.labels: \[clusters\]"
    )
    stop_if_not_enough(needs, Counts(900, 8))
    for folders in (1, 9):  # one: no image has a label
        with pytest.raises(UserError, match=said.format(folders)):
            stop_if_not_enough(needs, Counts(900, folders))
    images = tmp_path / "images.csv"
    images.write_text("id,path,split,folder\n" + "".join(f"{k},p,train,f{k % 8}\n" for k in range(20)) + "v,p,test,x\n")
    check_asked(config, images)
    images.write_text("id,path,split,folder\na,p,train,only\n")
    with pytest.raises(UserError, match=said.format("1 folder")):
        check_asked(config, images)
