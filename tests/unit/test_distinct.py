"""Different vectors are counted but for rounding."""

import numpy as np

from luss_core.data.distinct import count_distinct

RNG = np.random.default_rng(0)


def test_copies_count_once_but_for_rounding() -> None:
    three = RNG.standard_normal((3, 32)).astype(np.float32)
    copies = np.repeat(three, 40, axis=0)
    rounded = (copies + RNG.normal(0, 1e-6, copies.shape)).astype(np.float32)
    assert count_distinct([copies, 2 * rounded]) == 3


def test_others_count_each() -> None:
    vectors = RNG.standard_normal((5000, 16)).astype(np.float32)
    assert count_distinct([vectors[:3000], vectors[3000:], vectors]) == 5000
    assert count_distinct([np.zeros((4, 8), np.float32)]) == 1
    assert count_distinct([]) == 0
