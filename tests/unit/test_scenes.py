"""The generated data set: deterministic, masks exact, colour says nothing, every size range there."""

from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image
from scipy.stats import f_oneway

from luss_core.config import SynthesizeConfig
from luss_core.data import scenes, shapes
from luss_core.data.masks import IGNORE, read_mask
from luss_core.errors import UserError
from luss_core.stages.synthesize import synthesize

SIDES = (64, 96)
SMALL = SynthesizeConfig(train=10, validation=3, test=4, seed=5)


@dataclass
class Seen:
    """What the tests below look at in one scene."""

    category: int
    areas: dict[int, int]
    """Percent of the pixels that are not ignored, rounded up, of each id."""
    mean: np.ndarray
    shape: tuple[int, ...]


@pytest.fixture(scope="module")
def seen() -> dict[str, list[Seen]]:
    return {split: [look(split, i) for i in range(count)] for split, count in (("validation", 160), ("test", 240))}


def look(split: str, index: int) -> Seen:
    pixels, mask = scenes.scene(0, split, index, SIDES)
    valid = mask[mask != IGNORE]
    ids, counts = np.unique(valid, return_counts=True)
    areas = {int(i): int(np.ceil(100 * n / valid.size)) for i, n in zip(ids, counts, strict=True) if i}
    number = scenes.NAMES.index(scenes.category(index)) + 1
    return Seen(number, areas, pixels[mask == number].mean(0), pixels.shape)


def test_a_scene_is_a_function_of_seed_split_and_index():
    first = scenes.scene(3, "train", 17, SIDES)
    scenes.scene(3, "train", 2, SIDES)
    again = scenes.scene(3, "train", 17, SIDES)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.mask, again.mask)
    for other in ((4, "train", 17), (3, "test", 17), (3, "train", 25)):
        pixels = scenes.scene(*other, SIDES).pixels
        assert pixels.shape != first.pixels.shape or (pixels != first.pixels).any()


def test_every_size_range_has_objects_in_both_evaluated_splits(seen):
    for split, found in seen.items():
        areas = np.array([area for scene in found for area in scene.areas.values()])
        ranges = np.digitize(areas, [5, 25, 50], right=True)
        assert (np.bincount(ranges, minlength=4) >= 10).all(), split


def test_the_category_of_the_folder_is_the_largest_object_and_categories_are_balanced(seen):
    for found in seen.values():
        assert all(max(scene.areas, key=scene.areas.__getitem__) == scene.category for scene in found)
        counts = np.bincount([scene.category for scene in found])[1:]
        assert len(counts) == len(scenes.NAMES)
        assert np.ptp(counts) == 0


def test_some_scenes_have_two_objects(seen):
    share = np.mean([len(scene.areas) > 1 for found in seen.values() for scene in found])
    assert 0.5 * scenes.SECOND_OBJECT < share < 1.5 * scenes.SECOND_OBJECT


def test_the_colour_of_an_object_does_not_depend_on_its_category(seen):
    found = [scene for split in seen.values() for scene in split]
    for channel in range(3):
        groups = [[s.mean[channel] for s in found if s.category == c] for c in range(1, 9)]
        assert f_oneway(*groups).pvalue > 0.01


def test_sides_cover_their_range(seen):
    sides = [side for found in seen.values() for scene in found for side in scene.shape[:2]]
    assert (min(sides), max(sides)) == SIDES


def test_the_parts_of_the_photographs_are_disjoint():
    regions = list(scenes.REGIONS.values())
    for i, (left, top, right, bottom) in enumerate(regions):
        for l2, t2, r2, b2 in regions[i + 1 :]:
            assert right <= l2 or r2 <= left or bottom <= t2 or b2 <= top


@pytest.mark.parametrize("name", scenes.NAMES)
def test_coverage_is_the_area_inside_the_outline(name):
    """Against matplotlib's point-in-polygon test on a 9 x 9 grid a pixel."""
    rng = np.random.default_rng(1)
    polygons = [polygon * 21 + [30.3, 24.8] for polygon in shapes.CATEGORIES[name][0](rng)]
    y, x = (np.mgrid[: 50 * 9, : 60 * 9] + 0.5) / 9
    points = np.stack([x.ravel(), y.ravel()], 1)
    inside = [Polygon(polygon).contains_points(points).reshape(x.shape) for polygon in polygons]
    fine = inside[0] & ~inside[1] if len(inside) > 1 else inside[0]
    expected = fine.reshape(50, 9, 60, 9).mean((1, 3))
    found = scenes._coverage(polygons, (50, 60), scenes.OUTLINE_SAMPLES)
    assert np.abs(found - expected).max() < 0.25
    assert found.mean() == pytest.approx(expected.mean(), rel=0.015)


def test_ids_are_the_sorted_categories():
    assert list(scenes.NAMES) == sorted(scenes.NAMES)


def test_synthesize_writes_the_same_bytes_with_any_number_of_processes(tmp_path):
    synthesize(SMALL, out=tmp_path / "one", threads=1)
    synthesize(SMALL, out=tmp_path / "two", threads=2)
    one, two = (
        {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert len(one) == 10 + 2 * 3 + 2 * 4 + 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]
    mask = read_mask(tmp_path / "one/test-segmentation/cross/cross_00002.png")
    np.testing.assert_array_equal(mask, scenes.scene(5, "test", 2, SIDES).mask)
    with Image.open(tmp_path / "one/test/cross/cross_00002.jpg") as image:
        assert image.size == mask.shape[::-1]


def test_synthesize_replaces_its_own_folder_only(tmp_path):
    mine, photos = tmp_path / "mine", tmp_path / "photos"
    synthesize(SMALL, out=mine, threads=1)
    synthesize(SMALL.model_copy(update={"train": 1}), out=mine, threads=1)
    assert len(list((mine / "train").rglob("*.jpg"))) == 1
    photos.mkdir()
    (photos / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(UserError, match="empty or new folder"):
        synthesize(SMALL, out=photos, threads=1)
    assert (photos / "holiday.jpg").read_bytes() == b"dear"


def test_synthesize_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "no space left")

    monkeypatch.setattr("luss_core.stages.synthesize.write_mask", fail)
    with pytest.raises(UserError, match="no space left"):
        synthesize(SMALL, out=tmp_path / "out", threads=1)
    assert list(tmp_path.iterdir()) == []
