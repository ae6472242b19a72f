"""Reading image file directories (IFDs): the one structure behind TIFF, EXIF and multi-picture (MPF) blocks.

Sources: TIFF 6.0 section 2, BigTIFF (libtiff), EXIF 2.32 (CIPA DC-008) section 4.6.2, CIPA DC-007 (MPF).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of one value, by field type."""

_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_FRACTIONS = {5: "II", 10: "ii"}
SMALLEST_ENTRY = 12
"""Bytes of one entry (20 in BigTIFF)."""
_MAX_ENTRIES = 4096
_MAX_VALUES = 4_000_000


class BrokenDirectoryError(ValueError):
    """The bytes are no readable directory. Carries no text from the file."""


@dataclass(frozen=True)
class Entry:
    """One tag: its field type, how many values it has, and its raw value field."""

    tag: int
    kind: int
    count: int
    raw: bytes
    block: bytes = field(repr=False)
    """Where the value is: a directory can name the whole file thousands of times, so that nothing is copied early."""
    start: int
    size: int

    @property
    def value(self) -> bytes:
        """The bytes of all values."""
        return self.block[self.start : self.start + self.size]


@dataclass(frozen=True)
class Directory:
    """One IFD: its entries by tag and the offset of the next one (0: none)."""

    entries: dict[int, Entry]
    next: int
    length: int = 0
    """Entries as stored, repeated tags too: what reading it costs."""


@dataclass(frozen=True)
class Layout:
    """Byte order and offset width of a TIFF block, and where its first directory is."""

    order: str
    big: bool
    first: int

    @property
    def word(self) -> str:
        """``struct`` letter of an offset."""
        return "Q" if self.big else "I"


def layout(block: bytes) -> Layout:
    """The header of a TIFF block.

    :raises BrokenDirectoryError: if it is none.
    """
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        raise BrokenDirectoryError("no TIFF header")
    (magic,) = struct.unpack_from(order + "H", block, 2)
    if magic == 42:
        return Layout(order, False, struct.unpack_from(order + "I", block, 4)[0])
    if magic == 43 and len(block) >= 16:
        return Layout(order, True, struct.unpack_from(order + "Q", block, 8)[0])
    raise BrokenDirectoryError("no TIFF header")


def directory(block: bytes, form: Layout, offset: int) -> Directory:
    """The directory at ``offset``. Entries whose values lie outside the block are left out.

    :raises BrokenDirectoryError: if the directory itself does not lie inside the block.
    """
    head, width, inline = ("Q", 20, 8) if form.big else ("H", 12, 4)
    try:
        (count,) = struct.unpack_from(form.order + head, block, offset)
        start = offset + struct.calcsize(form.order + head)
        if offset <= 0 or count > _MAX_ENTRIES or start + count * width > len(block):
            raise BrokenDirectoryError("directory outside the file")
        entries = [_entry(block, form, start + index * width, inline) for index in range(count)]
        behind = start + count * width
        following = block[behind : behind + inline]
    except (struct.error, OverflowError):
        raise BrokenDirectoryError("directory outside the file") from None
    # EXIF blocks in the wild end right after the last entry: then there is no next directory.
    after = struct.unpack(form.order + form.word, following)[0] if len(following) == inline else 0
    found: dict[int, Entry] = {}
    for entry in entries:
        if entry is not None:
            found.setdefault(entry.tag, entry)
    return Directory(found, after, count)


def _entry(block: bytes, form: Layout, at: int, inline: int) -> Entry | None:
    tag, kind, count = struct.unpack_from(form.order + "HH" + form.word, block, at)
    place = at + 4 + struct.calcsize(form.order + form.word)
    raw = block[place : place + inline]
    size = SIZES.get(kind, 0) * count
    if size <= inline:
        return Entry(tag, kind, count, raw, block, place, size)
    (offset,) = struct.unpack(form.order + form.word, raw)
    return None if offset + size > len(block) else Entry(tag, kind, count, raw, block, offset, size)


def integers(entry: Entry | None, form: Layout) -> tuple[int, ...]:
    """The values of an entry with an unsigned integer type; ``()`` for anything else."""
    if entry is None or entry.kind not in _INTEGERS or entry.count > _MAX_VALUES:
        return ()
    return struct.unpack(f"{form.order}{entry.count}{_INTEGERS[entry.kind]}", entry.value)


def integer(entry: Entry | None, form: Layout, default: int = 0) -> int:
    """The first integer of an entry, or ``default``."""
    if entry is None or entry.kind not in _INTEGERS or not entry.count:
        return default
    # Not by all of its values: thousands of directories can name the same long list.
    (value,) = struct.unpack_from(form.order + _INTEGERS[entry.kind], entry.block, entry.start)
    return int(value)


def number(entry: Entry | None, form: Layout) -> float | None:
    """The first value of an entry, whole or a fraction; None if it has none, or one divided by zero."""
    if entry is not None and entry.kind in _FRACTIONS and entry.count:
        above, below = struct.unpack_from(form.order + _FRACTIONS[entry.kind], entry.value)
        return above / below if below else None
    if entry is None or entry.kind not in _INTEGERS or not entry.count:
        return None
    return float(integer(entry, form))
