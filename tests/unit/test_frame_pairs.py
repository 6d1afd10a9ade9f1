"""Pairs of frames of one video: by their order and by time."""

import numpy as np
import pytest

from luss_core.data.frame_pairs import Distance, frame_pairs
from luss_core.data.sequences import Sequences
from luss_core.errors import UserError


def sequences(*videos: list[float], first: int = 0) -> Sequences:
    """Videos with frames at these milliseconds, whose rows follow each other."""
    codes = [code for code, times in enumerate(videos) for _ in times]
    frames = [place for times in videos for place in range(len(times))]
    rows = first + np.arange(len(codes))
    return Sequences.make([f"v{code}" for code in range(len(videos))], rows, codes, frames, np.concatenate(videos))


def pairs(videos: Sequences, distance: Distance, rows: np.ndarray | None = None) -> list[tuple[int, int]]:
    found = frame_pairs(videos, np.sort(videos.row) if rows is None else rows, distance)
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def test_the_last_frames_are_paired_with_those_before_them():
    assert pairs(sequences([0, 1, 2, 3, 4], [0, 1, 2, 3]), Distance(2)) == [
        *((0, 2), (1, 3), (2, 4), (3, 1), (4, 2)),
        *((5, 7), (6, 8), (7, 5), (8, 6)),
    ]


def test_order_is_that_of_frames_and_not_of_rows():
    videos = Sequences.make(["a", "b"], [4, 2, 9, 7], [0, 0, 1, 0], [10, 2, 0, 99], [np.nan] * 4)
    assert pairs(videos, Distance(1)) == [(2, 4), (4, 7), (7, 4)]


def test_a_frame_with_nothing_at_the_distance_is_left_out_and_short_videos_are_named(caplog):
    with caplog.at_level("INFO"):
        found = pairs(sequences([0, 1, 2, 3], [0, 1], [0, 1, 2]), Distance(3), np.arange(11))
    assert found == [(0, 3), (3, 0)]
    assert "2 of 3 videos have no two frames 3 frames apart, such as 'v1': set aside" in caplog.text
    assert "2 of 11 training images are frames of no video: set aside" in caplog.text


def test_only_the_rows_that_are_asked_for_are_paired():
    assert pairs(sequences([0, 1, 2, 3, 4, 5]), Distance(1), np.array([0, 2, 5])) == [(0, 2), (2, 5), (5, 2)]


def test_the_frame_nearest_in_time_at_least_the_next():
    steady = [1000 * k / 24 for k in range(24)]
    found = dict(pairs(sequences(steady), Distance(8, 333)))
    assert [found[k] for k in (0, 1, 15, 16, 23)] == [8, 9, 23, 8, 15]
    once_a_second = sequences([0, 1000, 2000])
    assert pairs(once_a_second, Distance(8, 333)) == [(0, 1), (1, 2), (2, 1)]
    uneven = sequences([0, 40, 100, 300, 333, 1000])
    assert dict(pairs(uneven, Distance(8, 200)))[0] == 2  # as near as 300
    assert dict(pairs(uneven, Distance(8, 250)))[0] == 3
    assert dict(pairs(uneven, Distance(8, 1)))[4] == 5


def test_videos_of_several_rates_have_one_distance_in_time():
    found = dict(pairs(sequences([40 * k for k in range(20)], [20 * k for k in range(40)]), Distance(8, 160)))
    assert found[0] == 4
    assert found[20] == 28


@pytest.mark.parametrize("seed", range(3))
def test_times_against_the_written_out_rule(seed):
    rng = np.random.default_rng(seed)
    videos = [np.sort(rng.choice(2000, 30, replace=False)).astype(float) for _ in range(3)]
    for times in videos:
        times -= times[0]
    for ms in (1, 30, 200, 1500):
        found = dict(pairs(sequences(*videos), Distance(8, ms)))
        for code, times in enumerate(videos):
            gap = int(1000 * times[-1]) // 58
            for i, time in enumerate(times):
                if i < 29 and 1000 * (time + ms - times[-1]) <= gap:
                    j = max(int(np.argmin(abs(times - time - ms))), i + 1)
                elif i and 1000 * (time - ms) >= -gap:
                    j = min(int(np.argmin(abs(times - time + ms))), i - 1)
                else:
                    assert 30 * code + i not in found
                    continue
                assert found[30 * code + i] == 30 * code + j


def test_videos_without_times_are_set_aside_where_times_are_asked_for(caplog):
    videos = sequences([0, 40, 80], [np.nan, np.nan])
    assert pairs(videos, Distance(8, 40)) == [(0, 1), (1, 2), (2, 1)]
    assert "1 of 2 videos have no times, such as 'v1': set aside, set prepare.video.frame_rate" in caplog.text


@pytest.mark.parametrize(
    ("videos", "distance", "message"),
    [
        (
            [[0, 1, 2]],
            Distance(3),
            "no video has two frames 3 frames apart: the longest, 'v0', has 3 frames; set pretr",
        ),
        ([[0, 40, 80]], Distance(8, 500), r"500 ms apart: .* 3 frames over 80 ms at the most; set pretrain.method.str"),
        ([[np.nan, np.nan]], Distance(8, 500), "pretrain.method.stride_ms is 500 ms, but no video has times; set prep"),
        ([[]], Distance(1), "none of the training images is a frame of a video"),
    ],
)
def test_nothing_to_pair_is_an_error(videos, distance, message):
    with pytest.raises(UserError, match=message):
        pairs(sequences(*videos), distance, np.arange(3))
