"""A dry run in a folder that it may not write to stands in another that shows the same."""

import os
from pathlib import Path

from luss_core import dry_run


def test_the_stand_in_shows_everything_with_its_times(tmp_path):
    folder, stand_in = tmp_path / "work", tmp_path / "stand-in"
    for name in ("results/a.txt", ".snakemake/metadata/x", ".snakemake/iocache/latest.pkl", "names.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    os.utime(folder / "names.txt", (1, 1))
    stand_in.mkdir()
    dry_run.show(folder, stand_in)
    assert (stand_in / "results" / "a.txt").read_text() == "results/a.txt"
    assert (stand_in / ".snakemake" / "metadata" / "x").exists()
    assert (stand_in / "names.txt").lstat().st_mtime == 1  # Snakemake looks at links too
    (stand_in / ".snakemake" / "iocache").mkdir()  # as Snakemake does, which then writes
    assert not (stand_in / ".snakemake" / "iocache" / "latest.pkl").exists()


def test_only_a_folder_that_cannot_be_written_is_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dry_run.step_aside()
    assert Path.cwd() == tmp_path
    monkeypatch.setattr(os, "access", lambda *_: False)
    dry_run.step_aside()
    assert Path.cwd() != tmp_path
