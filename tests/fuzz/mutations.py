"""Ways in which files are damaged: by a failing disk or memory, a broken copy, an editor, another program."""

from collections.abc import Callable

import numpy as np

Random = np.random.Generator
AT_ONCE = (1, 1, 1, 2, 3)
"""Ways, one of these numbers."""


def mutated(content: bytes, random: Random) -> bytes:
    """The content, damaged in one way or a few; never the same."""
    found = content
    while found == content:
        for _ in range(random.choice(AT_ONCE)):
            found = WAYS[random.integers(len(WAYS))](found, random)
    return found


def _place(content: bytes, random: Random) -> int:
    """The beginning and the end, where formats keep what holds the rest together, are as likely as all between."""
    where = random.integers(4)
    size = len(content)
    if where == 0:
        return int(random.integers(min(size, 600) + 1))
    if where == 1:
        return int(size - random.integers(min(size, 600) + 1))
    return int(random.integers(size + 1))


def _length(content: bytes, random: Random) -> int:
    return int(min(2 ** random.uniform(0, 12), len(content)))


def _bits(content: bytes, random: Random) -> bytes:
    found = bytearray(content)
    for _ in range(random.choice([1, 1, 1, 2, 8, 64])):
        if (place := _place(content, random)) < len(found):
            found[place] ^= 1 << int(random.integers(8))
    return bytes(found)


def _other(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), _length(content, random)
    return content[:place] + random.bytes(len(content[place : place + length])) + content[place + length :]


def _zeros(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), _length(content, random)
    return content[:place] + bytes(len(content[place : place + length])) + content[place + length :]


def _truncated(content: bytes, random: Random) -> bytes:
    return content[: _place(content, random)]


def _extended(content: bytes, random: Random) -> bytes:
    length = _length(content, random)
    return content + [random.bytes(length), bytes(length), content[:length]][random.integers(3)]


def _without(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), _length(content, random)
    return content[:place] + content[place + length :]


def _twice(content: bytes, random: Random) -> bytes:
    place, length = _place(content, random), _length(content, random)
    return content[: place + length] + content[place : place + length] + content[place + length :]


def _swapped(content: bytes, random: Random) -> bytes:
    length = max(1, _length(content, random) // 2)
    one, two = sorted((_place(content, random), _place(content, random)))
    two = max(two, one + length)
    first, second = content[one : one + length], content[two : two + length]
    return content[:one] + second + content[one + length : two] + first + content[two + length :]


def _words(content: bytes, random: Random) -> bytes:
    """What is special in texts, anywhere."""
    place = _place(content, random)
    word = [b"NaN", b"-1", b"null", b"1e999", b"{", b"[" * 2000, b'"', b",", b"\n", b"\xff", b"9" * 30, b"\0", b":"]
    return content[:place] + word[random.integers(len(word))] + content[place:]


WAYS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _bits, _bits, _other, _zeros, _truncated, _extended, _without, _twice, _swapped, _words,
)  # fmt: skip
