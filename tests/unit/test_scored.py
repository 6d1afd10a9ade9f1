"""Scored maps in one file: the packing, reading at random, equal bytes however they were written, refusals."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from luss_core.data import scored
from luss_core.errors import UserError

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)
ABOUT = {"luss": "0.1"}

Map = tuple[np.ndarray, np.ndarray]


@given(st.data())
def test_packing_is_undone(data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    ids = data.draw(hnp.arrays(np.int32, shape, elements=st.integers(0, 65535)))
    levels = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 255)))
    found_ids, found_levels = scored.unpack(scored.pack(ids, levels), *shape)
    assert (found_ids.dtype, found_levels.dtype) == (np.int32, np.uint8)
    assert np.array_equal(found_ids, ids)
    assert np.array_equal(found_levels, levels)


def test_ids_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ids 0\.\.65536 are outside"):
        scored.pack(np.array([[0, 65536]]), np.zeros((1, 2), np.uint8))


def maps(count: int) -> list[Map]:
    """Noise of different sizes, so that a file has several chunks."""
    rng = np.random.default_rng(0)
    shapes = [tuple(rng.integers(90, 200, 2)) for _ in range(count)]
    return [(rng.integers(1, 920, s).astype(np.int32), rng.integers(0, 81, s).astype(np.uint8)) for s in shapes]


def write(path: Path, images: list[Map], rows: list[int], about: dict[str, str] = ABOUT) -> Path:
    with scored.write_scored(path, about) as writer:
        for row, (ids, levels) in zip(rows, images, strict=True):
            writer.append(row, *ids.shape, scored.pack(ids, levels))
    return path


def test_maps_are_read_at_random(tmp_path: Path) -> None:
    images, rows = maps(40), list(range(7, 87, 2))
    path = write(tmp_path / "scored.h5", images, rows)
    assert path.stat().st_size > 3 * scored.CHUNK_BYTES
    places = scored.scored_images(path)
    assert list(places) == rows
    for i in (39, 0, 17, 16):
        ids, levels = scored.read_scored(places[rows[i]])
        assert np.array_equal(ids, images[i][0])
        assert np.array_equal(levels, images[i][1])
    assert scored.about_scored(path) == ABOUT


@pytest.mark.parametrize("cuts", [(0, 40), (0, 1, 40), (0, 13, 13, 29, 40)])
def test_parts_are_joined_to_the_same_bytes(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    images, rows = maps(40), list(range(40))
    whole = write(tmp_path / "whole.h5", images, rows)
    parts = [
        write(tmp_path / f"{k}.h5", images[a:b], rows[a:b])
        for k, (a, b) in enumerate(zip(cuts, cuts[1:], strict=False))
    ]
    scored.join_scored(parts, tmp_path / "joined.h5")
    assert (tmp_path / "joined.h5").read_bytes() == whole.read_bytes()


def test_parts_made_with_other_settings_are_not_joined(tmp_path: Path) -> None:
    parts = [write(tmp_path / f"{name}.h5", maps(2), [0, 1], {"luss": name}) for name in ("a", "b")]
    with pytest.raises(UserError, match=r"b\.h5 was not made as .*a\.h5; delete both and run the stage infer again"):
        scored.join_scored(parts, tmp_path / "joined.h5")
    assert not (tmp_path / "joined.h5").exists()


def test_no_map_at_all(tmp_path: Path) -> None:
    assert scored.scored_images(write(tmp_path / "none.h5", [], [])) == {}


def test_an_interrupted_file_vanishes(tmp_path: Path) -> None:
    with pytest.raises(TypeError), scored.write_scored(tmp_path / "scored.h5", ABOUT) as writer:
        writer.append(0, 2, 2, None)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "scored.h5", maps(3), [0, 1, 2])
    place = scored.scored_images(path)[1]
    with pytest.raises(UserError, match=r"scored\.h5: the map of row 1 is damaged .* run infer again"):
        scored.read_scored(place._replace(height=3))
    with pytest.raises(UserError, match="the map of row 1 is damaged"):
        scored.read_scored(place._replace(start=place.start + 1))
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(UserError, match=r"scored\.h5 is damaged or cut short"):
        scored.read_scored(place)
    with pytest.raises(UserError, match=r"none\.h5 does not exist; run the stage infer"):
        scored.scored_images(tmp_path / "none.h5")
