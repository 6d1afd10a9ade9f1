"""Values of any kind where a file or the settings should hold others: taken, or refused as our own error."""

import copy
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from luss_core import runs
from luss_core.config import Config
from luss_core.data.images import ImageList, read_expected, read_images, write_images
from luss_core.errors import UserError
from luss_core.io import write_json
from luss_core.metrics.matching import read_match
from luss_core.metrics.threshold import KINDS, read_threshold
from luss_core.names import read_names

TEXT = st.text(max_size=12)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
DEFAULTS = Config().model_dump(mode="json")
TRIES = settings(max_examples=60, deadline=None)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every value in nested mappings and lists."""
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


PLACES = list(places(DEFAULTS))


@TRIES
@given(st.sampled_from(PLACES), VALUES)
def test_settings(place, value):
    found = copy.deepcopy(DEFAULTS)
    node = found
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    with suppress(UserError):
        assert isinstance(runs.load(found), Config)


@TRIES
@given(VALUES)
def test_settings_that_are_anything(value):
    with suppress(UserError):
        runs.load(value if isinstance(value, dict) else {"pretrain": value})


def read(content: bytes, name: str, reader: Callable[[Path], Any]) -> Any:
    """What a reader makes of a file, or None where it refuses it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        with suppress(UserError):
            return reader(path)
    return None


@TRIES
@given(VALUES)
def test_a_matching_of_anything(value):
    found = read(json.dumps(value).encode(), "match.json", lambda path: read_match(path, 9))
    assert found is None or all(type(i) is type(j) is int and 0 <= j <= 9 for i, j in found.items())


@TRIES
@given(st.fixed_dictionaries({name: VALUES | st.just(1) for name in KINDS}) | VALUES)
def test_a_threshold_of_anything(value):
    found = read(json.dumps(value).encode(), "threshold.json", lambda path: read_threshold(path, "automatic", "size"))
    assert found is None or (0 <= found["automatic"] <= 100 and found["size"] >= 1)


@TRIES
@given(VALUES | st.fixed_dictionaries({"root": VALUES, "expected": VALUES}))
def test_a_summary_of_anything(value):
    def reader(path: Path) -> object:
        empty = np.empty(0, np.int64)
        with suppress(UserError):
            write_images(path.with_name("images.csv"), ImageList(path.parent, [], [], [], empty, empty, [], []))
        return read_images(path.with_name("images.csv")), read_expected(path.with_name("images.csv"))

    read(json.dumps(value).encode(), "summary.json", reader)


@TRIES
@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_names_of_anything(content):
    found = read(content, "names.txt", read_names)
    assert found is None or all(folder and name for folder, name in found.items())


ODD = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\udc80\udcff\n\r\",'\t"), min_size=1, max_size=8
)


@TRIES
@given(st.lists(ODD, min_size=1, max_size=5))
def test_names_of_images_are_read_as_they_were_written(names):
    with tempfile.TemporaryDirectory() as folder:
        sizes, path = np.arange(len(names)) + 1, Path(folder) / "images.csv"
        write_json(path.with_name("summary.json"), {"root": "."})
        write_images(path, ImageList(Path(folder), names, names, ["train"] * len(names), sizes, sizes, names, names))
        found = read_images(path)
        assert (found.id, found.path, found.folder, found.mask) == (names, names, names, names)
        assert found.height.tolist() == sizes.tolist()
