"""What a colour or a value of a mask means: the keys and ids of prepare.mask_colours. Imports no torch."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

ID = Annotated[int, Field(ge=0, lt=1000)]
"""Of a category; 1000 means ignore in the masks of ImageNet-S."""


def read_key(text: Any) -> str:
    """A colour as '#rrggbb', or a value of one channel as a decimal number, however it was written.

    Raises:
        ValueError: neither.
    """
    key = str(text).strip().lower()
    if re.fullmatch("#[0-9a-f]{6}", key):
        return key
    channels = [part.strip() for part in key.strip("()[]").split(",")]
    if all(re.fullmatch("[0-9]{1,5}", part) for part in channels):
        values = [int(part) for part in channels]
        if len(values) == 3 and max(values) < 256:
            return "#{:02x}{:02x}{:02x}".format(*values)
        if len(values) == 1 and values[0] < 1 << 16:
            return str(values[0])
    raise ValueError(
        f'{text!r} is neither a colour nor a value; write a colour as "#ff0000" or "255,0,0" (in quotes), a value of a'
        " mask with one channel as a number, such as 128"
    )


def _table(entries: Any) -> Any:
    if not isinstance(entries, dict):
        return entries
    keys = [read_key(text) for text in entries]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice:
        raise ValueError(f"{twice} is there twice; a colour has one id")
    return dict(zip(keys, entries.values(), strict=True))


MaskTable = Annotated[dict[str, ID | Literal["ignore"]], BeforeValidator(_table)]
"""From a colour or value to the id of its category, or to 'ignore'."""
