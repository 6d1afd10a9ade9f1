"""The file of names: what it may look like, mistakes in it, and names that two folders share."""

from pathlib import Path

import pytest

from luss_core.errors import UserError
from luss_core.names import call, read_names
from luss_core.runs import load, names_file


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "names.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_each_line_is_a_folder_and_its_names_of_which_the_first_counts(tmp_path: Path) -> None:
    text = (
        "\ufeffn01440764 tench, Tinca tinca\n\nn01443537\tgoldfish\r\nsea birds\tgull , tern\nn01443537 goldfish, x\n"
    )
    wanted = {"n01440764": "tench", "n01443537": "goldfish", "sea birds": "gull"}
    assert read_names(written(tmp_path, text)) == wanted


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a cat\nb\n", r"line 2: found 'b'; wanted a folder, white space, and its name"),
        ("a \t \n", r"line 1: found"),
        ("a , cat\n", r"line 1: found"),
        ("\tcat\n", r"line 1: found"),
        ("a cat\nb dog\na tiger\n", r"line 3: a is called 'tiger' here and 'cat' further up; keep one"),
        (b"a caf\xe9\n", r"no text in UTF-8"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"names \S+names.txt.*{message}"):
        read_names(written(tmp_path, content))


@pytest.mark.parametrize("place", ["nowhere.txt", "."])
def test_the_configuration_stops_where_there_is_no_such_file(tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match=r"cannot be read \(seen from .*; give a text file"):
        names_file(load({"names": str(tmp_path / place)}))
    assert names_file(load({})) is None


def test_folders_keep_their_name_without_a_line_and_beside_a_name_that_two_have() -> None:
    names = {"n02012849": "crane", "n03126707": "crane", "n01443537": "goldfish", "n1": "other"}
    shown = ["goldfish", "crane (n02012849)", "crane (n03126707)", "n04"]
    assert call(["n01443537", "n02012849", "n03126707", "n04"], names) == shown
