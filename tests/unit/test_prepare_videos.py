"""The stage prepare on folders of frames and video files, and pairs of frames made from them."""

import re

import numpy as np
import pytest
from folders import OUTPUTS, PATIENT, prepare, put, rejected, save
from movies import movie, pictures, two_sizes

from luss_core import changed, io
from luss_core.bounds import Need
from luss_core.config import PrepareConfig, PretrainConfig
from luss_core.data import clips
from luss_core.data.images import read_images
from luss_core.data.sequences import read_sequences
from luss_core.data.store import Store
from luss_core.errors import UserError
from luss_core.stages.look import look_at
from luss_core.stages.pretrain import pretrain, training_views

BOTH = {"sources": ["folders", "files"]}


def settings(video: dict, **more) -> PrepareConfig:
    return PrepareConfig.model_validate({"video": {**BOTH, **video}, **more})


@pytest.mark.parametrize("threads", [1, 2])
def test_frames_of_files_are_packed_as_they_are(tmp_path, threads, monkeypatch):
    monkeypatch.setattr(clips, "PART_BYTES", 4 * 48 * 64 * 3)
    root, out = tmp_path / "data", tmp_path / "out"
    written = pictures(10, seed=1)
    movie(root / "cat/a.mkv", written, ms=[0, 40, 100, 300, 333, 1000, 1040, 2500, 2540, 2580])
    for name in ("1", "2", "10"):
        save(root / "dog" / f"{name}.jpg", seed=int(name))
    prepare(settings({"frame_rate": 10}), root=root, out=out, threads=threads)
    images, store, videos = (
        read_images(out / "images.csv"),
        Store(out / "images.h5"),
        read_sequences(out / "videos.csv"),
    )
    assert sorted(path.name for path in out.iterdir()) == sorted([*OUTPUTS, "videos.csv"])
    assert images.id[:3] == ["dog/1", "dog/10", "dog/2"]
    assert images.id[3:] == [f"cat/a.mkv/{k:06}" for k in range(10)]
    assert set(images.path[3:]) == {"cat/a.mkv"}
    assert set(images.folder[3:]) == {"cat"}
    assert all(np.array_equal(store.read(3 + k), frame) for k, frame in enumerate(written))
    assert videos.names == ["dog", "cat/a.mkv"]
    assert videos.row.tolist() == list(range(13))
    assert videos.frame.tolist() == [1, 10, 2, *range(10)]
    assert videos.ms.tolist() == [0, 900, 100, 0, 40, 100, 300, 333, 1000, 1040, 2500, 2540, 2580]
    summary = io.read_json(out / "summary.json")
    assert summary["images"] == summary["expected"] == {"train": 13}


