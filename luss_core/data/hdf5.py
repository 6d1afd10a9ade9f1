"""HDF5 files opened so that a full disk and a damaged file are told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from luss_core.errors import UserError


@contextmanager
def write_hdf5(path: Path, mode: str) -> Iterator[h5py.File]:
    """An HDF5 file for writing, where a full disk raises OSError also while it is closed."""
    file = h5py.File(path, mode)
    try:
        yield file
        file.flush()
    finally:
        try:
            file.close()
        except RuntimeError as error:
            raise OSError(str(error)) from error


@contextmanager
def open_hdf5(path: Path, stage: str) -> Iterator[h5py.File]:
    """An HDF5 file that ``stage`` wrote, for reading.

    Raises:
        UserError: missing, cut short or without the data sets that are read.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; run the stage {stage}, which writes it") from error
    except (OSError, KeyError) as error:
        raise UserError(
            f"{path} is damaged or cut short ({error}); delete it and run the stage {stage} again"
        ) from error
