"""What among the images is video, and whether methods find there what they need."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Positive, Section
from luss_core.errors import UserError

if TYPE_CHECKING:
    from luss_core.config.training import PretrainConfig

GROUPS = frozenset({"video", "frame"})
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VideoConfig(Section):
    """Which images are frames of one video, and when each was taken: for methods that learn from pairs of frames."""

    sources: tuple[Literal["folders", "files"], ...] = ()
    """[]: photographs, which are frames of nothing; video files are left out. folders: the images of a folder are the
    frames of a video, in the order of their names (frame 2 before frame 10). files: video files are read, by the
    package av. [folders, files]: both."""
    names: str | None = None
    """Regular expression with groups `video` and `frame` that is searched in the path of an image without its suffix,
    where names tell the video: (?P<video>[^/]+)_f?(?P<frame>[0-9]+)$ for 0001TP_006690.png of CamVid. Images that it
    does not fit are frames as sources say."""
    frame_rate: Rate | dict[str, Rate] | None = None
    """Frames a second, by which the numbers in the names of images count; or one for each folder below the data root,
    as in {davis: 24, camvid: 30}. Video files say theirs. null: not known; pairs can then lie so many frames apart, but
    no milliseconds."""
    every: Positive = 1
    """Keep every n-th frame of a video file; images are kept all."""

    @property
    def on(self) -> bool:
        """Whether there are frames at all."""
        return bool(self.sources) or self.names is not None

    @property
    def reads_files(self) -> bool:
        """Whether video files are looked at."""
        return "files" in self.sources

    @model_validator(mode="after")
    def _on_where_said(self) -> Self:
        if not self.on and (self.frame_rate is not None or self.every > 1):
            raise ValueError(
                "frame_rate and every are for videos, but sources is [], which means photographs; set sources:"
                " [folders, files], or one of them"
            )
        if self.every > 1 and "files" not in self.sources:
            raise ValueError(
                f"every {self.every} is for video files, which sources {list(self.sources)} leaves out; add files, or"
                " take images away yourself, of which all are kept"
            )
        return self

    @field_validator("sources", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple) or set(value) - {"folders", "files"}:
            raise ValueError(f"found {value!r}; allowed: [], [folders], [files] or [folders, files]")
        return value

    @field_validator("names")
    @classmethod
    def _has_groups(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            found = frozenset(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        if missing := sorted(GROUPS - found):
            raise ValueError(
                f"{value!r} has no group {' and no group '.join(missing)}; write (?P<video>...) around what names the"
                " video, and (?P<frame>...) around the number of the frame"
            )
        return value

    @field_validator("frame_rate", mode="before")
    @classmethod
    def _rates(cls, value: Any) -> Any:
        """One message in place of those of each kind of value."""
        rates = list(value.values()) if isinstance(value, Mapping) else [value] * (value is not None)
        if not all(map(_is_rate, rates)):
            raise ValueError(
                f"found {value!r}; allowed: frames a second, such as 30, or those of each folder below the data root:"
                " {davis: 24, camvid: 30}, or null"
            )
        return {str(folder).strip("/"): rate for folder, rate in value.items()} if isinstance(value, Mapping) else value

    @model_validator(mode="before")
    @classmethod
    def _is_section(cls, value: Any) -> Any:
        if not isinstance(value, Mapping | cls):
            raise ValueError(
                f"found {value!r}; allowed: keys, such as {{sources: [folders, files]}} for folders of frames and video"
                " files"
            )
        return value

    def rate_of(self, path: str) -> float | None:
        """Frames a second of an image by its path below the data root: that of the innermost folder that has one."""
        if not isinstance(self.frame_rate, dict):
            return self.frame_rate
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self.frame_rate:
                return self.frame_rate[folder]
        return self.frame_rate.get("")


def _is_rate(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and 0 < float(value) < math.inf
    except (TypeError, ValueError):
        return False


def check_pairs(preset: str, pretrain: "PretrainConfig", video: VideoConfig) -> None:
    """Whether there can be the pairs of frames that a preset learns from; what is in the folder shows later.

    Raises:
        UserError: there cannot.
    """
    method, ms = pretrain.method, pretrain.method.frame_stride_ms
    if "pairs" not in method.needs or not pretrain.train.epochs:
        return
    if not video.on and (ms or method.frame_stride):
        apart = f"{ms:g} ms apart (method.stride_ms)" if ms else f"{method.frame_stride} apart (method.stride)"
        raise UserError(
            f"config: preset {preset} learns from frames of one video, {apart}, but prepare.video.sources is [],"
            " which means photographs: set prepare.video.sources: [folders, files] if data_root holds folders of frames"
            " or videos, or method.stride: 0, which shows each photograph twice, in other colours"
        )
    if ms and video.frame_rate is None and "files" not in video.sources:
        raise UserError(
            f"config: preset {preset} pairs frames {ms:g} ms apart (method.stride_ms), and images do not say when they"
            " were taken: set prepare.video.frame_rate to frames a second, or method.stride in frames"
        )
