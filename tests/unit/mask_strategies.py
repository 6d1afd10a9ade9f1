"""Random label maps for hypothesis."""

import numpy as np
from hypothesis import strategies as st

from luss_core.data.masks import resize_nearest


@st.composite
def label_maps(draw: st.DrawFn, shape: tuple[int, int], ids: list[int]) -> np.ndarray:
    """Blocks of ids, some with single pixels changed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pool = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=6))
    coarse = rng.choice(pool, (draw(st.integers(1, 6)), draw(st.integers(1, 6))))
    result = resize_nearest(coarse.astype(np.int32), *shape)
    noise = rng.random(shape) < draw(st.sampled_from([0.0, 0.0, 0.02, 0.5]))
    return np.where(noise, rng.choice(pool, shape), result).astype(np.int32)


@st.composite
def mask_pairs(draw: st.DrawFn, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Prediction and truth with ignored regions and ids above the number of classes in both."""
    shape = draw(st.sampled_from([(1, 1), (1, 9), (2, 2), (3, 3), (7, 5), (20, 31), (40, 50), (61, 90), (90, 64)]))
    everything = [*range(classes + 1), classes + 1, 999, 1000]
    return draw(label_maps(shape, everything)), draw(label_maps(shape, [*everything, 0, 1, 2, 1000]))