def test_what_cannot_be_used_is_set_aside_and_the_rest_goes_on(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    grey = [np.full((48, 64, 3), 9 * k, np.uint8) for k in range(20)]
    encoded = {"codec": "libx264", "pixels": "yuv420p", "g": "5"}
    movie(root / "whole.mp4", grey, **encoded)
    data = movie(root / "cut.mp4", pictures(20), **encoded, movflags="faststart").read_bytes()
    put(root / "headless.mp4", data[: len(data) // 2])
    whole = movie(root / "cut.mkv", pictures(20)).read_bytes()
    put(root / "cut.mkv", whole[: len(whole) // 2])
    whole = movie(root / "cut.avi", pictures(20), codec="mpeg4", pixels="yuv420p").read_bytes()
    put(root / "cut.avi", whole[: len(whole) // 2])
    (root / "cut.mp4").unlink()
    put(root / "empty.mp4", b"")
    put(root / "text.mov", b"no video")
    two_sizes(root / "sizes.mpg", 10, 5)
    prepare(PATIENT.model_copy(update={"video": settings({}).video}), root=root, out=out, threads=1)
    reasons = rejected(out)
    expected = {
        "empty.mp4": "empty file",
        "text.mov": "not a video, or so damaged or cut short that it cannot be opened",
        "headless.mp4": "not a video, or so damaged or cut short that it cannot be opened (moov atom not found)",
        "cut.mkv": "ends after 0.3 of 0.8 seconds, as where a file is cut short; its other frames are kept",
        "cut.avi": r"\d+ of 20 frames cannot be read, as where a file is damaged or cut short; its other frames",
        "sizes.mpg": "5 of 15 frames have another size than the first, 96 x 64 pixels; its other frames are kept",
    }
    for name, reason in expected.items():
        assert re.search(reason if "\\" in reason else re.escape(reason), reasons[name]), (name, reasons[name])
    assert set(reasons) == set(expected)
    images = read_images(out / "images.csv")
    kept = {path: list(images.path).count(path) for path in set(images.path)}
    assert kept["whole.mp4"] == 20
    assert kept["sizes.mpg"] == 9
    assert set(kept) == {"whole.mp4", "cut.mkv", "cut.avi", "sizes.mpg"}
    assert set(zip(images.height.tolist(), images.width.tolist(), strict=True)) == {(48, 64), (64, 96)}


def test_too_many_videos_that_cannot_be_used_stop_whatever_their_frames(tmp_path):
    movie(tmp_path / "data/a.mkv", pictures(50))
    put(tmp_path / "data/b.mp4", b"")
    with pytest.raises(UserError, match="1 of 2 images cannot be used"):
        prepare(settings({}), root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_every_and_sources(tmp_path):
    movie(tmp_path / "data/b/a.mkv", pictures(7))
    save(tmp_path / "data/c.jpg")
    prepare(settings({"every": 3}), root=tmp_path / "data", out=tmp_path / "1", threads=1)
    assert read_images(tmp_path / "1/images.csv").id[1:] == [f"b/a.mkv/{k:06}" for k in (0, 3, 6)]
    prepare(settings({"sources": ["folders"]}), root=tmp_path / "data", out=tmp_path / "2", threads=1)
    assert read_images(tmp_path / "2/images.csv").id == ["c"]
    assert io.read_json(tmp_path / "2/summary.json")["left_out"][0]["kind"] == "videos"
    prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "3", threads=1)
    assert not (tmp_path / "3/videos.csv").exists()


def test_videos_have_splits_as_images_do(tmp_path):
    for split in ("train", "val"):
        movie(tmp_path / f"data/{split}/a.mkv", pictures(3))
    prepare(settings({}), root=tmp_path / "data", out=tmp_path / "out", threads=1)
    assert read_images(tmp_path / "out/images.csv").splits == ("train", "validation")


def test_without_the_package_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("luss_core.data.films.installed", lambda: False)
    put(tmp_path / "data/a.mp4", b"")
    with pytest.raises(UserError, match=r"1 video files, such as 'a.mp4', .* pip install av, or set .*\[folders\]"):
        prepare(settings({}), root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_a_folder_of_videos_alone_asks_for_the_setting(tmp_path):
    put(tmp_path / "data/a.mp4", b"x")
    with pytest.raises(UserError, match=r"holds no images; found: 1 video \(.mp4, .*or set prepare.video.sources"):
        prepare(PrepareConfig(), root=tmp_path / "data", out=tmp_path / "out", threads=1)


def test_an_interrupted_run_goes_on_to_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "PART_BYTES", 4 * 48 * 64 * 3)
    root = tmp_path / "data"
    for name in "ab":
        movie(root / f"{name}.mkv", pictures(10))
    prepare(settings({}), root=root, out=tmp_path / "whole", threads=1)
    real, calls = clips.read_part, []

    def stops(path, part, *more):
        calls.append(part)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(path, part, *more)

    monkeypatch.setattr(clips, "read_part", stops)
    with pytest.raises(KeyboardInterrupt):
        prepare(settings({}), root=root, out=tmp_path / "again", threads=1)
    prepare(settings({}), root=root, out=tmp_path / "again", threads=1)
    assert len(calls) == 5 + 2
    for name in ("images.csv", "images.h5", "videos.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def cacl(**method) -> PretrainConfig:
    method = {"name": "cacl", **method}
    return PretrainConfig.model_validate({"decoder": None, "attention": False, "method": method})


def test_pairs_are_of_the_frames_that_were_encoded(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    movie(root / "a.mkv", pictures(6), rate=25)
    movie(root / "b.mkv", pictures(12), rate=50)
    save(root / "alone.jpg")
    prepare(settings({}), root=root, out=out, threads=1)
    listing, store, videos = (
        read_images(out / "images.csv"),
        Store(out / "images.h5"),
        read_sequences(out / "videos.csv"),
    )
    views = training_views(cacl(stride_ms=80), listing, store, None, 0, videos)
    assert views.partners is not None
    assert views.rows.tolist() == list(range(1, 19))
    assert views.partners.tolist() == [3, 4, 5, 6, 3, 4, *range(11, 19), *range(11, 15)]
    views = training_views(cacl(stride=0), listing, store, None, 0)
    assert views.partners is not None
    assert views.partners.tolist() == views.rows.tolist() == list(range(19))


def test_a_method_of_pairs_wants_the_list_of_videos(tmp_path):
    save(tmp_path / "data/a.jpg")
    out = tmp_path / "out"
    prepare(PrepareConfig(), root=tmp_path / "data", out=out, threads=1)
    files = {"images": out / "images.csv", "store": out / "images.h5", "prior": None, "log": out / "log"}
    with pytest.raises(UserError, match="videos.csv does not exist: set prepare.video.sources"):
        pretrain(cacl(), **files, seed=0, state=out / "state", out=out / "encoder", resources=None)


def test_a_video_that_is_added_is_noticed(tmp_path):
    root, out = tmp_path / "data", tmp_path / "out"
    movie(root / "a.mkv", pictures(3))
    prepare(settings({}), root=root, out=out, threads=1)
    seen = changed.look(root, videos=True)
    assert list(seen) == ["a.mkv"]
    assert not changed.mark(out / changed.NAME, root, seen)[1]
    movie(root / "b.mkv", pictures(2))
    assert changed.mark(out / changed.NAME, root, changed.look(root, videos=True))[1].new == ["b.mkv"]


def test_videos_too_short_for_all_pairs_stop_before_anything_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "read_part", None)
    movie(tmp_path / "data/a.mkv", pictures(5))
    with pytest.raises(UserError, match="stride needs videos of at least 9 frames, and the longest has 5; lower it"):
        prepare(
            settings({}), root=tmp_path / "data", out=tmp_path / "out", threads=1, needs=[Need("frames", 9, "stride")]
        )


def test_the_look_before_work_names_videos(tmp_path):
    movie(tmp_path / "data/a.mkv", pictures(5))
    lines = look_at(settings({}), tmp_path / "data", 1).lines
    assert "  videos: 1 file (e.g. a.mkv)" in lines
    assert "  all frames of the videos are images as well (prepare.video)" in lines
