"""Boxes: the one structure behind HEIF, AVIF and JP2 files, read without trusting any number in it.

Sources: ISO/IEC 14496-12 section 4.2 (boxes), ISO/IEC 15444-1 Annex I.4 (the same structure in JP2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_BOXES = 4096
"""Boxes side by side: a still of 48 megapixels in tiles of 512 has some 200 items."""


class BrokenBoxError(ValueError):
    """The bytes are no readable box structure. Carries no text from the file."""


@dataclass(frozen=True)
class Box:
    """Where a box lies in its file; all offsets count from the file's beginning."""

    kind: bytes
    """Four letters; ``uuid`` boxes have their 16 byte identifier in front of their content."""
    start: int
    body: int
    end: int

    def content(self, data: bytes) -> bytes:
        """What follows the box header."""
        return data[self.body : self.end]


def boxes(data: bytes, start: int, end: int) -> tuple[Box, ...]:
    """All boxes between two offsets, which they must fill.

    :raises BrokenBoxError: they do not, or they are too many.
    """
    found, stop = leading(data, start, end)
    if stop != end:
        raise BrokenBoxError("bytes that are no box")
    return found


def leading(data: bytes, start: int, end: int) -> tuple[tuple[Box, ...], int]:
    """The boxes from ``start`` on, up to the first bytes that are none, and the offset of those.

    :raises BrokenBoxError: more boxes than :data:`MAX_BOXES`.
    """
    found: list[Box] = []
    for box in _chain(data, start, end):
        if len(found) == MAX_BOXES:
            raise BrokenBoxError("too many boxes")
        found.append(box)
    return tuple(found), found[-1].end if found else start


def _chain(data: bytes, start: int, end: int) -> Iterator[Box]:
    end = min(end, len(data))
    while start + 8 <= end:
        size, kind = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8]
        body = start + 8
        if size == 1:  # the size did not fit into 32 bit
            size, body = int.from_bytes(data[body : body + 8]), body + 8
        elif size == 0:  # the last box reaches to the end
            size = end - start
        if size < body - start or size > end - start or not _is_name(kind):
            return
        yield Box(kind, start, body, start + size)
        start += size


def _is_name(kind: bytes) -> bool:
    """Box types are letters, digits, blanks and little else: what is not begins something that is no box."""
    return all(0x20 <= letter < 0x7F or letter == 0xA9 for letter in kind)


def child(inside: tuple[Box, ...], kind: bytes) -> Box | None:
    """The first box of a kind."""
    return next((box for box in inside if box.kind == kind), None)


def needed(inside: tuple[Box, ...], kind: bytes) -> Box:
    """The first box of a kind.

    :raises BrokenBoxError: there is none.
    """
    box = child(inside, kind)
    if box is None:
        raise BrokenBoxError("a box is missing")
    return box


def written(kind: bytes, *parts: bytes) -> bytes:
    """A box with this content (less than 4 GB)."""
    return (8 + sum(map(len, parts))).to_bytes(4) + kind + b"".join(parts)


class Fields:
    """Reads the numbers of a box one after the other (all are big-endian)."""

    def __init__(self, data: bytes, box: Box) -> None:
        self._data, self._at, self._end = data, box.body, box.end

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    @property
    def at(self) -> int:
        """Offset in the file of the next byte."""
        return self._at

    def uint(self, size: int) -> int:
        """The next ``size`` bytes as a number without sign.

        :raises BrokenBoxError: the box ends before.
        """
        return int.from_bytes(self.take(size))

    def sint(self, size: int) -> int:
        """The next ``size`` bytes as a number with sign.

        :raises BrokenBoxError: the box ends before.
        """
        return int.from_bytes(self.take(size), signed=True)

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes.

        :raises BrokenBoxError: the box ends before.
        """
        if size > self.left:
            raise BrokenBoxError("a box ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def text(self) -> bytes:
        """Bytes up to the next zero byte, or to the end."""
        stop = self._data.find(b"\0", self._at, self._end)
        stop = self._end if stop < 0 else stop
        value = self._data[self._at : stop]
        self._at = min(stop + 1, self._end)
        return value

    def version(self) -> int:
        """Version of a full box; its flags are skipped."""
        return self.uint(4) >> 24
