"""What among the images is video."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from luss_core.config.base import Positive, Section

GROUPS = frozenset({"video", "frame"})
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VideoConfig(Section):
    """Which images are frames of one video, and when each was taken."""

    sources: Annotated[tuple[Literal["folders", "files"], ...], Field(min_length=1)] = ("folders", "files")
    """folders: the images of a folder are the frames of a video, in the order of their names (frame 2 before frame 10).
    files: video files are read, by the package av. Both may lie in one folder."""
    names: str | None = None
    """Regular expression with groups `video` and `frame` that is searched in the path of an image without its suffix,
    where names tell the video: (?P<video>[^/]+)_f?(?P<frame>[0-9]+)$ for 0001TP_006690.png of CamVid. What it does not
    fit belongs to the folder, if sources have folders, else to no video."""
    frame_rate: Rate | dict[str, Rate] | None = None
    """Frames a second, by which the numbers in the names of images count; or one for each folder below the data root,
    as in {davis: 24, camvid: 30}. Video files say theirs. null: not known; pairs can then lie so many frames apart, but
    no milliseconds."""
    every: Positive = 1
    """Keep every n-th frame of a video file; images are kept all."""

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
                f"found {value!r}; allowed: {{}} for folders of frames and video files, or keys such as"
                " {frame_rate: 24}, or null for photographs"
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
