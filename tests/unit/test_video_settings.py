"""Settings of videos, and methods of pairs that cannot have any."""

import pytest

from luss_core import runs
from luss_core.errors import UserError

VIDEO = {"sources": ["folders"]}


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (None, "prepare.video: found None; allowed: keys, such as {sources: "),
        (True, "prepare.video: found True; allowed: keys"),
        ({"sources": "files"}, r"sources: found 'files'; allowed: \[\], \[folders\], \[files\] or \[folders, files\]"),
        ({"sources": ["file"]}, r"sources: found \['file'\]; allowed: \[\], \[folders\]"),
        ({"frame_rate": 24}, r"sources is \[\], which means photographs; set sources: \[folders, files\]"),
        ({**VIDEO, "frame_rate": 0}, "frame_rate: found 0; allowed: frames a second, such as 30, or"),
        ({**VIDEO, "frame_rate": {"a": "fast"}}, "frame_rate: found {'a': 'fast'}; allowed"),
        ({**VIDEO, "every": 2}, r"every 2 is for video files, which sources \['folders'\] leaves out"),
        ({"names": "("}, r"names: '\(' is no regular expression"),
        ({"names": "(?P<video>a)"}, "has no group frame; write"),
    ],
)
def test_a_setting_that_cannot_be_used_says_what_can(video, message):
    with pytest.raises(UserError, match=message) as caught:
        runs.load({"prepare": {"video": video}})
    assert "1 setting(s)" in str(caught.value)


@pytest.mark.parametrize("key", ["run", "controls", "ablation"])
def test_frames_apart_need_videos(key):
    with pytest.raises(
        UserError,
        match=r"preset cacl learns from frames of one video, 8 apart \(method.stride\), but prepare.video.sources is "
        r"\[\], which means photographs: set prepare.video.sources: \[folders, files\] .* or method.stride: 0",
    ):
        runs.load({key: ["cacl"]})
    runs.load({key: ["cacl"], "prepare": {"video": VIDEO}})
    runs.load({key: ["cacl"], "methods": {"cacl": {"stride": 0}}})


def test_milliseconds_need_a_frame_rate():
    given = {"run": ["cacl"], "methods": {"cacl": {"stride_ms": 250}}}
    with pytest.raises(UserError, match=r"250 ms apart \(method.stride_ms\), but prepare.video.sources is \[\]"):
        runs.load(given)
    with pytest.raises(UserError, match="images do not say when they were taken: set prepare.video.frame_rate"):
        runs.load({**given, "prepare": {"video": VIDEO}})
    runs.load({**given, "prepare": {"video": {**VIDEO, "frame_rate": 24}}})
    runs.load({**given, "prepare": {"video": {"sources": ["files"]}}})
