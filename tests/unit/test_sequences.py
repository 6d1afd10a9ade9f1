"""Which images are frames of one video, told by folders and names."""

import numpy as np
import pytest

from luss_core.config.sequences import VideoConfig
from luss_core.data.images import ListedFile
from luss_core.data.sequences import Sequences, find_sequences, read_sequences, write_sequences
from luss_core.errors import UserError

CAMVID = r"(?P<video>[^/]+)_f?(?P<frame>[0-9]+)$"
FOLDERS = {"sources": ["folders"]}


def images(*paths: str) -> list[ListedFile]:
    return [ListedFile("train", path.rpartition(".")[0], path, "", "") for path in paths]


def videos(settings: dict, *paths: str) -> dict[str, list[tuple[str, int, float]]]:
    """By video the path, number and time of each frame."""
    found = find_sequences(images(*paths), VideoConfig.model_validate(settings))
    frames: dict[str, list[tuple[str, int, float]]] = {}
    for row, video, frame, ms in zip(*(values.tolist() for values in found[1:]), strict=True):
        frames.setdefault(found.names[video], []).append((paths[row], frame, ms))
    return frames


def test_frames_of_a_folder_are_in_the_order_of_their_numbers():
    found = videos({**FOLDERS, "frame_rate": 10}, "a/f1.jpg", "a/f10.jpg", "a/f2.jpg", "b/7.png", "c.jpg")
    assert found == {
        "a": [("a/f1.jpg", 1, 0), ("a/f2.jpg", 2, 100), ("a/f10.jpg", 10, 900)],
        "b": [("b/7.png", 7, 0)],
        "": [("c.jpg", 0, 0)],
    }


@pytest.mark.parametrize(
    "names", [("one.jpg", "two.jpg"), ("1a.jpg", "1b.jpg"), ("1_5.jpg", "2_4.jpg"), ("1.jpg", "1.png")]
)
def test_names_whose_numbers_do_not_rise_count_by_their_places(names):
    assert videos(FOLDERS, *names)[""] == [(names[0], 0, pytest.approx(np.nan, nan_ok=True))] + [
        (names[1], 1, pytest.approx(np.nan, nan_ok=True))
    ]


def test_names_tell_the_videos_of_camvid_and_folders_those_of_davis():
    settings = {**FOLDERS, "names": CAMVID, "frame_rate": {"davis": 24, "camvid": 30}}
    found = videos(
        settings,
        "camvid/0001TP_006690.png",
        "camvid/0001TP_006720.png",
        "camvid/0006R0_f01110.png",
        "davis/camel/00000.jpg",
        "davis/camel/00006.jpg",
    )
    assert found == {
        "camvid/0001TP": [("camvid/0001TP_006690.png", 6690, 0), ("camvid/0001TP_006720.png", 6720, 1000)],
        "camvid/0006R0": [("camvid/0006R0_f01110.png", 1110, 0)],
        "davis/camel": [("davis/camel/00000.jpg", 0, 0), ("davis/camel/00006.jpg", 6, 250)],
    }


def test_without_folders_an_image_that_names_do_not_fit_is_of_no_video():
    assert list(videos({"names": CAMVID}, "a_1.png", "b/c.png")) == ["a"]


def test_a_video_by_names_and_a_folder_of_the_same_name_stay_apart():
    assert sorted(videos({**FOLDERS, "names": CAMVID}, "a_1.png", "a/x.png")) == ["a", "a/"]


def test_rates_are_those_of_the_innermost_folder():
    cfg = VideoConfig.model_validate({**FOLDERS, "frame_rate": {"": 10, "a": 20, "a/b/": 30}})
    assert [cfg.rate_of(path) for path in ("x.jpg", "a/x.jpg", "a/b/c/x.jpg", "ab/x.jpg")] == [10, 20, 30, 10]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"names": CAMVID}, r"fits none of 1 images, such as a/x \(the path without its suffix\)"),
        ({"names": "(?P<video>a)/(?P<frame>x)"}, r"the group frame finds 'x' in a/x.jpg; it must find a number"),
        ({**FOLDERS, "frame_rate": {"b": 3}}, "'b' is no folder of images below the data root"),
    ],
)
def test_settings_that_fit_nothing_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        videos(settings, "a/x.jpg")


def test_the_list_is_read_as_it_was_written(tmp_path):
    found = Sequences.make(["b", "a,\n\udcff"], [3, 1, 2], [1, 0, 0], [5, 0, 7], [np.nan, 0, 33.3337])
    write_sequences(tmp_path / "videos.csv", found)
    again = read_sequences(tmp_path / "videos.csv")
    assert again.names == found.names
    assert again.row.tolist() == [1, 2, 3]
    assert again.video.tolist() == [0, 0, 1]
    assert again.frame.tolist() == [0, 7, 5]
    assert again.ms[:2].tolist() == [0, 33.334]
    assert np.isnan(again.ms[2])
    with pytest.raises(UserError, match="set prepare.video.sources and run the stage prepare again"):
        read_sequences(tmp_path / "nothing.csv")
    (tmp_path / "videos.csv").write_text("row\n")
    with pytest.raises(UserError, match="is not whole"):
        read_sequences(tmp_path / "videos.csv")
