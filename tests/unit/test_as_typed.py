"""Settings that are text but look like something else: what was typed counts."""

import pytest
import yaml
from snakemake.cli import parse_config
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from luss_core import runs
from luss_core.as_typed import as_typed


def read(tmp_path, text="{}", *entries):
    """Settings as Snakemake reads a file and --config, and then as they were typed."""
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    config = load_configfile(file)
    update_config(config, parse_config(entries))
    return as_typed(config, [file], entries)


TEXTS = ["2023_02", "2024", "1e5", "007", "yes", "no", "on", "True", "2023-02-01", "12:30", "1.10", "0x1f", ".5"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_number_is_text_where_text_is_meant(tmp_path, text):
    assert read(tmp_path, "{}", f"dataset={text}", f"data_root={text}")["dataset"] == text
    assert read(tmp_path, f"dataset: {text}\ndata_root: {text}\n")["data_root"] == text
    assert read(tmp_path, "{}", f"dataset='{text}'")["dataset"] == text
    assert runs.load({"dataset": "a1"} | read(tmp_path, "{}", f"data_root={text}")).data_root == text


@pytest.mark.parametrize(
    "path", ["/a/my #1", "/a: b", "/a/{b}", "/a/[x] y", "/a, b", '/a "x" y', "~/*", "/a = b", "&a b"]
)
def test_a_path_is_as_it_was_typed(tmp_path, path):
    assert read(tmp_path, "{}", f"data_root={path}")["data_root"] == path


def test_numbers_stay_numbers(tmp_path):
    found = read(tmp_path, "gpus: 2\nseeds: [0, 1]\nnames: null\n", "classes=12", "dataset=2023_02", "run=[swav]")
    config = runs.load(found)
    assert (config.classes, config.gpus, config.seeds, config.names) == (12, 2, (0, 1), None)
    assert (config.dataset, config.run) == ("2023_02", ("swav",))


def test_deeper_settings_and_their_names_are_as_typed(tmp_path):
    text = "run: [2023_02]\nprepare: {masks: 2024}\npresets:\n  '[a]': {}\n  2023_02: {pretrain: {weights: 2025_01}}\n"
    found = read(tmp_path, text)
    assert found["run"] == ["2023_02"]
    assert found["prepare"] == {"masks": "2024"}
    assert found["presets"] == {"[a]": {}, "2023_02": {"pretrain": {"weights": "2025_01"}}}


def test_a_later_file_counts(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("dataset: 2023_02\nprepare: {masks: 1_0}\n")
    second.write_text("dataset: 2023_03\n")
    config = yaml.safe_load(first.read_text()) | yaml.safe_load(second.read_text())
    found = as_typed(config, [first, second], [])
    assert (found["dataset"], found["prepare"]["masks"]) == ("2023_03", "1_0")
