"""What a reader makes of many damaged files."""

import logging
import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from luss_core.errors import UserError
from tests.fuzz.mutations import mutated
from tests.fuzz.readers import Reader

LONGEST = 1500
"""Letters of a message."""


@dataclass
class Outcome:
    """Counts, and whatever must not be."""

    refused: int = 0
    """With an error of our own kind, in one line, with a list below it where several things are wrong."""
    read: int = 0
    """As it was written; where a file has no checksums, as something of the right kind."""
    wrong: list[str] = field(default_factory=list)


def tried(reader: Reader, folder: Path, count: int, seed: int) -> Outcome:
    """Damage the file of a reader in ``count`` ways and read each."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / reader.name
    reader.make(path)
    whole, expected, outcome = path.read_bytes(), repr(reader.read(path)), Outcome()
    beside = {file: file.read_bytes() for file in folder.iterdir() if file != path}
    logging.disable()
    try:
        for number in range(count):
            content = mutated(whole, np.random.default_rng([seed, number]))
            _try(reader, path, content, expected, outcome, f"{reader.name}, seed {seed}, number {number}")
            for file in set(folder.iterdir()) - {path, *beside}:
                shutil.rmtree(file) if file.is_dir() else file.unlink()
    finally:
        logging.disable(logging.NOTSET)
    return outcome


def _try(reader: Reader, path: Path, content: bytes, expected: str, outcome: Outcome, name: str) -> None:
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = repr(reader.read(path))
    except UserError as error:
        outcome.refused += 1
        first, *listed = str(error).splitlines()
        if any(not line.startswith("  ") for line in listed) or len(first) > LONGEST:
            outcome.wrong.append(f"{name}: not one line: {str(error)!r}")
    except BaseException as error:
        outcome.wrong.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    else:
        outcome.read += 1
        if reader.checked and found != expected:
            outcome.wrong.append(f"{name}: taken for data")
