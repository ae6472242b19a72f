"""GIF: every picture of an animation, with palettes and transparency, and nothing else.

Sources: GIF89a (CompuServe, 1990); NETSCAPE2.0 (loop count), XMP part 3 section 1.1.2, ICC.1 annex B.5
(``ICCRGBG1012``). GIF is read, never written.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers.animation import needed
from photo_anonymizer.metadata.readers.container import (
    Container,
    Findings,
    Layer,
    check_size,
    no_such_picture,
    undecodable,
)

MAGICS = (b"GIF87a", b"GIF89a")

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_CONTROL, _COMMENT, _TEXT, _APPLICATION = b"\xf9", b"\xfe", b"\x01", b"\xff"
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_DISPOSALS: dict[int, Literal["keep", "clear", "undo"]] = {2: "clear", 3: "undo"}
_MAX_BLOCKS = 1_000_000
"""Data comes in blocks of up to 255 bytes; a file that has more of them was made to waste time."""


@dataclass(frozen=True)
class _Part:
    """What stands behind the screen: an extension, an image, or the end marker."""

    start: int
    blocks: int
    """Where its data blocks begin."""
    end: int


@dataclass
class _Reading:
    data: bytes
    max_pixels: int
    wanted: int
    width: int
    """Of the canvas: the logical screen, enlarged to hold every image whole."""
    height: int
    table: bytes
    """The global colours, three bytes each; may be empty."""
    found: Findings = field(default_factory=Findings)
    control: bytes = b""
    pictures: int = 0
    steps: list[Layer] = field(default_factory=list)


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a GIF, with what has to be drawn before it.

    :raises PhotoError: TOO_MANY_PIXELS (screen or any image), or UNDECODABLE.
    """
    state = _Reading(data, max_pixels, frame, *_screen(data), table=data[13 : 13 + _table_size(data[10])])
    check_size(max(state.width, 1), max(state.height, 1), max_pixels)
    for part in _parts(data, max_pixels):
        _take(state, part)
    if frame >= state.pictures:
        raise no_such_picture()
    steps = needed(state.steps, (state.width, state.height))
    return Container(
        format="gif",
        width=state.width,
        height=state.height,
        clean=steps[-1].clean,
        exact=True,
        kinds=state.found.all_kinds(),
        icc=state.found.icc,
        orientation=state.found.orientation,
        kept=state.found.kept,
        layers=steps,
    )


def count(data: bytes) -> int:
    """How many pictures the file holds; 1 if it is broken. Never raises."""
    try:
        _screen(data)
        return max(1, sum(data[part.start] == _IMAGE for part in _parts(data)))
    except PhotoError:
        return 1


