"""Damaged files of every kind: each reader gives what was written, or one line that says what to do.

`python -m tests.fuzz 20000` tries more of them (`make fuzz`).
"""

import pytest

from tests.fuzz.outcome import tried
from tests.fuzz.readers import READERS

SHORT = 40


@pytest.mark.parametrize("reader", READERS, ids=[reader.name for reader in READERS])
def test_a_damaged_file_is_refused_in_one_line_or_read_as_it_was_written(reader, tmp_path):
    found = tried(reader, tmp_path, SHORT, seed=0)
    assert found.wrong == []
    assert found.refused + found.read == SHORT
