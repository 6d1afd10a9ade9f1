"""Files of settings as people write them: each mistake is one sentence that names the file."""

import pytest

from luss_core import settings_file
from luss_core.cli import section
from luss_core.config import PretrainConfig
from luss_core.errors import UserError

TWICE = "pretrain:\n  train: {epochs: 3}\nclasses: 3\npretrain:\n  attention: false\n"
NESTED = (
    "run: [mine]\npresets:\n  mine:\n    pretrain:\n      decoder: null\n      attention: true\n      decoder: null\n"
)

MISTAKES = {
    "twice": (TWICE.encode(), "pretrain is given twice, in line 1 and in line 4"),
    "nested": (NESTED.encode(), "presets.mine.pretrain.decoder is given twice, in line 5 and in line 7"),
    "flow": (b"prepare: {masks: a, masks: b}\n", "prepare.masks is given twice, in line 1 and in line 1"),
    "in a list": (b"a:\n- b: 1\n  b: 2\n", "a.b is given twice, in line 2 and in line 3"),
    "json": (b'{\n\t"classes": 2,\n\t"classes": 3\n}', "classes is given twice"),
    "utf-16": ("classes: 3\n".encode("utf-16"), "is written in UTF-16, but settings must be in UTF-8"),
    "utf-16 without a mark": ("classes: 3\n".encode("utf-16-le"), "UTF-16"),
    "utf-32": ("classes: 3\n".encode("utf-32"), "UTF-32"),
    "latin-1": ("a: b\ndata_root: /Fotos/Köln\n".encode("latin-1"), "Windows-1252 (line 2: 'data_root: /Fotos/Köln')"),
    "tab": (b"pretrain:\n\ttrain: 3\n", "line 2 cannot be read as YAML: 'train: 3'; look there for a tab"),
    "bracket": (b"pretrain: {train: 3\nclasses: 3\n", "line 2 cannot be read as YAML"),
    "colon": (b"data_root: my: photographs\n", "line 1 cannot be read as YAML: 'data_root: my: photographs'"),
    "indent": (b"pretrain:\n  attention: false\n method: 3\n", "line 3 cannot be read as YAML: 'method: 3'"),
    "quotes": (b'classes: 3\ndata_root: "/a\n', "quotes that are not closed"),
    "control character": (
        b"run: [a]\nclasses: \x07\n",
        "line 2 cannot be read as YAML: 'classes: \\x07'; look there for a character",
    ),
    "alias of itself": (b"a: &a\n  again: *a\n", "an alias (*) that leads to itself"),
    "tag": (
        b"data_root: !important x\n",
        "line 1 cannot be read as YAML: 'data_root: !important x'; look there for a te",
    ),
    "star": (b"data_root: */x\n", "it has to stand in quotes"),
    "date": (b"dataset: 2023-13-45\n", "a value has the form of a date and is none"),
    "deep": (b"a: " + b"[" * 3000, "nested too deeply"),
    "empty": (b"# nothing\n", "is empty; write lines such as `classes: 12`"),
    "no mapping": (b"classes = 3\n", "holds no settings"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_sentence_with_the_name_of_the_file(tmp_path, case):
    content, said = MISTAKES[case]
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        settings_file.check(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert said in message
    assert "\n" not in message


def test_the_command_that_is_named_mends_the_encoding(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_bytes("data_root: /Fotos/Köln\n".encode("utf-16"))
    with pytest.raises(UserError, match="iconv -f UTF-16 -t UTF-8 mine.yaml > utf8-mine.yaml"):
        settings_file.check(file)


def test_a_file_that_is_missing_or_a_folder(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        settings_file.check(tmp_path / "mine.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        settings_file.check(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffclasses: 3\r\ndataset: köln # a\ttab\r\n",
        '{\n\t"classes": 3, "dataset": "köln"}',
        "base: &base {classes: 3}\n<<: *base\ndataset: köln\n",
    ],
    ids=["mark, CRLF and tab", "JSON with tabs", "merge"],
)
def test_what_is_right_stays_right(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content.encode())
    settings_file.check(file)
    assert settings_file.as_written(file)["dataset"] == "köln"


def test_the_scripts_read_files_the_same_way(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(TWICE)
    with pytest.raises(UserError, match="pretrain is given twice, in line 1 and in line 4"):
        section(PretrainConfig, "pretrain", str(file))
    file.write_text("pretrain: {decoder: null}\nclasses: 4\n")
    assert section(PretrainConfig, "pretrain", str(file)).decoder is None
