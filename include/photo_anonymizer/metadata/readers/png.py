"""PNG and APNG: keeping only header, palette, transparency and pixels.

Source: PNG specification, third edition (W3C, 2025), sections 5, 10 and 11.

``clean`` of a PNG is for the decoder and is not published: palette entries, padding bits and the packed stream
can hold more than the picture. What is published is always written anew from the pixels.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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
    unsupported,
)

MAGIC = b"\x89PNG\r\n\x1a\n"

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_MAX_EMBEDDED = 8_000_000
_MAX_CHUNKS = 1_000_000
"""Writers cut pixels into chunks of 8 kB and more; a file with more chunks was made to waste time."""
_KINDS = {
    b"tIME": "timestamps",
    b"pHYs": "resolution",
    b"gAMA": "colour_tags",
    b"cHRM": "colour_tags",
    b"sRGB": "colour_tags",
    b"cICP": "colour_tags",
    b"mDCV": "colour_tags",
    b"cLLI": "colour_tags",
}
_KEYWORDS = {
    b"Author": "owner_name",
    b"Copyright": "copyright",
    b"Creation Time": "timestamps",
    b"Software": "software",
    b"Source": "camera",
}
"""Text that the standard names (section 11.3.3.1); ``Source`` is the device."""
_CLEAR, _UNDO = 1, 2
_DISPOSALS: dict[int, Literal["clear", "undo"]] = {_CLEAR: "clear", _UNDO: "undo"}


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool

    @property
    def raw_size(self) -> int:
        """Bytes of the unpacked pixel stream, filter bytes included."""
        passes = _ADAM7 if self.interlaced else ((0, 0, 1, 1),)
        return sum(self._pass_size(*one) for one in passes)

    def _pass_size(self, x: int, y: int, dx: int, dy: int) -> int:
        columns, rows = -((x - self.width) // dx), -((y - self.height) // dy)
        if columns <= 0 or rows <= 0:
            return 0
        return rows * (1 + (columns * self.depth * _CHANNELS[self.colour] + 7) // 8)


@dataclass(frozen=True)
class _Control:
    """A frame of an animation (``fcTL``, section 11.3.6.2)."""

    width: int
    height: int
    x: int
    y: int
    disposal: int
    over: bool


@dataclass
class _Picture:
    """The default picture, a frame of an animation, or both in one."""

    control: _Control | None = None
    pixels: list[bytes] = field(default_factory=list)


@dataclass
class _Reading:
    found: Findings = field(default_factory=Findings)
    palette: bytes = b""
    transparency: bytes = b""
    animated: bool = False
    default: bool = False
    """Has the default picture begun?"""
    pictures: list[_Picture] = field(default_factory=list)


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a PNG: header, palette, transparency and pixels, for the decoder.

    The frames of an animation are pictures as they are shown, and a default picture that is none of them comes
    first. ``gAMA``, ``cHRM`` and ``cICP`` are dropped and the pixels taken as sRGB: cameras and editors that mean
    other colours embed a profile. Colours keyed transparent in a 16 bit RGB picture become opaque.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    chunks = _chunks(data)
    header = _header(next(chunks), max_pixels)
    state = _Reading()
    end = 0
    for kind, payload, after in chunks:
        if kind == b"IEND":
            end = after
            break
        _take(state, header, kind, payload)
    if end < len(data):
        state.found.kinds.add("trailing_data")
    if header.depth == 16 and header.colour == 2:
        state.transparency = b""
    if not state.default:
        raise undecodable("the PNG holds no picture")
    if frame >= len(state.pictures):
        raise no_such_picture()
    layers = _layers(header, state, frame)
    return Container(
        format="png",
        width=header.width,
        height=header.height,
        clean=layers[-1].clean if layers else _still(header, state, state.pictures[frame].pixels),
        exact=header.depth <= 8,
        kinds=state.found.all_kinds(),
        icc=state.found.icc,
        orientation=state.found.orientation,
        depth=header.depth,
        kept=state.found.kept,
        layers=layers,
    )


def count(data: bytes) -> int:
    """How many pictures the file holds: the frames of its animation, and a default picture that is none of them;
    1 if it is broken. Never raises."""
    animated = default_apart = False
    frames = 0
    try:
        for kind, _, _ in _positions(data):
            animated = animated or kind == b"acTL"
            frames += kind == b"fcTL"
            if kind == b"IDAT" and not animated:
                return 1
            default_apart = default_apart or (kind == b"IDAT" and not frames)
    except PhotoError:
        return 1
    return max(1, frames + default_apart)


def _layers(header: _Header, state: _Reading, frame: int) -> tuple[Layer, ...]:
    """What has to be drawn to see a frame of an animation; nothing for a picture that stands alone."""
    if state.pictures[frame].control is None:
        return ()
    steps = [_step(one.control, one.pixels) for one in state.pictures[: frame + 1] if one.control]
    return tuple(
        replace(step, clean=_still(replace(header, width=step.width, height=step.height), state, [step.clean]))
        for step in needed(steps, (header.width, header.height))
    )


def _step(control: _Control, pixels: list[bytes]) -> Layer:
    """A frame whose ``clean`` is its packed pixels yet: only those that are needed are unpacked and checked."""
    return Layer(
        clean=b"".join(pixels),
        x=control.x,
        y=control.y,
        width=control.width,
        height=control.height,
        over=control.over,
        after=_DISPOSALS.get(control.disposal, "keep"),
    )


def _still(header: _Header, state: _Reading, pixels: list[bytes]) -> bytes:
    """A PNG of one picture.

    :raises PhotoError: UNDECODABLE if its pixels are incomplete.
    """
    if _surplus(pixels, header.raw_size):
        state.found.kinds.add("hidden_data")
    return _written(header, state, pixels)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """(type, payload, offset behind the chunk) up to and including IEND; critical checksums are verified."""
    for kind, at, after in _positions(data):
        payload = data[at + 8 : after - 4]
        critical = not kind[0] & 0x20
        if critical and binascii.crc32(kind + payload) != struct.unpack_from(">I", data, after - 4)[0]:
            raise undecodable("a PNG checksum is wrong")
        yield kind, payload, after


def _positions(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, offset of the chunk, offset behind it) up to and including IEND."""
    at = len(MAGIC)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(data):
            raise undecodable("the PNG ends before its end chunk")
        length, kind = struct.unpack_from(">I4s", data, at)
        after = at + 12 + length
        if after > len(data):
            raise undecodable("the PNG ends inside a chunk")
        yield kind, at, after
        if kind == b"IEND":
            return
        at = after
    raise undecodable("the PNG is cut into too many chunks")


