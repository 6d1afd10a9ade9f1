"""What the pages say can be found: files that they link to, a row for every method, targets of make."""

import re
from pathlib import Path

import pytest
import yaml

from luss_core import __main__, __version__, runs
from luss_core.config import METHODS, RUN_STAGES, Config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_name_files_that_are_there(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:benchmarks|recipes|profiles|tests|workflow_scripts)/[\w./-]+\.(?:py|yaml|json)", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_methods_that_pages_show_are_in_the_registry():
    text = (ROOT / "docs/methods.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`.*`(luss_core/methods/\w+\.py)`", text, re.M)
    assert {name for name, _ in rows} == set(METHODS)
    for name, file in rows:
        assert METHODS[name].implementation.partition(":")[0] == file.removesuffix(".py").replace("/", ".")


def test_tables_of_all_methods_have_every_row_of_the_benchmark():
    """Those of the README and of what was measured, whose numbers are of one run of it."""
    for page, heading in (("README.md", "## Methods"), ("docs/measured.md", "## All methods")):
        table = (ROOT / page).read_text(encoding="utf-8").partition(heading)[2].partition("\n## ")[0]
        shown = set(re.findall(r"\| `?([a-z]\w*)`?[^|]*\| [\d.]+ ± [\d.]+ \|", table))
        assert shown == set(Config().benchmark.methods), page


COMMAND = re.compile(r"(?:^ {4}|`)(?:\S*/)?(?:luss|python -m luss_core)(?: +(?P<words>[^`\n]*))?(?:$|`)", re.M)
"""luss or what it is the same as, at the start of an example or between backquotes."""
SHOWN = sorted(
    {
        tuple(found["words"].partition("  #")[0].split())
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for found in COMMAND.finditer(page.read_text(encoding="utf-8"))
        if found["words"]
    }
)
"""Each command that pages show, with all its words."""


@pytest.mark.parametrize("name", sorted({words[0] for words in SHOWN} - {"COMMAND", "--help", "#", "run"}))
def test_commands_and_options_that_pages_show_are_there(name, capsys):
    assert name in __main__.COMMANDS
    with pytest.raises(SystemExit) as end:
        __main__.main([name, "--help"])
    assert end.value.code == 0
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", capsys.readouterr().out))
    shown = {word.partition("=")[0] for words in SHOWN if words[0] == name for word in words if word[0] == "-"}
    assert shown <= options


EXAMPLES = [
    (page, text) for page in PAGES for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
]


@pytest.mark.parametrize(("page", "text"), EXAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_settings_that_pages_show_are_valid(page, text):
    config = runs.load(runs.over_defaults(yaml.safe_load(text)))
    assert set(runs.presets(config)) >= set(config.run), page


TROUBLE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ADVICE = sorted(set(re.findall(r"`(\w+: \{[^`…]*\})`", TROUBLE)))


@pytest.mark.parametrize("text", ADVICE)
def test_settings_that_help_can_be_put_into_those_that_luss_photos_writes(text):
    settings = yaml.safe_load((ROOT / "recipes" / "photographs-cnn.yaml").read_text("utf-8"))
    ((section, values),) = yaml.safe_load(text).items()
    place = settings["presets"]["frozen"] if section in RUN_STAGES else settings
    place[section] = over(place.get(section) or {}, values)
    runs.load(runs.over_defaults(settings))


def over(below: dict, above: dict) -> dict:
    return below | {k: over(below.get(k) or {}, v) if isinstance(v, dict) else v for k, v in above.items()}


def test_departures_are_rows_of_one_table_with_settings_that_there_are():
    text = (ROOT / "docs" / "research.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| .*", text.partition("## All departures")[2].partition("## Results")[0], re.M)
    assert len(rows) > 60
    assert {row.count("|") for row in rows} == {6}
    known = "".join(file.read_text(encoding="utf-8") for file in ROOT.glob("luss_core/config/**/*.py"))
    settings = {key for row in rows[1:] for key in re.findall("`([^`]+)`", row.split("|")[4])} - {
        "luss evaluate --unknown"
    }
    names = {re.split(r"[.]", key.partition(":")[0])[-1] for key in settings}
    assert {name for name in names if not re.search(rf"\b{name}\b *:", known)} == set()


def test_pictures_are_small_and_shown():
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert sum(file.stat().st_size for file in pictures) < 300_000
    shown = re.findall(r"\]\(pictures/([\w.]+)\)", "".join(page.read_text(encoding="utf-8") for page in PAGES))
    assert {file.name for file in pictures} == set(shown)


def test_the_readme_is_one_screen_with_three_commands():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
    assert [
        line.partition("#")[0].strip() for line in lines if line.startswith("    make ") and "ARGS" not in line
    ] == [
        "make run",
        "make test",
        'make photos DATA="/path/to/my photographs"',
    ]


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert {reference["url"].rpartition("/")[2] for reference in citation["references"]} == {"2106.03149", "2006.09882"}
