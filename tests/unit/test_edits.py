"""What people correct in a run: its meaning, its file, and two windows at once."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from luss_core.edits import Conflict, Edits, changes, combined, flat, from_flat
from luss_core.edits_file import NAME, of_run, read_edits, save, undo, undoable
from luss_core.errors import UserError

MASK = np.array([[0, 1, 2], [3, 4, 1000]], np.int32)


def test_masks_are_looked_up():
    edits = Edits(categories=4, merged={1: 2, 2: 3}, background=(4,), moved={"train/a": {3: 5}}, split={5: 3})
    assert edits.apply_to_mask(MASK).tolist() == [[0, 3, 3], [3, 0, 1000]]
    assert edits.apply_to_mask(MASK, "train/a").tolist() == [[0, 3, 3], [5, 0, 1000]]
    assert edits.shown == [3, 5]
    assert (edits.category_of(3, "train/a"), edits.category_of(1), edits.category_of(4)) == (5, 3, 0)
    assert Edits(categories=4).apply_to_mask(MASK).tolist() == MASK.tolist()


def test_names():
    edits = Edits(categories=2, names={2: "tulip"}, split={3: 1}, moved={"train/a": {1: 3}})
    assert edits.called(["other", "category 1", "category 2"]) == ["other", "category 1", "tulip", "category 3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: {1: a}\nmerged: {2: [\n", "line 2"),
        ("names: {1: yes}", "name of 1 is True; a name is a text: put it in quotes"),
        ("names: {1: ' '}", "one line of 1 to 80 letters"),
        ('names: {1: "a\\nb"}', "one line of 1 to 80 letters"),
        ("merged: {1: 2, 2: 1}", "merged: 1 into 2 into 1"),
        ("background: [9]", "background: there is no category 9; allowed: 1 to 3"),
        ("merged: {1: 9}", "merged: there is no category 9"),
        ("split: {6: 1}", "split: found [6]; allowed: the ids that follow 3"),
        ("nmaes: {1: a}", "did you mean names?"),
        ("names: [a]", "names: Input should be a valid dictionary"),
        ("version: 2", "version: Input should be 1, found 2"),
        ("names: {1: a}\nnames: {2: b}", "given twice, in line 1 and in line 2"),
        ("- 1", "holds no settings"),
    ],
)
def test_a_file_that_is_wrong_is_explained(tmp_path, text, said):
    path = tmp_path / NAME
    path.write_text(text)
    with pytest.raises(UserError) as error:
        of_run(path, "d", 3)
    assert said in str(error.value)
    assert str(path) in str(error.value)
    assert path.read_text() == text


def test_none_or_an_empty_file_corrects_nothing(tmp_path):
    (tmp_path / NAME).write_text("# nothing\n")
    assert of_run(tmp_path / "none", "d", 3)[0].empty
    assert of_run(None, "d", 3)[0].empty
    (tmp_path / NAME).write_text("")
    assert of_run(tmp_path / NAME, "d", 3)[0].empty


def test_another_clustering_is_noticed(tmp_path):
    path = tmp_path / NAME
    start = Edits(clustering="first", categories=3)
    save(path, start.model_copy(update={"names": {1: "a"}}), start)
    assert of_run(path, "first", 3)[0].names == {1: "a"}
    assert of_run(path, "", 3)[0].names == {1: "a"}  # where the clusters are not at hand
    edits, warning = of_run(path, "second", 3)
    assert edits.empty
    assert "belongs to another clustering" in warning
    path.write_text("names: {2: b}")  # by hand, of whatever clustering there is
    assert of_run(path, "second", 3) == (Edits(clustering="second", categories=3, names={2: "b"}), None)


def test_files_keep_any_name(tmp_path):
    path = tmp_path / NAME
    start = Edits(clustering="d", categories=2)
    strange = {"names": {1: "<b>ключ: #1</b>", 2: "yes"}, "moved": {"train/caf\udce9 : {x}": {1: 2}}}
    written = save(path, Edits.model_validate(start.model_dump() | strange), start)
    assert written.revision == 1
    assert read_edits(path) == written
    assert undo(path, written).empty


def test_two_windows_keep_each_others_changes(tmp_path):
    path = tmp_path / NAME
    base = Edits(clustering="d", categories=4)
    save(path, base.model_copy(update={"names": {1: "a"}}), base)
    both = save(path, base.model_copy(update={"merged": {2: 3}}), base)
    assert (both.names, both.merged, both.revision) == ({1: "a"}, {2: 3}, 2)
    with pytest.raises(Conflict, match="the name of category 1 was changed in another window"):
        save(path, base.model_copy(update={"names": {1: "b"}}), base)
    with pytest.raises(Conflict, match="does not go with this"):
        save(path, base.model_copy(update={"merged": {3: 2}}), base)
    assert read_edits(path) == both


def test_undo(tmp_path):
    path = tmp_path / NAME
    base = Edits(clustering="d", categories=4)
    one = save(path, base.model_copy(update={"names": {1: "a"}}), base)
    two = save(path, one.model_copy(update={"background": (2,)}), one)
    with pytest.raises(Conflict, match="another window"):
        undo(path, one)
    back = undo(path, two)
    assert (back.names, back.background, back.revision) == ({1: "a"}, (), 3)
    assert undoable(path) == 1
    assert undo(path, back).empty
    with pytest.raises(Conflict, match="nothing to undo"):
        undo(path, read_edits(path))


KEYS = st.one_of(
    st.tuples(st.just("names"), st.integers(1, 4)),
    st.tuples(st.just("background"), st.integers(1, 4)),
    st.tuples(st.just("moved"), st.sampled_from("ab"), st.integers(1, 4)),
)
CONTENTS = st.sets(KEYS).map(lambda keys: {key: {"names": "x", "background": True, "moved": 2}[key[0]] for key in keys})


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(CONTENTS, CONTENTS, CONTENTS)
def test_changes_of_both_windows_are_there_or_refused(first, second, third):
    like = Edits(categories=4)
    base, mine, current = (from_flat(content, like) for content in (first, second, third))
    assert flat(mine) == second
    both = combined(base, mine, current)  # values are equal here, so nothing clashes
    assert flat(both) == {
        key: value
        for key, value in (third | second).items()
        if (key in second or key not in first) and (key in third or key not in first)
    }
    assert changes(base, base) == {}
