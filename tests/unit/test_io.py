"""Locks of folders, also where the file system has none; rights of files."""

import errno
import fcntl
import os

import pytest
from torch import nn

from luss_core import io
from luss_core.errors import UserError
from luss_core.models.weights import save_weights


def failing(monkeypatch, number: int) -> None:
    def flock(*_) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_folder_is_held_by_one_process(tmp_path):
    with (
        io.locked(tmp_path / "a", "training"),
        io.locked(tmp_path / "b", "training"),
        pytest.raises(UserError, match="another process is training in .*a; wait for it or stop it"),
        io.locked(tmp_path / "a", "training"),
    ):
        pass
    with io.locked(tmp_path / "a", "training"):
        pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_the_work_goes_on_with_a_warning(tmp_path, monkeypatch, caplog, number):
    """Lustre mounted without flock."""
    failing(monkeypatch, number)
    done = False
    with io.locked(tmp_path / "a", "training"):
        done = True
    assert done
    (record,) = caplog.records
    assert (record.levelname, str(tmp_path / "a") in record.message) == ("WARNING", True)
    assert "has no locks" in record.message


def test_another_fault_of_the_disk_is_one_line(tmp_path, monkeypatch):
    failing(monkeypatch, errno.EIO)
    with pytest.raises(UserError, match="cannot lock .*a: Input/output error"), io.locked(tmp_path / "a", "training"):
        pass


@pytest.mark.parametrize(("mask", "rights"), [(0o022, 0o644), (0o007, 0o660)])
def test_files_have_the_rights_that_new_files_have(tmp_path, mask, rights):
    before = os.umask(mask)
    try:
        save_weights(tmp_path / "a.safetensors", nn.Linear(2, 2), {})
        io.write_json(tmp_path / "a.json", {})
    finally:
        os.umask(before)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in ("a.safetensors", "a.json")] == [oct(rights)] * 2
