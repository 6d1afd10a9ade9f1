"""Locks of folders, also where the file system has none."""

import errno
import fcntl
import os

import pytest

from luss_core import io
from luss_core.errors import UserError


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