def _header(first: tuple[bytes, bytes, int], max_pixels: int) -> _Header:
    kind, payload, _ = first
    if kind != b"IHDR" or len(payload) != 13:
        raise undecodable("the PNG does not begin with its header")
    width, height, depth, colour, packing, filtering, interlace = struct.unpack(">IIBBBBB", payload)
    check_size(width, height, max_pixels)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise undecodable("a broken PNG header")
    return _Header(width, height, depth, colour, bool(interlace))


def _take(state: _Reading, header: _Header, kind: bytes, payload: bytes) -> None:
    if kind == b"IDAT":
        _take_default(state, payload)
    elif kind == b"PLTE":
        _take_palette(state, header, payload)
    elif kind == b"tRNS":
        if header.colour in (0, 2, 3) and not state.default:
            state.transparency = payload
    elif kind in (b"fdAT", b"fcTL", b"acTL"):
        _take_animation(state, header, kind, payload)
    elif not kind[0] & 0x20:
        raise unsupported("a PNG with a critical chunk that the standard does not know")
    else:
        _take_extra(state.found, kind, payload)


def _take_palette(state: _Reading, header: _Header, payload: bytes) -> None:
    if len(payload) % 3 or not 0 < len(payload) <= 768 or state.palette:
        raise undecodable("a broken PNG palette")
    if header.colour == 3:
        state.palette = payload


def _take_default(state: _Reading, payload: bytes) -> None:
    """The default picture is a frame of the animation if a frame was announced before it."""
    if not state.default and not state.pictures:
        state.pictures.append(_Picture())
    state.default = True
    if len(state.pictures) > 1:
        raise undecodable("the default picture of a PNG is torn apart")
    state.pictures[0].pixels.append(payload)


def _take_animation(state: _Reading, header: _Header, kind: bytes, payload: bytes) -> None:
    """Control chunks and pixels of frames; without an ``acTL`` before the pixels no viewer looks at them."""
    state.found.kinds.add("animation")
    state.animated = state.animated or (kind == b"acTL" and not state.default)
    if not state.animated:
        return
    if kind == b"fcTL":
        state.pictures.append(_Picture(_control(header, payload, first=not any(one.control for one in state.pictures))))
    elif kind == b"fdAT":
        last = state.pictures[-1] if len(state.pictures) > 1 else None
        if last is None or last.control is None:
            raise undecodable("pixels of a PNG animation without their frame")
        last.pixels.append(payload[4:])


