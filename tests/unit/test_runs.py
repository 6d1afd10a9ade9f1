"""luss_core.runs: settings of a run, and what a mistake in them says."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from stores import write_store

from luss_core import runs
from luss_core.config import Config, SwAVConfig
from luss_core.errors import UserError

ROOT = Path(__file__).parents[2]


def test_presets_change_only_what_they_name():
    config = runs.load({"presets": {"mine": {"pretrain": {"train": {"epochs": 3}}, "cluster": {"restarts": 1}}}} | RUN)
    stages = runs.resolve(config, "mine")
    assert (stages.pretrain.train.epochs, stages.cluster.restarts) == (3, 1)
    assert stages.pretrain.train == config.pretrain.train.model_copy(update={"epochs": 3})
    assert stages.cluster.model_copy(update={"restarts": 30}) == config.cluster
    assert (stages.pretrain.views, stages.infer) == (config.pretrain.views, config.infer)


RUN = {"run": ["mine"], "controls": [], "ablation": [], "benchmark": {"methods": ["mine"], "own_pipeline": []}}


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"datset": "x"}, ["datset", "did you mean dataset?"]),
        ({"pretrain": {"train": {"epocs": 3}}}, ["pretrain.train.epocs", "did you mean epochs?", "batch_size"]),
        ({"pretrain": {"train": {"lr": -1}}}, ["pretrain.train.lr", "greater than 0", "-1"]),
        ({"classes": "many"}, ["classes", "many"]),
        ({"run": ["swaw"]}, ["run", "'swaw'", "did you mean swav?", "colour"]),
        ({"controls": ["swaw"]}, ["controls", "'swaw'", "did you mean swav?"]),
        ({"seeds": []}, ["seeds"]),
        ({"seeds": [1, 1]}, ["seeds", "twice"]),
        ({"presets": {"a": {"cluster": {"restart": 2}}}}, ["presets.a.cluster.restart", "did you mean restarts?"]),
        ({"presets": {"a": {"clutser": {}}}}, ["presets.a.clutser", "did you mean cluster?"]),
        ({"presets": {"a": {"prepare": {"short_side": 9}}}}, ["presets.a.prepare", "data set"]),
        ({"methods": {"swov": {}}}, ["methods.swov", "unknown method", "did you mean swav?"]),
        ({"methods": {"swav": {"grid": 7}}}, ["methods.swav.grid", "unknown key"]),
        ({"presets": {"a": {"cluster": 3}}}, ["presets.a.cluster", "3"]),
        ({"pretrain": {"method": {"queue": 100}}}, ["method.queue 100", "train.batch_size 64"]),
        ({"presets": {"a": {"pretrain": {"method": {"queue": 100}}}}}, ["presets.a.pretrain", "method.queue 100"]),
        ({"pretrain": {"method": {"name": "swov"}}}, ["pretrain.method", "unknown method 'swov'", "shape"]),
        ({"pretrain": {"method": {"name": "MoCoV2"}}}, ["unknown method 'MoCoV2'; did you mean moco? known: moco, "]),
        ({"pretrain": {"backbone": {"family": "tim"}}}, ["pretrain.backbone: unknown family 'tim'", "timm, resnet"]),
        (
            {"pretrain": {"backbone": {"family": "timm", "nme": "x"}}},
            ["pretrain.backbone.nme", "did you mean name?", "output_stride"],
        ),
        ({"pretrain": {"backbone": {"widht": 8}}}, ["pretrain.backbone.widht", "did you mean width?", "dilations"]),
        ({"pretrain": {"backbone": {"family": "timm", "output_stride": 4}}}, ["pretrain.backbone.output_stride", "4"]),
        ({"pretrain": {"weights": "timm"}}, ["weights: timm", "found backbone.family resnet", "family: timm, name"]),
        (
            {"pretrain": {"weights": "torchvision"}},
            ["width: 64, stem: imagenet}, found width 16 and stem small", "set these"],
        ),
        (
            {"pretrain": {"weights": "torchvision", "backbone": {"family": "timm"}}},
            ["weights: torchvision", "found family timm"],
        ),
        ({"pretrain": {"frozen_stages": 2}}, ["frozen_stages 2 without weights", "set frozen_stages: 0"]),
        ({"pretrain": {"attention": False}}, ["method.attention_target", "attention: true"]),
        (
            {"pretrain": {"attention": False, "method": {"attention_target": "none"}}},
            ["finetune.segmenter.attend", "pretrain.attention is false", "encoder: trained"],
        ),
        *(
            ({"infer": {"threshold": wrong}}, [f"infer.threshold: found {wrong!r}; allowed: otsu, or 0 to 0.8"])
            for wrong in (0.9, -1, "otsy", None)
        ),
        ({"ablation": ["swaw"]}, ["ablation", "did you mean swav?"]),
        ({"ablation_pipeline": {"pretrain": {}}}, ["ablation_pipeline.pretrain", "from their presets", "extract"]),
        ({"ablation_pipeline": {"infre": {}}}, ["ablation_pipeline.infre", "did you mean infer?"]),
        ({"ablation_pipeline": {"infer": {"siz": 9}}}, ["ablation_pipeline.infer.siz", "did you mean size?", "swav"]),
        (
            {"ablation_pipeline": {"finetune": {"segmenter": {"attend": True}}}},
            ["ablation_pipeline", "attend is true, but pretrain.attention is false", "(ablation: swav)"],
        ),
        ({"presets": {"a+common": {}}}, ["presets.a+common", "+common", "rename it"]),
        ({"gpus": 3, "ablation": ["i2p"], "run": ["i2p"]}, ["pretrain.train.batch_size = 64 of i2p"]),
        ({"synthesize": {"min_side": 99}}, ["synthesize", "min_side 99", "max_side 96"]),
        ({"pretrain": {"views": {"crops": [{"count": 1, "size": 9, "scale": [0.1, 1]}]}}}, ["pretrain", "count >= 2"]),
        (
            {"pretrain": {"views": {"crops": [{"count": 2, "size": 9, "scal": [1, 1]}]}}},
            ["pretrain.views.crops.0.scal", "did you mean scale?"],
        ),
    ],
)
def test_mistakes_name_the_key_and_the_remedy(values, parts):
    # presets given here are laid over the built-in ones, as Snakemake lays them over config.yaml
    values = runs.over_defaults(values)
    with pytest.raises(UserError) as error:
        runs.load(values)
    for part in parts:
        assert part in str(error.value)


def test_nothing_of_a_method_stays_where_another_is_named():
    base = {"method": {"name": "shape", "prototypes": 80, "grid": 3}, "train": {"epochs": 3}}
    assert runs.merge(base, {"method": {"name": "swav", "dim": 2}}) == {
        "method": {"name": "swav", "dim": 2},
        "train": {"epochs": 3},
    }
    assert runs.merge(base, {"method": {"dim": 2}})["method"] == base["method"] | {"dim": 2}


def test_nothing_of_a_family_stays_where_another_is_named():
    base = {"backbone": {"family": "resnet", "arch": "resnet18", "width": 64}}
    timm = {"family": "timm", "name": "resnet18", "output_stride": 8}
    assert runs.merge(base, {"backbone": timm})["backbone"] == timm
    assert runs.merge({"backbone": timm}, base) == base
    assert runs.merge({"backbone": timm}, {"backbone": {"name": "resnet50"}})["backbone"] == timm | {"name": "resnet50"}
    values = {"pretrain": {"backbone": timm, "decoder": None}, "presets": {"mine": {"pretrain": base}}}
    config = runs.load(runs.over_defaults(values))
    assert runs.resolve(config, "mine").pretrain.backbone.model_dump(exclude_defaults=True) == {"width": 64}
    assert runs.resolve(config, "shape").pretrain.backbone.model_dump() == timm


def test_presets_may_begin_from_different_weights(tmp_path):
    (tmp_path / "a.pth").touch()
    presets = {
        "a": {"pretrain": {"weights": str(tmp_path / "a.pth")}},
        "b": {"pretrain": {"weights": str(tmp_path / "b.pth")}},
        "plain": {},
    }
    found = runs.weight_files(runs.load(runs.over_defaults({"presets": presets, "run": ["a", "plain"]})))
    assert found == {"a": tmp_path / "a.pth", "b": tmp_path / "b.pth"}
    config = runs.load(runs.over_defaults({"presets": presets, "run": ["b"]}))
    with pytest.raises(UserError, match=r"pretrain\.weights of b: .*b\.pth is not a file .*timm or torchvision"):
        runs.weight_files(config)
    shared = {"pretrain": {"weights": str(tmp_path / "a.pth"), "frozen_stages": 1}}
    config = runs.load(runs.over_defaults(shared))
    assert runs.resolve(config, "shape").pretrain.weights
    assert runs.resolve(config, "random").pretrain.weights is None  # the control stays one


@pytest.mark.parametrize("section", ["x", None, 3, {"method": "byol"}, {"method": 3}, {"method": {"name": ["byol"]}}])
def test_a_preset_whose_section_is_no_section(section):
    with pytest.raises(UserError, match=r"\n  presets\.odd\.pretrain(\.method)?: "):
        runs.load({"presets": {"odd": {"pretrain": section}}})


def test_settings_of_a_method_hold_in_every_preset_that_has_it():
    methods = {"swav": {"prototypes": 50, "dim": 16}, "shape": {"prototypes": 70}}
    own = {"pretrain": {"method": {"name": "swav", "dim": 32}}}
    config = runs.load({"methods": methods, "presets": Config().presets | {"mine": own}})
    found = {preset: runs.resolve(config, preset).pretrain.method for preset in ("swav", "deeplab", "i2p", "mine")}
    assert [found[preset].prototypes for preset in found] == [50, 50, 70, 50]
    assert [found[preset].dim for preset in found] == [16, 16, 64, 32]


def test_a_user_names_another_method_over_config_yaml():
    base = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    method = base["pretrain"]["method"] | {"name": "swav", "prototypes": 30}
    found = runs.load(base | {"pretrain": base["pretrain"] | {"method": method}})
    assert (found.pretrain.method.name, found.pretrain.method.prototypes) == ("swav", 30)
    with pytest.raises(UserError, match=r"pretrain.method.grid: unknown key"):  # also where it has shape's default
        runs.load(base | {"pretrain": base["pretrain"] | {"method": method | {"grid": 7}}})


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_rows_of_a_recipe_have_the_same_codes(recipe):
    """What SwAV and the method built on it have in common is not left at its default for one of them."""
    values = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    config = runs.load(runs.over_defaults(values))
    codes = [
        runs.resolve(config, row).pretrain.method.model_dump(include=set(SwAVConfig.model_fields), exclude={"name"})
        for row in config.ablation
    ]
    assert codes == [codes[0]] * len(codes)


LEAF = st.integers() | st.lists(st.integers(), max_size=2)
TREE = st.dictionaries(
    st.sampled_from("abc"), LEAF | st.dictionaries(st.sampled_from("abc"), LEAF, max_size=3), max_size=3
)


@given(TREE, TREE)
def test_merging_keeps_every_change_and_every_key(base, changes):
    merged = runs.merge(base, changes)
    assert merged.keys() == base.keys() | changes.keys()
    assert runs.merge(merged, changes) == merged
    assert runs.merge(base, {}) == base
    for key in base.keys() - changes.keys():
        assert merged[key] == base[key]


def test_settings_are_the_same_text_for_the_same_settings():
    left_out, written = Config(), Config.model_validate(json.loads(Config().model_dump_json()))
    backwards = Config.model_validate(dict(reversed(Config().model_dump().items())))
    lr = f"{Config().pretrain.train.lr:e}"
    whole = Config.model_validate({"prepare": {"max_megapixels": 64}, "pretrain": {"train": {"lr": lr}}})
    for config in (written, backwards, whole):
        assert runs.settings(config.pretrain) == runs.settings(left_out.pretrain)
        assert runs.settings(config.prepare) == runs.settings(left_out.prepare)
    assert list(json.loads(runs.settings(left_out.prepare))) == sorted(left_out.prepare.model_dump())


def test_the_folder_of_images_must_exist_and_hold_something(tmp_path):
    assert runs.photographs(Config()) is None
    with pytest.raises(UserError, match="data_root: .*nowhere is not a folder"):
        runs.photographs(Config(data_root=str(tmp_path / "nowhere")))
    with pytest.raises(UserError, match="is empty"):
        runs.photographs(Config(data_root=str(tmp_path)))
    (tmp_path / "a.jpg").touch()
    assert runs.photographs(Config(data_root=str(tmp_path))) == tmp_path


def test_contents_are_those_of_the_files_in_their_order(tmp_path):
    for name, pixel in (("one", 1), ("same", 1), ("other", 2)):
        write_store(tmp_path / f"{name}.h5", [np.full((1, 1, 3), pixel, np.uint8)], {"made": name})
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "b.csv").write_text("b")

    def of(*names: str) -> str:
        return runs.contents(tmp_path / name for name in names)

    assert of("a.csv", "one.h5") == of("a.csv", "same.h5")
    assert of("a.csv", "one.h5") != of("a.csv", "other.h5")
    assert of("a.csv", "one.h5") != of("b.csv", "one.h5")
    assert of("a.csv", "b.csv") != of("b.csv", "a.csv")
    for none in ("none.h5", "none.csv", "none.safetensors"):
        with pytest.raises(FileNotFoundError) as missing:
            of(none)
        assert Path(missing.value.filename).name == none  # by which Snakemake knows that it will be made


def test_weights_are_told_apart_by_tensors_and_network_but_not_by_the_commit(tmp_path):
    def of(value: float = 0, encoder: str = "small", commit: str = "a") -> str:
        about = {"luss": json.dumps({"encoder": encoder, "provenance": {"commit": commit}})}
        save_file({"w": np.full((2, 3), value, np.float32)}, tmp_path / "a.safetensors", about)
        return runs.contents([tmp_path / "a.safetensors"])

    assert of() == of(commit="b")
    assert len({of(), of(value=1), of(encoder="large")}) == 3
    whole = of()
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:20])
    assert runs.contents([tmp_path / "a.safetensors"]) != whole


def test_the_folder_of_the_cache_is_a_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    assert runs.cache_folder({}) == ""
    assert runs.cache_folder({"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path)}) == str(tmp_path)
    for wrong in (tmp_path.name, str(tmp_path / "none")):
        with pytest.raises(UserError, match="SNAKEMAKE_OUTPUT_CACHE"):
            runs.cache_folder({"SNAKEMAKE_OUTPUT_CACHE": wrong})


def test_masks_with_more_categories_than_are_looked_for_stop_before_any_work(tmp_path):
    summary = tmp_path / "summary.json"
    runs.check_classes(Config(classes=7), summary)
    summary.write_text('{"largest_mask_id": 8}')
    runs.check_classes(Config(classes=8), summary)
    with pytest.raises(
        UserError, match=r"classes = 7, but .*summary.json says .* ids up to 8; set classes to 8 or more"
    ):
        runs.check_classes(Config(classes=7), summary)
