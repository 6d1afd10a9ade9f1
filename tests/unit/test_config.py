"""config.yaml says what luss_core.config says, and every key is explained once."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from luss_core import defaults
from luss_core.config import FAMILIES, METHODS, RUN_STAGES, STAGES, Config, Stages
from luss_core.config.cams import CAMS

ROOT = Path(__file__).parents[2]


def test_config_yaml_is_rendered_from_the_defaults():
    assert (ROOT / "config.yaml").read_text(encoding="utf-8") == defaults.render(), "run `make config`"


def test_config_yaml_reads_as_the_defaults():
    values = yaml.safe_load(defaults.render())
    assert Config.model_validate(values) == Config()
    expected = Config().model_dump(mode="json")
    expected["pretrain"]["method"] = {"name": "shape"}  # its settings are comments
    expected["pretrain"]["backbone"] = {"family": "resnet"}
    expected["finetune"]["method"] = {"name": "cam"}
    assert values == expected  # floats are floats, not texts such as 1e-6


@pytest.mark.parametrize("name", METHODS)
def test_the_comments_on_a_method_are_its_defaults(name):
    lines = defaults.method_settings(name)
    values = {"name": name, **(yaml.safe_load("\n".join(lines)) or {})}
    assert values == METHODS[name].config.model_validate({"name": name}).model_dump(mode="json")
    keys = [f"    # {line}" for line in lines if not line.startswith("#")]
    assert set(keys) <= set(defaults.render().splitlines())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_comments_on_a_family_are_its_defaults(family):
    page = defaults.render()
    lines = page.partition(f"    # Settings of {family} and")[2].partition("\n\n")[0].partition("\n  # DeepLab")[0]
    found = yaml.safe_load(
        "\n".join(line[6:] for line in lines.splitlines() if line.startswith("    # ") and ":" in line)
    )
    assert {"family": family, **found} == FAMILIES[family].model_validate({}).model_dump(mode="json")


@pytest.mark.parametrize("name", CAMS)
def test_the_comments_on_a_method_of_finetune_are_its_defaults(name):
    lines = defaults.render().partition(f"    # Settings of {name} and")[2].partition("\n\n")[0].splitlines()
    own = (line.partition("# ")[2] for line in lines)
    found = yaml.safe_load("\n".join(line for line in own if line.partition(":")[0] in CAMS[name].model_fields))
    assert {"name": name, **found} == CAMS[name].model_validate({}).model_dump(mode="json")


def test_config_yaml_fits_the_page():
    assert max(map(len, defaults.render().splitlines())) <= defaults.WIDTH


def test_a_list_that_is_longer_than_a_line_is_several():
    names = tuple(f"method{k}" for k in range(20))
    lines = defaults._entry("methods", names, 60)
    assert len(lines) > 3
    assert max(map(len, lines)) <= 60
    assert yaml.safe_load("\n".join(lines)) == {"methods": list(names)}


def test_every_stage_has_one_section():
    assert tuple(Stages.model_fields) == STAGES
    assert set(RUN_STAGES) < set(STAGES)


WORDS = st.sampled_from(["yes", "on", "null", "Off", "1e-6", "n"]) | st.text(st.characters(max_codepoint=0x7E))


@given(st.floats(allow_nan=False, allow_infinity=False) | WORDS | st.booleans() | st.none() | st.integers())
def test_values_survive_the_yaml(value):
    assert yaml.safe_load(f"key: {defaults._flow(value)}") == {"key": value}
