"""The independent check: which parts of a published file are not on the short list of structural parts?

Written a second time on purpose, from the specifications alone (ITU-T T.81 Annex B, PNG third edition,
RFC 9649, TIFF 6.0), sharing no code with ``strip`` and ``encode`` and using no imaging library: a mistake
there must not be repeated here. It allows, and reports everything that it does not know.
"""

from __future__ import annotations

import binascii
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field


def inspect(data: bytes) -> tuple[str, ...]:
    """Kinds of everything in the file that a plain picture does not need.

    :param data: the bytes of a JPEG, PNG, WebP or TIFF file.
    :return: sorted kinds such as ``segment_APP1``, ``chunk_tEXt``, ``tag_0x010f``, ``trailing_data``,
        ``second_picture``, ``broken_container`` or ``unknown_container``; ``()`` is a clean file. Kinds never
        hold values from the file.
    """
    try:
        return tuple(sorted(set(_walker(data))))
    except (struct.error, ValueError, IndexError, zlib.error, OverflowError, MemoryError):
        return ("broken_container",)


def _walker(data: bytes) -> Iterator[str]:
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _tiff(data)
    return iter(("unknown_container",))


# JPEG -------------------------------------------------------------------------------------------------------

_PLAIN_JFIF = bytes.fromhex("4a46494600 0101 00 0001 0001 0000")
_PLAIN_ADOBE = b"Adobe" + bytes.fromhex("0064 0000 0000")
_JPEG_NAMES = {0xFE: "COM", 0xDC: "DNL", 0xDE: "DHP", 0xDF: "EXP", 0xCC: "DAC"}
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN = re.compile(rb"(?:[^\xff]+|\xff\x00|\xff[\xd0-\xd7])*+")


@dataclass
class _JpegState:
    frame: bytes = b""
    interval: int | None = None
    """Units between restart markers."""
    unused: set[tuple[int, int]] = field(default_factory=set)
    """(marker, table) of tables that no scan has used yet."""
    given: set[tuple[int, int]] = field(default_factory=set)
    """(component, place in the block) of coefficients that a scan has given."""


def _jpeg(data: bytes) -> Iterator[str]:
    at, frames, scans = 2, 0, 0
    state = _JpegState()
    while True:
        if data[at] != 0xFF:
            yield "stray_bytes"
            return
        code = data[at + 1]
        if code == 0xD9:
            break
        if code in (0xD8, 0xFF, 0x00, 0x01) or 0xD0 <= code <= 0xD7:
            yield "second_picture" if code == 0xD8 else "stray_bytes"
            return
        (size,) = struct.unpack_from(">H", data, at + 2)
        payload = data[at + 4 : at + 2 + size]
        if size < 2 or len(payload) != size - 2:
            yield "broken_container"
            return
        at += 2 + size
        frames += code in (0xC0, 0xC1, 0xC2)
        yield from _jpeg_segment(code, payload, state)
        if code == 0xDA:
            scans += 1
            behind = _behind_scan(data, at)
            yield from _jpeg_scan(payload, data[at:behind], state)
            at = behind
    if frames != 1 or scans < 1:
        yield "second_picture" if frames > 1 else "broken_container"
    if state.unused:
        yield "unused_table"
    if at + 2 != len(data):
        yield "trailing_data"


def _behind_scan(data: bytes, at: int) -> int:
    match = _SCAN.match(data, at)
    return match.end() if match else at


def _jpeg_segment(code: int, payload: bytes, state: _JpegState) -> Iterator[str]:
    if code in (0xDB, 0xC4):
        yield from _jpeg_tables(code, payload, state.unused)
    elif code in (0xC0, 0xC1, 0xC2, 0xDA, 0xDD):
        if not _jpeg_header_fits(code, payload):
            yield "broken_container"
    elif 0xE0 <= code <= 0xEF:
        if not _jpeg_colour_marker(code, payload):
            yield f"segment_APP{code - 0xE0}"
    else:
        yield f"segment_{_JPEG_NAMES.get(code, 'unknown')}"
    if code == 0xDD:
        if state.interval is not None:
            yield "redundant_restart"
        (state.interval,) = struct.unpack(">H", payload)
    elif code in (0xC0, 0xC1, 0xC2):
        state.frame = payload
    elif code == 0xDA:
        state.unused -= _jpeg_used(payload, state.frame)


def _jpeg_used(scan: bytes, frame: bytes) -> set[tuple[int, int]]:
    """(marker, table) of all tables that a scan uses (T.81 B.2.2, B.2.3, G.1.2)."""
    steps = {frame[at]: frame[at + 2] for at in range(6, len(frame), 3)}
    first, last, approximation = scan[-3:]
    used: set[tuple[int, int]] = set()
    for name, both in zip(scan[1:-3:2], scan[2:-3:2], strict=True):
        used |= {(0xDB, steps.get(name, 0)), (0xDB, 0x10 | steps.get(name, 0))}
        if first == 0 and approximation < 16:
            used.add((0xC4, both >> 4))
        if last > 0:
            used.add((0xC4, 0x10 | both & 15))
    return used


