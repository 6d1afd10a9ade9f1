"""What the Snakefile notices of an annotated data set that changed since probes learned from it."""

import os
import shutil
from pathlib import Path

import annotated
import pytest

from luss_core import probed
from luss_core.config import AnnotatedConfig
from luss_core.data.annotated import read_annotated

NOTICED = "probes.data.root {root} has changed since probes learned from it: {what}. What learned from it runs again"


@pytest.fixture
def root(tmp_path) -> Path:
    return annotated.camvid(tmp_path / "camvid")


def noticed(root: Path, writes: bool = True, **split: str) -> str:
    probed.noticed.cache_clear()  # another run of Snakemake
    cfg = AnnotatedConfig(format="camvid", root=str(root), **split)
    return probed.noticed(cfg, root, root.with_name("probes"), writes)


def test_a_dry_run_and_the_run_after_it_see_the_same(root):
    before = noticed(root, writes=False)
    assert not root.with_name("probes").exists()
    assert noticed(root) == noticed(root) == noticed(root, writes=False) == before


def test_what_no_probe_reads_does_not_count(root, capsys):
    before = noticed(root)
    shutil.copy(root / "train" / "0001TP_006690.png", root / "val" / "more.png")
    (root / "notes.txt").write_text("mine")
    for file in (root / "test").iterdir():
        os.utime(file)  # a copy of a folder has other times
    assert noticed(root) == before
    assert capsys.readouterr().err == ""


def test_a_label_that_was_replaced_is_said_once(root, capsys):
    before = noticed(root)
    one, other = (root / "testannot" / f"0001TP_00{number}.png" for number in (6690, 6720))
    shutil.copy(one, other)
    planned = noticed(root, writes=False)
    assert planned != before
    what = "1 file was replaced ('testannot/0001TP_006720.png')"
    assert capsys.readouterr().err.startswith(NOTICED.format(root=root, what=what))
    assert noticed(root) == planned
    assert what in capsys.readouterr().err
    assert noticed(root) == planned
    assert capsys.readouterr().err == ""


def test_new_and_removed_images(root, capsys):
    before = noticed(root)
    for folder in ("train", "trainannot"):
        (root / folder / "0001TP_006690.png").rename(root / folder / "new.png")
    assert noticed(root) != before
    said = capsys.readouterr().err
    assert "2 files are new ('train/new.png', ...), 2 were removed ('train/0001TP_006690.png', ...)" in said


def test_the_fingerprint_of_a_data_set_is_of_what_its_files_hold(root):
    cfg = AnnotatedConfig(format="camvid", root=str(root))
    before = read_annotated(cfg, root)[0].fingerprint
    file = root / "train" / "0001TP_006690.png"
    content = bytearray(file.read_bytes())
    os.utime(file)
    assert read_annotated(cfg, root)[0].fingerprint == before
    content[len(content) // 2] ^= 1  # as many bytes
    file.write_bytes(content)
    assert read_annotated(cfg, root)[0].fingerprint != before
