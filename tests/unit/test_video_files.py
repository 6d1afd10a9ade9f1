"""Frames of video files: the pixels and times that were written, in parts and whole."""

import numpy as np
import pytest
from movies import movie, pictures, two_sizes

from luss_core.data.video_files import Frame, Part, read_header, read_part


def read(path, *, step=0, every=1, short_side=999) -> list[Frame]:
    header, frames, seen = read_header(path, 64), [], 0
    for first in range(0, header.frames, step or header.frames):
        stop = first + step if step and first + step < header.frames else None
        part: list[Frame] = []
        found = read_part(path, Part("", header, first, stop, every), short_side, part)
        frames += [frame._replace(place=frame.place + seen) for frame in part]
        seen += found.frames
    assert seen == header.frames
    return frames


@pytest.mark.parametrize(
    ("name", "codec", "pixels"), [("a.mkv", "ffv1", "bgr0"), ("a.mov", "png", "rgb24"), ("a.avi", "ffv1", "bgr0")]
)
def test_frames_are_those_that_were_encoded(tmp_path, name, codec, pixels):
    written = pictures(9)
    path = movie(tmp_path / name, written, codec=codec, pixels=pixels)
    header = read_header(path, 64)
    assert (header.height, header.width, header.frames, header.rate) == (48, 64, 9, 25)
    for step in (0, 4):
        frames = read(path, step=step)
        assert all(np.array_equal(frame.image.pixels, wanted) for frame, wanted in zip(frames, written, strict=True))
        assert [round(1000 * frame.time) for frame in frames] == [40 * k for k in range(9)]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"bf": "3", "g": "40"}),
        ("open.mp4", "libx264", {"bf": "3", "g": "12", "x264-params": "open-gop=1"}),
        ("a.avi", "mpeg4", {"bf": "2", "g": "12"}),
        ("a.mts", "libx264", {"bf": "2", "g": "20"}),
        ("a.mpg", "mpeg2video", {"bf": "2", "g": "12"}),
        ("a.webm", "libvpx", {"g": "30"}),
    ],
)
def test_parts_make_the_whole_whatever_the_order_of_decoding(tmp_path, name, codec, options):
    grey = [np.full((48, 64, 3), 2 * k, np.uint8) for k in range(100)]
    path = movie(tmp_path / name, grey, codec=codec, pixels="yuv420p", **options)
    whole, parts = read(path), read(path, step=7)
    assert len(whole) == 100
    assert all(abs(int(frame.image.pixels.mean()) - 2 * k) < 6 for k, frame in enumerate(whole))
    for a, b in zip(whole, parts, strict=True):
        assert (a.place, a.time) == (b.place, b.time)
        assert np.array_equal(a.image.pixels, b.image.pixels)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_every_third_frame(tmp_path, name):
    codec, pixels = ("ffv1", "bgr0") if name == "a.mkv" else ("libx264", "yuv420p")
    path = movie(tmp_path / name, pictures(50), rate=30, codec=codec, pixels=pixels)
    for step in (0, 9):
        assert [frame.place for frame in read(path, step=step, every=3)] == list(range(0, 50, 3))


def test_times_of_a_variable_rate_are_those_of_the_file(tmp_path):
    ms = [0, 40, 100, 300, 333, 1000, 1040, 2500, 2540, 2580]
    written = pictures(10)
    path = movie(tmp_path / "a.mkv", written, ms=ms)
    for step in (0, 3):
        frames = read(path, step=step)
        assert [round(1000 * frame.time) for frame in frames] == ms
        assert all(np.array_equal(frame.image.pixels, wanted) for frame, wanted in zip(frames, written, strict=True))
    kept = read(path, every=5)  # nearly 16 in five seconds
    assert [frame.place for frame in kept][0] == 0
    assert len(kept) == 2


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_pictures_are_turned_as_a_player_turns_them(tmp_path, turned):
    written = pictures(2)
    path = movie(tmp_path / "a.mov", written, codec="png", pixels="rgb24", turned=turned)
    for frame, wanted in zip(read(path), written, strict=True):
        upright = np.rot90(wanted, turned // 90)
        assert np.array_equal(frame.image.pixels, upright)
        assert (frame.image.height, frame.image.width) == upright.shape[:2]


def test_frames_are_reduced(tmp_path):
    path = movie(tmp_path / "a.mkv", pictures(2, 96, 128))
    image = read(path, short_side=24)[0].image
    assert image.pixels.shape == (24, 32, 3)
    assert (image.height, image.width) == (96, 128)


def test_frames_of_another_size_are_counted_and_left_out(tmp_path):
    path = two_sizes(tmp_path / "a.mpg", 10, 5)
    header, kept = read_header(path, 64), []
    assert (header.height, header.width, header.frames) == (64, 96, 15)
    seen = read_part(path, Part("", header, 0, None, 1), 999, kept)
    assert (seen.frames, seen.other_size, len(kept)) == (14, 5, 9)  # FFmpeg loses the one before the change


def test_too_large_a_video_is_refused(tmp_path):
    path = movie(tmp_path / "a.mkv", pictures(1, 480, 640))
    with pytest.raises(ValueError, match=r"0 megapixels, more than prepare.max_megapixels = 0.3"):
        read_header(path, 0.3)
