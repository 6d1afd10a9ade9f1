"""What is noticed of a folder that changed since a stage read it."""

import json
import os
import shutil
import time

import pytest
from folders import imagenet_s, prepare, put, save

from luss_core import changed
from luss_core.changed import NAME, NOTHING, Change
from luss_core.config import PrepareConfig
from luss_core.data import contents
from luss_core.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Ten photographs and what prepare recorded of them."""
    root = tmp_path / "photographs"
    for i in range(10):
        save(root / "cat" / f"{i}.jpg", seed=i)
    put(root / "notes.txt", b"no image")
    prepare(PrepareConfig(), root=root, out=tmp_path / "out", threads=1, mark="first")
    return root


def look(root):
    return changed.mark(root.with_name("out") / NAME, root, changed.look(root))


def test_nothing_changed(folder):
    put(folder / "more notes.txt", b"no image either")
    assert look(folder) == ("first", NOTHING)


def test_new_removed_and_replaced_images(folder):
    save(folder / "dog" / "new.png", seed=20)
    (folder / "cat" / "3.jpg").rename(folder / "cat" / "three.jpg")
    shutil.copy(folder / "cat" / "5.jpg", folder / "cat" / "4.jpg")
    mark, change = look(folder)
    assert mark not in ("", "first")
    assert change == Change(["cat/three.jpg", "dog/new.png"], ["cat/3.jpg"], ["cat/4.jpg"], [])
    assert changed.described(change, "image") == (
        "2 images are new ('cat/three.jpg', ...), 1 was removed ('cat/3.jpg'), 1 was replaced ('cat/4.jpg')"
    )
    assert look(folder)[0] == mark  # the same for the same files


def test_another_picture_of_the_same_size_in_bytes_is_noticed(folder):
    file = folder / "cat" / "4.jpg"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert look(folder)[1] == Change([], [], ["cat/4.jpg"], [])


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".ppm"])
def test_one_pixel_in_the_middle_of_a_large_raw_image_is_noticed(tmp_path, suffix):
    file = save(tmp_path / f"a{suffix}", 300, 400)
    before, content = contents.content(file), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert contents.content(file) != before


def test_touched_or_copied_files_are_the_same(folder, tmp_path):
    for file in (folder / "cat").iterdir():
        os.utime(file)
    mark, change = look(folder)
    assert mark == "first"
    assert not change
    assert len(change.touched) == 10
    record = tmp_path / "out" / NAME
    changed.refresh(record, changed.look(folder))
    assert look(folder) == ("first", NOTHING)
    shutil.copy(folder / "cat" / "5.jpg", folder / "cat" / "4.jpg")
    assert look(folder)[1].replaced == ["cat/4.jpg"]  # what they hold is still known


def test_of_many_touched_files_an_even_sample_is_read(folder, monkeypatch):
    monkeypatch.setattr(changed, "COMPARED", 5)
    for file in (folder / "cat").iterdir():
        os.utime(file)
    read = []
    held = contents.held
    monkeypatch.setattr(contents, "held", lambda root, name: read.append(name) or held(root, name))
    assert look(folder)[0] == "first"
    assert sorted(read) == [f"cat/{i}.jpg" for i in range(0, 10, 2)]


def test_masks_count_in_the_folder_and_beside_it(tmp_path):
    root = imagenet_s(tmp_path / "data")
    prepare(PrepareConfig(), root=root, out=tmp_path / "out", threads=1)
    mask = root / "test-segmentation" / "cat" / "0.png"
    shutil.copy(root / "test-segmentation" / "dog" / "1.png", mask)
    record = tmp_path / "out" / NAME
    assert changed.mark(record, root, changed.look(root))[1].replaced == ["test-segmentation/cat/0.png"]
    plain, masks = tmp_path / "plain", tmp_path / "masks"
    save(plain / "a.jpg")
    save(masks / "a.png")
    assert list(changed.look(plain, str(masks))) == ["../masks/a.png", "a.jpg"]


def test_what_changes_while_prepare_reads_is_noticed_next_time(tmp_path):
    root, out = tmp_path / "photographs", tmp_path / "out"
    for i in range(3):
        save(root / f"{i}.jpg", seed=i)
    seen = changed.look(root)
    save(root / "late.jpg", seed=9)
    changed.write(tmp_path / "begun", seen, {}, "")
    changed.complete(tmp_path / "begun", out / NAME, root, [("0.jpg", contents.content(root / "0.jpg"))])
    assert changed.mark(out / NAME, root, changed.look(root))[1].new == ["late.jpg"]


def test_digests_that_are_known_are_not_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(changed, "BATCH", 3)
    root, names = tmp_path / "photographs", [f"{i}.jpg" for i in range(10)]
    for name in names:
        put(root / name, name.encode())
    changed.write(tmp_path / "begun", changed.look(root), {}, "")
    held, read = contents.held, list[str]()
    monkeypatch.setattr(contents, "held", lambda root, name: read.append(name) or held(root, name))
    known = [(name, contents.content(root / name)) for name in (*names[1:4], *names[6:9])]
    changed.complete(tmp_path / "begun", tmp_path / NAME, root, [("", ""), *known, ("x.jpg", "gone")])
    assert sorted(read) == ["0.jpg", "4.jpg", "5.jpg", "9.jpg"]
    rows = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()[1:]]
    assert [(row[0], row[3]) for row in rows] == [(name, contents.content(root / name)) for name in names]


def test_prepare_records_what_every_file_holds_that_it_opened(tmp_path, monkeypatch):
    root = imagenet_s(tmp_path / "data")
    put(root / "train" / "cat" / "broken.jpg", b"\xff\xd8\xff no image")
    save(root / "train" / "cat" / "raw.bmp", 90, 90)
    monkeypatch.setattr(changed, "contents", lambda _, names: ["not known" for _ in names])
    prepare(PrepareConfig(), root=root, out=tmp_path / "out", threads=1)
    rows = [json.loads(line) for line in (tmp_path / "out" / NAME).read_text().splitlines()[1:]]
    found = {row[0]: row[3] for row in rows}
    assert found.pop("train/cat/broken.jpg") == "not known"  # set aside by its header
    assert found == {name: contents.content(root / name) for name in found}
    assert "train/cat/raw.bmp" in found
    assert "test-segmentation/cat/0.png" in found


def test_names_that_are_no_text_survive(tmp_path):
    root = tmp_path / "photographs"
    for name in (b"caf\xe9.jpg", b"line\nbreak.jpg", b'quote",.jpg', "\u2028é.jpg".encode()):
        put(root / os.fsdecode(name), b"content")
    changed.write(tmp_path / NAME, changed.look(root), {}, "")
    assert changed.mark(tmp_path / NAME, root, changed.look(root))[1] is NOTHING
    (root / os.fsdecode(b"caf\xe9.jpg")).unlink()
    assert changed.mark(tmp_path / NAME, root, changed.look(root))[1].removed == [os.fsdecode(b"caf\xe9.jpg")]


def test_on_a_slow_drive_the_names_are_compared(folder):
    seen = changed.look(folder, patience=-1)
    assert set(seen.values()) == {None}
    record = folder.with_name("out") / NAME
    assert changed.mark(record, folder, seen)[0] == "first"
    (folder / "cat" / "1.jpg").unlink()
    assert changed.mark(record, folder, changed.look(folder, patience=-1))[1].removed == ["cat/1.jpg"]


def test_a_record_that_is_cut_short(folder):
    record = folder.with_name("out") / NAME
    record.write_text(record.read_text()[:-20])
    save(folder / "new.jpg")
    with pytest.raises(UserError, match=r"files\.jsonl is not whole .*delete it"):
        look(folder)


def test_thousands_of_files_are_compared_in_a_moment(tmp_path):
    root = tmp_path / "photographs"
    for k in range(10):
        (root / str(k)).mkdir(parents=True)
        for i in range(200):
            (root / str(k) / f"{i}.jpg").touch()
    changed.write(tmp_path / NAME, changed.look(root), {}, "")
    start = time.process_time()
    assert changed.mark(tmp_path / NAME, root, changed.look(root))[1] is NOTHING
    assert time.process_time() - start < 2
