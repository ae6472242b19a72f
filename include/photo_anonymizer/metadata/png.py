"""PNG: keeping only header, palette, transparency and pixels.

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
from dataclasses import dataclass, field

from photo_anonymizer.metadata.container import (
    Container,
    Findings,
    check_size,
    several,
    undecodable,
    unsupported,
)

MAGIC = b"\x89PNG\r\n\x1a\n"

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_MAX_EMBEDDED = 8_000_000
_KINDS = {
    b"tIME": "time",
    b"pHYs": "resolution",
    b"gAMA": "colour_tags",
    b"cHRM": "colour_tags",
    b"sRGB": "colour_tags",
    b"cICP": "colour_tags",
    b"mDCV": "colour_tags",
    b"cLLI": "colour_tags",
    b"acTL": "animation",
}


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


@dataclass
class _Reading:
    found: Findings = field(default_factory=Findings)
    palette: bytes = b""
    transparency: bytes = b""
    pixels: list[bytes] = field(default_factory=list)


def parse(data: bytes, max_pixels: int) -> Container:
    """One PNG picture: header, palette, transparency and pixels, for the decoder.

    ``gAMA``, ``cHRM`` and ``cICP`` are dropped and the pixels taken as sRGB: cameras and editors that mean
    other colours embed a profile. Colours keyed transparent in a 16 bit RGB picture become opaque.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE, UNSUPPORTED_FORMAT or SEVERAL_PICTURES.
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
    surplus = _surplus(state.pixels, header.raw_size)
    if surplus:
        state.found.kinds.add("hidden_data")
    if header.depth == 16 and header.colour == 2:
        state.transparency = b""
    return Container(
        format="png",
        width=header.width,
        height=header.height,
        clean=_written(header, state),
        exact=header.depth == 8 or header.colour == 3,
        kinds=state.found.all_kinds(),
        icc=state.found.icc,
        orientation=state.found.orientation,
        depth=header.depth,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """(type, payload, offset behind the chunk) up to and including IEND; critical checksums are verified."""
    at = len(MAGIC)
    while True:
        if at + 12 > len(data):
            raise undecodable("the PNG ends before its end chunk")
        length, kind = struct.unpack_from(">I4s", data, at)
        after = at + 12 + length
        if after > len(data):
            raise undecodable("the PNG ends inside a chunk")
        payload = data[at + 8 : after - 4]
        critical = not kind[0] & 0x20
        if critical and binascii.crc32(kind + payload) != struct.unpack_from(">I", data, after - 4)[0]:
            raise undecodable("a PNG checksum is wrong")
        yield kind, payload, after
        at = after


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
        state.pixels.append(payload)
    elif kind == b"PLTE":
        _take_palette(state, header, payload)
    elif kind == b"tRNS":
        if header.colour in (0, 2, 3) and not state.pixels:
            state.transparency = payload
    elif kind in (b"fdAT", b"fcTL", b"acTL"):
        _take_animation(state, kind, payload)
    elif not kind[0] & 0x20:
        raise unsupported("a PNG with a critical chunk that the standard does not know")
    else:
        _take_extra(state.found, kind, payload)


def _take_palette(state: _Reading, header: _Header, payload: bytes) -> None:
    if len(payload) % 3 or not 0 < len(payload) <= 768 or state.palette:
        raise undecodable("a broken PNG palette")
    if header.colour == 3:
        state.palette = payload


def _take_animation(state: _Reading, kind: bytes, payload: bytes) -> None:
    if kind == b"fdAT" or (kind == b"acTL" and payload[:4] != b"\x00\x00\x00\x01"):
        raise several("an animated PNG")
    state.found.kinds.add("animation")


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
        found.kinds.add("text")


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


def _written(header: _Header, state: _Reading) -> bytes:
    fields = struct.pack(">IIBBBBB", header.width, header.height, header.depth, header.colour, 0, 0, header.interlaced)
    parts = [MAGIC, _chunk(b"IHDR", fields)]
    if state.palette:
        parts.append(_chunk(b"PLTE", state.palette))
    if state.transparency:
        parts.append(_chunk(b"tRNS", state.transparency))
    parts.extend(_chunk(b"IDAT", pixels) for pixels in state.pixels if pixels)
    return b"".join([*parts, _chunk(b"IEND", b"")])


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", binascii.crc32(kind + payload))