def _control(header: _Header, payload: bytes, *, first: bool) -> _Control:
    if len(payload) != 26:
        raise undecodable("a broken PNG frame header")
    _, width, height, x, y, _, _, disposal, blend = struct.unpack(">IIIIIHHBB", payload)
    if not width or not height or x + width > header.width or y + height > header.height:
        raise undecodable("a PNG frame outside the picture")
    # Nothing is there yet to go back to (section 11.3.6.2).
    return _Control(width, height, x, y, _CLEAR if first and disposal == _UNDO else disposal, blend == 1)


def _take_extra(found: Findings, kind: bytes, payload: bytes) -> None:
    if kind == b"eXIf":
        found.saw_exif(payload)
    elif kind == b"iCCP":
        found.kinds.add("icc")
        found.icc = _inflated(payload.partition(b"\x00")[2][1:])
    elif kind in (b"tEXt", b"zTXt", b"iTXt"):
        _take_text(found, kind, payload)
    else:
        found.kinds.add(_KINDS.get(kind, "other_chunk"))


def _take_text(found: Findings, kind: bytes, payload: bytes) -> None:
    """Text is only looked into where it may say how the picture is turned."""
    keyword, _, rest = payload.partition(b"\x00")
    if kind == b"iTXt" and keyword == b"XML:com.adobe.xmp":
        packed, text = rest[:1] == b"\x01", rest[2:].split(b"\x00", 2)[-1]
        found.saw_xmp(_inflated(text) if packed else text)
    elif keyword.startswith(b"Raw profile type "):
        text = _inflated(rest[1:]) if kind == b"zTXt" else rest
        _take_raw_profile(found, keyword[17:].strip().lower(), text)
    else:
        found.kinds |= {"text", _KEYWORDS.get(keyword, "text")}


def _take_raw_profile(found: Findings, name: bytes, text: bytes) -> None:
    """ImageMagick's way to put EXIF, XMP, IPTC and ICC into PNG text: a name, a length, then hex digits."""
    lines = text.strip().split(b"\n", 2)
    digits = re.sub(rb"\s", b"", lines[2]) if len(lines) == 3 else b""
    try:
        block = binascii.unhexlify(digits)
    except binascii.Error:
        block = b""
    if name in (b"exif", b"app1"):
        found.saw_exif(block)
    elif name == b"xmp":
        found.saw_xmp(block)
    elif name in (b"icc", b"icm"):
        found.kinds.add("icc")
        found.icc = found.icc or block
    else:
        found.kinds.add("iptc" if name == b"iptc" else "text")


def _inflated(packed: bytes) -> bytes:
    """Unpacked bytes, or nothing if they are broken or unreasonably many."""
    unpacker = zlib.decompressobj()
    try:
        block = unpacker.decompress(packed, _MAX_EMBEDDED)
    except zlib.error:
        return b""
    return b"" if unpacker.unconsumed_tail else block


def _surplus(parts: list[bytes], expected: int) -> bool:
    """Is there more in the pixel stream than the picture needs? (Rows of an earlier, larger version.)

    :raises PhotoError: UNDECODABLE if there is less, or the stream is broken.
    """
    unpacker = zlib.decompressobj()
    size = 0
    surplus = False
    try:
        for part in parts:
            surplus = surplus or (unpacker.eof and bool(part))
            while part and not unpacker.eof and size <= expected:
                size += len(unpacker.decompress(part, 1 << 20))
                part = unpacker.unconsumed_tail
    except zlib.error:
        raise undecodable("the PNG pixel stream is broken") from None
    if size < expected or (size == expected and not unpacker.eof):
        raise undecodable("the PNG pixel stream ends too early")
    return surplus or size > expected or bool(unpacker.unused_data)


def _written(header: _Header, state: _Reading, pixels: list[bytes]) -> bytes:
    fields = struct.pack(">IIBBBBB", header.width, header.height, header.depth, header.colour, 0, 0, header.interlaced)
    parts = [MAGIC, _chunk(b"IHDR", fields)]
    if state.palette:
        parts.append(_chunk(b"PLTE", state.palette))
    if state.transparency:
        parts.append(_chunk(b"tRNS", state.transparency))
    parts.extend(_chunk(b"IDAT", part) for part in pixels if part)
    return b"".join([*parts, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", binascii.crc32(kind + payload))
