"""Ids of images: outputs that cannot collide, and keep their names when files are added."""

import shutil
from itertools import permutations

import numpy as np
import pytest
from folders import prepare, save
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import picture

from luss_core.config import PrepareConfig
from luss_core.data.arrange import arrange
from luss_core.data.identity import give_ids
from luss_core.data.images import read_images
from luss_core.data.store import Store


def ids(files, earlier=None, **more):
    listing = arrange(files)
    give_ids(listing, lambda wanted: {path: (earlier or {})[path] for path in wanted & (earlier or {}).keys()}, **more)
    return {found.path: found.id for found in listing.images}


def test_images_keep_the_names_that_they_have():
    files = ["a.jpg", "b.JPEG", "c/a.png", "c/b.tif", "d.x.jpg"]
    assert ids(files) == {"a.jpg": "a", "b.JPEG": "b", "c/a.png": "c/a", "c/b.tif": "c/b", "d.x.jpg": "d.x"}


def test_of_equal_names_one_keeps_it_and_the_others_their_suffix():
    assert ids(["1.png", "1.jpg", "1.bmp", "c/1.png"]) == {
        "1.jpg": "1",
        "1.png": "1.png",
        "1.bmp": "1.bmp",
        "c/1.png": "c/1",
    }
    assert ids(["1.JPG", "1.jpg"]) == {"1.JPG": "1", "1.jpg": "1.jpg"}


@pytest.mark.parametrize("order", list(permutations(["1.jpg", "1.png", "1.png.jpg", "1.jpeg"])))
def test_ids_are_stable_in_whatever_order_files_are_added(order):
    known: dict[str, str] = {}
    for count in range(1, len(order) + 1):
        found = ids(order[:count], known)
        assert known.items() <= found.items()
        assert len(set(found.values())) == count
        known = found


def test_disks_that_ignore_case():
    assert ids(["A.jpg", "a.jpg"]) == {"A.jpg": "A", "a.jpg": "a"}
    assert ids(["A.jpg", "a.jpg"], ignore_case=True) == {"A.jpg": "A", "a.jpg": "a.jpg"}


names = st.lists(st.sampled_from(["a", "A", "a.png", "a.jpg", ".png"]), min_size=1, max_size=3).map("".join)
files = st.sets(
    st.tuples(names, st.sampled_from([".jpg", ".png", ".PNG", ".tif"])).map("".join), min_size=1, max_size=9
)


@settings(max_examples=200, deadline=None)
@given(files, files, st.booleans())
def test_no_two_images_have_one_id(first, more, ignore_case):
    known = ids(sorted(first), ignore_case=ignore_case)
    found = ids(sorted(first | more), known, ignore_case=ignore_case)
    assert known.items() <= found.items()
    seen = {name.casefold() if ignore_case else name for name in found.values()}
    assert len(seen) == len(first | more)


@pytest.mark.parametrize(("old", "new"), [("png", "jpg"), ("jpg", "png")])
def test_a_finished_run_keeps_its_names(tmp_path, caplog, old, new):
    """Snakemake deletes images.csv before it prepares again."""
    root, out = tmp_path / "data", tmp_path / "out"
    save(root / f"1.{old}", seed=1)
    prepare(PrepareConfig(), root=root, out=out, threads=1)
    assert dict(zip(read_images(out / "images.csv").path, read_images(out / "images.csv").id, strict=True)) == {
        f"1.{old}": "1"
    }
    shutil.rmtree(out)
    save(root / f"1.{new}", seed=2)
    caplog.set_level("INFO")
    for _ in range(2):
        prepare(PrepareConfig(), root=root, out=out, threads=1)
        images, store = read_images(out / "images.csv"), Store(out / "images.h5")
        assert dict(zip(images.path, images.id, strict=True)) == {f"1.{old}": "1", f"1.{new}": f"1.{new}"}
    for row, path in enumerate(images.path):
        colour = np.asarray(picture(60, 90, 1 if path.endswith(old) else 2)).mean((0, 1))
        np.testing.assert_allclose(store.read(row).mean((0, 1)), colour, atol=2)
    assert (
        f"1 of the images have the name of another but for the suffix, and keep it: the mask of 1.{new}" in caplog.text
    )