def _jpeg_scan(scan: bytes, packed: bytes, state: _JpegState) -> Iterator[str]:
    """Restart markers that do not fit the picture, and coefficients that an earlier scan has given already."""
    if len(_RESTART.findall(packed)) != _jpeg_restarts(scan, state):
        yield "surplus_restart"
    first, last, approximation = scan[-3:]
    if approximation < 16:
        given = {(name, place) for name in scan[1:-3:2] for place in range(first, min(last, 63) + 1)}
        if given & state.given:
            yield "repeated_scan"
        state.given |= given


def _jpeg_restarts(scan: bytes, state: _JpegState) -> int:
    """How many restart markers a scan must have (T.81 A.2, E.1.4)."""
    if not state.interval:
        return 0
    height, width = struct.unpack_from(">HH", state.frame, 1)
    factors = {state.frame[at]: divmod(state.frame[at + 1], 16) for at in range(6, len(state.frame), 3)}
    widest, tallest = max(a for a, _ in factors.values()), max(d for _, d in factors.values())
    if scan[0] == 1:
        across, down = factors.get(scan[1], (1, 1))
        units = _parts(_parts(width * across, widest), 8) * _parts(_parts(height * down, tallest), 8)
    else:
        units = _parts(width, 8 * widest) * _parts(height, 8 * tallest)
    return _parts(units, state.interval) - 1


def _parts(size: int, part: int) -> int:
    return (size + part - 1) // part


def _jpeg_header_fits(code: int, payload: bytes) -> bool:
    """Frame, scan and restart headers leave no room for anything else (T.81 B.2.2, B.2.3, B.2.4.4)."""
    if code == 0xDA:
        return len(payload) == 4 + 2 * payload[0]
    if code == 0xDD:
        return len(payload) == 2
    return payload[0] == 8 and payload[5] in (1, 3) and len(payload) == 6 + 3 * payload[5]


def _jpeg_colour_marker(code: int, payload: bytes) -> bool:
    """JFIF and Adobe segments are allowed in one wording each: they say what the colours mean."""
    if code == 0xEE:
        return len(payload) == 12 and payload[:11] == _PLAIN_ADOBE and payload[11] < 3
    return code == 0xE0 and payload == _PLAIN_JFIF


def _jpeg_tables(code: int, payload: bytes, tables: set[tuple[int, int]]) -> Iterator[str]:
    """Quantisation and Huffman tables must fill their segment exactly and be defined once before a scan."""
    at = 0
    while at < len(payload):
        if (code, payload[at]) in tables:
            yield "redundant_table"
        tables.add((code, payload[at]))
        if code == 0xDB:
            at += 129 if payload[at] & 0xF0 else 65
        else:
            at += 17 + sum(payload[at + 1 : at + 17])
    if at != len(payload):
        yield "broken_container"


# PNG --------------------------------------------------------------------------------------------------------

_PNG_ORDER = {b"IHDR": 0, b"PLTE": 1, b"tRNS": 2, b"IDAT": 3, b"IEND": 4}
_PNG_KNOWN = frozenset(
    b"cHRM cICP gAMA iCCP mDCV cLLI sBIT sRGB bKGD hIST pHYs sPLT eXIf tIME acTL fcTL fdAT iTXt tEXt zTXt "
    b"iDOT CgBI caBX vpAg oFFs pCAL sCAL gIFg gIFx sTER dSIG".split()
)


def _png(data: bytes) -> Iterator[str]:
    at, last = 8, -1
    header, packed = b"", []
    while last != 4:
        length, kind = struct.unpack_from(">I4s", data, at)
        payload = data[at + 8 : at + 8 + length]
        (check,) = struct.unpack_from(">I", data, at + 8 + length)
        if binascii.crc32(data[at + 4 : at + 8 + length]) != check:
            yield "broken_checksum"
        at += 12 + length
        place = _PNG_ORDER.get(kind)
        if place is None:
            yield f"chunk_{kind.decode('ascii')}" if kind in _PNG_KNOWN else "chunk_unknown"
            continue
        if place < last or (place == last and kind != b"IDAT") or (last < 0 and kind != b"IHDR"):
            yield "second_picture" if kind in (b"IHDR", b"IDAT") else "broken_container"
        last = max(last, place)
        yield from _png_chunk(kind, payload, header)
        header = payload if kind == b"IHDR" else header
        if kind == b"IDAT":
            packed.append(payload)
    if at != len(data):
        yield "trailing_data"
    yield from _png_pixels(header, packed)