def _screen(data: bytes) -> tuple[int, int]:
    if len(data) < 13:
        raise undecodable("the GIF ends inside its header")
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _table_size(flags: int) -> int:
    """Bytes of the colour table that a packed field announces."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _parts(data: bytes, max_pixels: int = sys.maxsize) -> Iterator[_Part]:
    """Every part, the end marker included.

    :raises PhotoError: UNDECODABLE if the file ends before it or holds anything else, TOO_MANY_PIXELS if an image
        announces them, whatever follows.
    """
    at = 13 + _table_size(data[10])
    passed = 0
    try:
        while data[at] != _END:
            if data[at] == _IMAGE:
                check_size(*_place(data, at)[2:], max_pixels)
            blocks = _blocks_of(data, at)
            end, more = _behind_blocks(data, blocks)
            passed += more
            if passed > _MAX_BLOCKS:
                raise undecodable("the GIF is cut into too many blocks")
            yield _Part(at, blocks, end)
            at = end
    except IndexError:
        raise undecodable("the GIF ends before its end marker") from None
    yield _Part(at, at + 1, at + 1)


def _place(data: bytes, at: int) -> tuple[int, int, int, int]:
    """x, y, width and height in pixels of the image whose descriptor begins at ``at``."""
    if at + 10 > len(data):
        raise undecodable("the GIF ends inside an image")
    x, y, width, height = struct.unpack_from("<HHHH", data, at + 1)
    return x, y, width, height


def _blocks_of(data: bytes, at: int) -> int:
    if data[at] == _EXTENSION:
        return at + 2  # behind its label
    if data[at] == _IMAGE:
        return at + 10 + _table_size(data[at + 9]) + 1  # behind the descriptor, the colours and the code size
    raise undecodable("the GIF holds what is neither an image nor an extension")


def _behind_blocks(data: bytes, at: int) -> tuple[int, int]:
    """Where the blocks that begin at ``at`` end, and how many there are, the empty last one included."""
    passed = 1
    while data[at] and passed <= _MAX_BLOCKS:
        at += 1 + data[at]
        passed += 1
    return at + 1, passed


def _joined(data: bytes, at: int) -> bytes:
    """The content of the blocks that begin at ``at``."""
    pieces = []
    while data[at]:
        pieces.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(pieces)


def _take(state: _Reading, part: _Part) -> None:
    first, label = state.data[part.start], state.data[part.start + 1 : part.start + 2]
    if first == _IMAGE:
        _take_image(state, part)
    elif first == _END:
        state.found.kinds |= {"trailing_data"} if part.end < len(state.data) else set()
    elif label == _CONTROL:
        state.control = _joined(state.data, part.blocks)
    elif label == _APPLICATION:
        _take_application(state.found, state.data, part)
    else:
        state.found.kinds.add({_COMMENT: "comment", _TEXT: "text"}.get(label, "other_block"))


def _take_application(found: Findings, data: bytes, part: _Part) -> None:
    name, behind = data[part.blocks + 1 : part.blocks + 12], part.blocks + 12
    if data[part.blocks] != 11:
        found.kinds.add("other_block")
    elif name == b"XMP DataXMP":
        found.saw_xmp(data[behind : part.end])  # not in blocks: the packet itself, and a tail that ends the blocks
    elif name == b"ICCRGBG1012":
        found.kinds.add("icc")
        found.icc = found.icc or _joined(data, behind)
    elif name not in _LOOPS:
        found.kinds.add("other_block")


def _take_image(state: _Reading, part: _Part) -> None:
    """Counts an image, makes room for it on the canvas, and keeps it if the wanted picture may need it."""
    x, y, width, height = _place(state.data, part.start)
    state.width, state.height = max(state.width, x + width), max(state.height, y + height)
    check_size(state.width, state.height, state.max_pixels)
    if state.pictures <= state.wanted:
        state.steps.append(_step(state, part, (x, y, width, height)))
    state.pictures += 1
    state.control = b""


def _step(state: _Reading, part: _Part, place: tuple[int, int, int, int]) -> Layer:
    x, y, width, height = place
    flags, colours = state.data[part.start + 9], part.start + 10
    packed = state.control[0] if len(state.control) >= 4 else 0
    key = state.control[3] if packed & 1 else None
    own = state.data[colours : colours + _table_size(flags)]
    pixels = state.data[part.blocks - 1 : part.end]
    return Layer(
        clean=_written((width, height), own or state.table, pixels, interlaced=bool(flags & 0x40), key=key),
        x=x,
        y=y,
        width=width,
        height=height,
        over=key is not None,
        after=_DISPOSALS.get(packed >> 2 & 7, "keep"),
    )


def _written(size_wh: tuple[int, int], table: bytes, pixels: bytes, *, interlaced: bool, key: int | None) -> bytes:
    """A still GIF of one image."""
    control = b"" if key is None else b"\x21\xf9\x04\x01\x00\x00" + bytes([key]) + b"\x00"
    flags = (0x80 | (len(table) // 3).bit_length() - 2 if table else 0) | (0x40 if interlaced else 0)
    image = struct.pack("<BHHHHB", _IMAGE, 0, 0, *size_wh, flags)
    screen = struct.pack("<HHBBB", *size_wh, 0, 0, 0)
    return b"".join([b"GIF89a", screen, control, image, table, pixels, bytes([_END])])
