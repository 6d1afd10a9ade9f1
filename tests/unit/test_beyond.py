"""What runs learned from beyond the images, as pages say it."""

from pathlib import Path

import pytest

from luss_core.errors import UserError
from luss_core.report.beyond import groups, kind, only_kind
from luss_core.report.comparison import ScoredRun


def test_rows_that_learned_from_more_are_marked_and_never_mixed() -> None:
    runs = [ScoredRun(preset, 0, Path(preset)) for preset in ("a", "b")]
    weights = {"layout": "DINO", "source": "dino.pth", "digest": "ab" * 32, "licence": "", "parts": ["backbone"]}
    assert only_kind(runs, [{}, {"weights": None}]) == ""
    assert only_kind(runs, [{"weights": weights}] * 2) == "weights that others trained"
    with pytest.raises(UserError, match="a the images alone, b weights that others trained; leave one kind out"):
        only_kind(runs, [{}, {"weights": weights}])


def test_kinds_stand_apart_and_the_images_alone_come_first() -> None:
    kinds = {"a": kind({"weights": {"layout": "DINO"}}), "b": "", "c": kind({"supervised": True}), "d": ""}
    assert [presets for _, presets in groups("adcb", kinds)] == [["d", "b"], ["c"], ["a"]]
    assert kind({"weights": {}, "supervised": False}) == ""
    both = kind({"weights": {"layout": "DINO"}, "supervised": True})
    assert both == "weights that others trained and labels of the category folders"
