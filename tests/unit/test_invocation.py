"""What Snakemake was started with: one sentence for what it would end at with a traceback."""

import pytest

from luss_core import invocation
from luss_core.errors import UserError
from luss_core.start import with_folder


def test_files_and_settings_are_found_among_the_arguments():
    line = "--cores all controls --configfile a.yaml b.yaml --config classes=3 run=[x] --directory d -- ablation"
    assert invocation.settings_of(line.split()) == (["a.yaml", "b.yaml"], ["classes=3", "run=[x]"])
    assert invocation.settings_of(["-n", "--configfile=a.yaml", "-C", "classes=3"]) == (["a.yaml"], ["classes=3"])
    assert invocation.settings_of(["--configfile"]) == ([], [])


SAID = {
    "data_root=/data/my photos classes=3": [
        "'photos' sets nothing",
        "make run DATA='/data/my photos'",
        "--config 'data_root=/data/my photos'",
    ],
    "classes=3 controls": ["'controls' sets nothing", "... -- controls"],
    "controls": ["'controls' sets nothing; write KEY=VALUE"],
    "classes=3 run=[x] classes=4": ["--config: classes is given twice"],
    "classes=3 --config run=[a]": ["--config is given twice", "write --config classes=3 'run=[a]'"],
    "classes=3 --configfile a --configfile b": ["--configfile is given twice", "write --configfile a b"],
}


@pytest.mark.parametrize("words", SAID)
def test_a_word_that_sets_nothing_is_named_with_what_to_write(words):
    with pytest.raises(UserError) as caught:
        invocation.check(["--cores", "all", "--config", *words.split()], {})
    for part in SAID[words]:
        assert part in str(caught.value)


def test_words_after_configfile_that_are_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my settings.yaml").write_text("classes: 3\n")
    for words, said in (
        (["my", "settings.yaml"], "the name 'my settings.yaml' has a space: put it in quotes"),
        (["my settings.yaml", "classes=3"], "settings stand behind --config"),
        (["my settings.yaml", "controls"], "put it behind --, at the end: ... -- controls"),
        (["other.yaml"], "other.yaml: no such file"),
    ):
        with pytest.raises(UserError, match=said):
            invocation.check(["--configfile", *words], {})
    invocation.check(["--configfile", "my settings.yaml"], {})


@pytest.mark.parametrize("name", ["numpy.py", "torch/__init__.py", "statistics.py"])
def test_modules_of_others_are_named(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"PYTHONPATH names .* would be taken for the library .*make run"):
        invocation.no_strangers(f"/no/such/folder:{tmp_path}")


def test_a_folder_of_installed_packages_or_of_other_modules_is_none(tmp_path):
    (tmp_path / "mine.py").touch()
    invocation.no_strangers(str(tmp_path))
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").touch()
    (tmp_path / "numpy-2.0.dist-info").mkdir()
    invocation.no_strangers(str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--cores all", "--cores all --config data_root=/my photos"),
        ("-n --config classes=3 run=[x] --cores 2", "-n --config data_root=/my photos classes=3 run=[x] --cores 2"),
        ("-C classes=3 -- controls", "-C data_root=/my photos classes=3 -- controls"),
        ("-n -- controls", "-n --config data_root=/my photos -- controls"),
    ],
)
def test_the_folder_joins_the_settings_that_are_there(arguments, expected):
    assert " ".join(with_folder(arguments.split(), "/my photos")) == expected
    assert with_folder(arguments.split(), None) == arguments.split()


def test_a_folder_without_a_name_is_refused():
    with pytest.raises(UserError, match="DATA is empty"):
        with_folder([], "")
