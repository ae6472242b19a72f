"""PNG (third edition): chunks, their order, and a pixel stream that holds exactly the rows of the picture."""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Iterator

_ORDER = {b"IHDR": 0, b"PLTE": 1, b"IDAT": 2, b"IEND": 3}
_KNOWN = frozenset(
    b"cHRM cICP gAMA iCCP mDCV cLLI sBIT sRGB bKGD hIST pHYs sPLT eXIf tIME acTL fcTL fdAT iTXt tEXt zTXt "
    b"tRNS iDOT CgBI caBX vpAg oFFs pCAL sCAL gIFg gIFx sTER dSIG".split()
)


def findings(data: bytes) -> Iterator[str]:
    """Kinds of what is not needed, as they are met."""
    at, last = 8, -1
    header, packed = b"", []
    while last != 3:
        length, kind = struct.unpack_from(">I4s", data, at)
        payload = data[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", data, at + 8 + length)
        if binascii.crc32(data[at + 4 : at + 8 + length]) != check:
            yield "broken_checksum"
        at += 12 + length
        place = _ORDER.get(kind)
        if place is None:
            yield f"chunk_{kind.decode('ascii')}" if kind in _KNOWN else "chunk_unknown"
            continue
        if place < last or (place == last and kind != b"IDAT") or (last < 0 and kind != b"IHDR"):
            yield "second_picture" if kind in (b"IHDR", b"IDAT") else "broken_container"
        last = max(last, place)
        yield from _chunk(kind, payload, header)
        header = payload if kind == b"IHDR" else header
        if kind == b"IDAT":
            packed.append(payload)
    if at != len(data):
        yield "trailing_data"
    yield from _pixels(header, packed)


def _chunk(kind: bytes, payload: bytes, header: bytes) -> Iterator[str]:
    colour = header[9] if len(header) == 13 else -1
    if kind == b"IHDR":
        if len(payload) != 13 or payload[8] > 8 or any(payload[10:12]) or payload[12] > 1:
            yield "broken_container"
        elif payload[9] & 4:  # an alpha channel can hide a picture from those who look at the other one
            yield "transparency"
    elif kind == b"PLTE":
        if colour != 3 or len(payload) > 3 << header[8] or len(payload) % 3:
            yield "chunk_PLTE"
    elif kind == b"IEND" and payload:
        yield "chunk_IEND"


def _pixels(header: bytes, packed: list[bytes]) -> Iterator[str]:
    """The pixel stream must hold exactly the rows of the picture (aCropalypse: rows of an older version)."""
    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
    expected = 0
    if header[12]:
        starts = (
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        )
        for x, y, step_x, step_y in starts:
            columns, rows = len(range(x, width, step_x)), len(range(y, height, step_y))
            expected += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    else:
        expected = height * (1 + (width * bits + 7) // 8)
    stream = zlib.decompressobj()
    size = 0
    for part in packed:
        rest = part
        while rest and not stream.eof and size <= expected:
            size += len(stream.decompress(rest, 1 << 20))
            rest = stream.unconsumed_tail
        if rest and stream.eof and not stream.unused_data:
            yield "hidden_data"
    if size > expected or stream.unused_data:
        yield "hidden_data"
    elif size < expected or not stream.eof:
        yield "broken_container"