def _png_chunk(kind: bytes, payload: bytes, header: bytes) -> Iterator[str]:
    colour = header[9] if len(header) == 13 else -1
    if kind == b"IHDR":
        if len(payload) != 13 or payload[8] > 8 or any(payload[10:12]) or payload[12] > 1:
            yield "broken_container"
    elif kind == b"PLTE":
        if colour != 3 or len(payload) > 3 << header[8] or len(payload) % 3:
            yield "chunk_PLTE"
    elif kind == b"tRNS":
        allowed = {0: 2, 2: 6}.get(colour, 256 if colour == 3 else 0)
        if not 0 < len(payload) <= allowed or (colour != 3 and len(payload) != allowed):
            yield "chunk_tRNS"
    elif kind == b"IEND" and payload:
        yield "chunk_IEND"


def _png_pixels(header: bytes, packed: list[bytes]) -> Iterator[str]:
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


# WebP -------------------------------------------------------------------------------------------------------

_WEBP_KNOWN = {b"ICCP": "ICCP", b"EXIF": "EXIF", b"XMP ": "XMP", b"ANIM": "ANIM", b"ANMF": "ANMF"}
_WEBP_SHAPES = ([b"VP8 "], [b"VP8L"], [b"VP8X", b"ALPH", b"VP8 "])


def _webp(data: bytes) -> Iterator[str]:
    (size,) = struct.unpack_from("<I", data, 4)
    end = size + 8
    if end > len(data) or size & 1:
        yield "broken_container"
    if end < len(data):
        yield "trailing_data"
    at, shape = 12, []
    while at < min(end, len(data)):
        kind, length = struct.unpack_from("<4sI", data, at)
        payload = data[at + 8 : at + 8 + length]
        if len(payload) != length or (length & 1 and data[at + 8 + length] != 0):
            yield "broken_container"
        at += 8 + length + (length & 1)
        if kind not in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH"):
            yield f"chunk_{_WEBP_KNOWN.get(kind, 'unknown')}"
            continue
        shape.append(kind)
        if kind == b"VP8X" and (len(payload) != 10 or payload[:4] != b"\x10\0\0\0"):
            yield "chunk_VP8X"
    if shape not in _WEBP_SHAPES:
        yield "second_picture" if shape.count(b"VP8 ") + shape.count(b"VP8L") > 1 else "broken_container"


# TIFF -------------------------------------------------------------------------------------------------------

_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_TIFF_TAGS = frozenset({256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 338, 339})
_OFFSETS, _COUNTS = 273, 279


def _tiff(data: bytes) -> Iterator[str]:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    behind = at + 2 + 12 * count
    (further,) = struct.unpack_from(order + "I", data, behind)
    if further:
        yield "second_picture"
    used = [(0, 8), (at, behind + 4)]
    numbers: dict[int, tuple[int, ...]] = {}
    for index in range(count):
        tag, values, place, kinds = _tiff_entry(data, order, at + 2 + 12 * index)
        yield from kinds
        if tag in numbers:
            yield "broken_container"
        numbers[tag] = values
        used += [place] if place else []
    starts, sizes = numbers.get(_OFFSETS, ()), numbers.get(_COUNTS, ())
    if not starts or len(starts) != len(sizes):
        yield "broken_container"
    used += [(start, start + size) for start, size in zip(starts, sizes, strict=False)]
    yield from _gaps(used, len(data))


def _tiff_entry(data: bytes, order: str, at: int) -> tuple[int, tuple[int, ...], tuple[int, int] | None, list[str]]:
    """(tag, whole numbers, where values outside the directory are, what is wrong) of one directory entry."""
    tag, kind, count = struct.unpack_from(order + "HHI", data, at)
    wrong = [] if tag in _TIFF_TAGS else [f"tag_0x{tag:04x}"]
    size = _TIFF_SIZES.get(kind, 0) * count
    place: tuple[int, int] | None = None
    start = at + 8
    if size > 4:
        (start,) = struct.unpack_from(order + "I", data, at + 8)
        place = (start, start + size)
    elif any(data[at + 8 + size : at + 12]):
        wrong.append("unreferenced_data")
    if kind not in (3, 4):
        return tag, (), place, wrong if wrong else [f"tag_0x{tag:04x}"]
    if start + size > len(data):
        raise ValueError("values outside the file")
    return tag, struct.unpack_from(f"{order}{count}{'H' if kind == 3 else 'I'}", data, start), place, wrong


def _gaps(used: list[tuple[int, int]], size: int) -> Iterator[str]:
    """Bytes that no directory, value or strip claims. One byte of padding to an even offset is normal."""
    reached = 0
    for start, end in sorted(used):
        if start - reached > 1:
            yield "unreferenced_data"
        reached = max(reached, end)
    if reached > size:
        yield "broken_container"
    if size - reached > 1:
        yield "trailing_data"
