"""Which frames of videos, and which point of a frame, the pages show."""

import numpy as np
import pytest

from luss_core.data.frame_pairs import Distance, Pairs, frame_pairs
from luss_core.data.sequences import Sequences
from luss_core.data.shown_frames import ShownPair, VideoRow, marked_point, shown_pairs, video_rows


def videos(*lengths: int, ms: float = 40) -> Sequences:
    """Frames of one video after the other, in images.csv from the last to the first."""
    video = np.repeat(np.arange(len(lengths)), lengths)
    frame = np.concatenate([np.arange(n) for n in lengths])
    rows = np.arange(len(video))[::-1]
    return Sequences.make([f"v{k}" for k in range(len(lengths))], rows, video, frame, ms * frame)


def pairs(found: Sequences, stride: int) -> Pairs:
    return frame_pairs(found, np.sort(found.row), Distance(stride))


def test_pairs_are_spread_over_the_videos_and_the_later_frame_is_at_the_stride():
    found = videos(20, 30, 40)
    shown = shown_pairs(found, pairs(found, 8), 4)
    assert [pair.video for pair in shown] == ["v0", "v1", "v2", "v1"]
    frame = dict(zip(found.row.tolist(), found.frame.tolist(), strict=True))
    for pair in shown:
        assert (frame[pair.second] - frame[pair.first], pair.frames) == (8, 8)
        assert found.names[found.video[found.row == pair.first][0]] == pair.video


@pytest.mark.parametrize("stride", [1, 4, 10])
def test_the_first_frames_are_the_same_whatever_the_stride(stride):
    found = videos(20, 30)
    shown = shown_pairs(found, pairs(found, stride), 6)
    assert [pair.first for pair in shown] == [pair.first for pair in shown_pairs(found, pairs(found, 2), 6)]


def test_a_video_hardly_longer_than_the_stride_shows_what_it_has():
    found = videos(9, 40)
    shown = shown_pairs(found, pairs(found, 8), 2)
    assert {pair.video for pair in shown} == {"v0", "v1"}
    assert shown_pairs(videos(9), pairs(videos(9), 8), 5) == [ShownPair("v0", 8, 0, 8)]


def test_images_that_are_paired_with_themselves():
    rows = np.arange(3, 9)
    assert shown_pairs(None, Pairs(rows, rows), 2) == [ShownPair("", 4, 4, 0), ShownPair("", 7, 7, 0)]


def test_the_sheet_has_equal_steps_and_the_rate():
    found = videos(10, 3, 1)
    rows = video_rows(found, 2, 5)
    assert rows == [VideoRow("v0", [12, 10, 8, 6, 4], 10, 25.0), VideoRow("v2", [0], 1, None)]
    assert video_rows(videos(4, ms=np.nan), 1, 2)[0].rate is None


def test_the_point_is_a_corner_not_an_edge_nor_even_ground():
    image = np.full((96, 160, 3), 40, np.uint8)
    image[:, 120:] = 200  # an edge from top to bottom
    image[40:, :60] = 220  # a corner at 40, 60
    y, x = marked_point(image)
    assert abs(y * 96 - 40) <= 6
    assert abs(x * 160 - 60) <= 6


@pytest.mark.parametrize("shape", [(40, 64, 3), (1, 1, 3), (5, 3, 3)])
def test_a_frame_of_one_colour_has_a_point_inside(shape):
    y, x = marked_point(np.full(shape, 9, np.uint8))
    assert 0 < y < 1
    assert 0 < x < 1
    if shape[0] == 40:
        assert abs(y - 0.5) < 0.1
        assert abs(x - 0.5) < 0.1
