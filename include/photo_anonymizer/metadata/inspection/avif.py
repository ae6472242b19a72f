"""AVIF (AVIF 1.1 over ISO/IEC 14496-12 and 23008-12): one item, one sRGB AV1 still picture, each box in one wording."""

from __future__ import annotations

import struct
from collections.abc import Generator, Iterator

Boxes = list[tuple[bytes, int, bytes]]
"""(type, offset of the payload in the file, payload)."""

_KNOWN = frozenset(
    b"ftyp meta mdat free skip uuid moov moof udta jumb hdlr pitm iloc iinf infe iprp ipco ipma iref idat dinf grpl "
    b"ispe pixi av1C colr irot imir clap pasp auxC clli mdcv amve a1op a1lx lsel".split()
)
_BRANDS = frozenset({b"avif", b"mif1", b"miaf", b"MA1A", b"MA1B"})
_TOP = (b"ftyp", b"meta", b"mdat")
_META = (b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp")
_PROPERTIES = (b"ispe", b"pixi", b"av1C", b"colr")
_HANDLER = bytes(8) + b"pict" + bytes(13)
_PRIMARY = bytes(4) + b"\0\1"
_ONE_ITEM = bytes.fromhex("00000000 0001 0000001a") + b"infe\2\0\0\0\0\1\0\0av01Color\0"
_LOCATION = bytes.fromhex("00000000 4400 0001 0001 0000 0001")
"""Version 0, offsets and lengths of four bytes, one item in one piece."""
_ASSOCIATION = bytes.fromhex("00000000 00000001 0001 04 01 02 83 04")
"""All four properties in their order; a reader must understand the decoder's configuration."""
_SRGB = frozenset(b"nclx\0\1\0\x0d\0" + bytes((matrix, 0x80)) for matrix in (0, 1, 6))
"""Primaries of BT.709, transfer of sRGB, full range; identity, BT.709 or BT.601 matrix (ITU-T H.273)."""


def findings(data: bytes) -> Iterator[str]:
    """Kinds of what is not needed, as they are met."""
    top = _boxes(data, 0, len(data))
    yield from _unlike(top, _TOP)
    found = _by_type(top)
    yield from _file_type(found[b"ftyp"][1])
    meta_at, meta = found[b"meta"]
    if meta[:4] != bytes(4):
        yield "box_meta"
    parts = _boxes(data, meta_at + 4, meta_at + len(meta))
    yield from _unlike(parts, _META)
    described = _by_type(parts)
    for kind, expected in ((b"hdlr", _HANDLER), (b"pitm", _PRIMARY)):
        if described[kind][1] != expected:
            yield f"box_{kind.decode()}"
    yield from _items(described[b"iinf"][1])
    picture_at, picture = found[b"mdat"]
    if described[b"iloc"][1] != _LOCATION + struct.pack(">II", picture_at, len(picture)):
        yield "box_iloc"
    size = yield from _properties(data, *described[b"iprp"])
    yield from _picture(picture, size)


def _boxes(data: bytes, at: int, end: int) -> Boxes:
    """The boxes of a part of the file.

    :raises ValueError: they do not fill it exactly, or are written in the long form.
    """
    boxes = []
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8 or at + size > end:
            raise ValueError("a box outside its place")
        boxes.append((kind, at + 8, data[at + 8 : at + size]))
        at += size
    return boxes


def _by_type(boxes: Boxes) -> dict[bytes, tuple[int, bytes]]:
    """Types that are missing are empty, which then is no box's wording."""
    empty = dict.fromkeys((*_TOP, *_META, *_PROPERTIES, b"ipco", b"ipma"), (0, b""))
    return empty | {kind: (at, payload) for kind, at, payload in boxes}


def _unlike(boxes: Boxes, expected: tuple[bytes, ...]) -> Iterator[str]:
    """Boxes that do not belong here, are repeated, missing or in another order."""
    kinds = [kind for kind, _, _ in boxes]
    for kind in set(kinds) - set(expected):
        yield f"box_{kind.decode('ascii')}" if kind in _KNOWN else "box_unknown"
    if [kind for kind in kinds if kind in expected] != list(expected):
        yield "broken_container"


def _file_type(payload: bytes) -> Iterator[str]:
    brands = [payload[at : at + 4] for at in range(8, len(payload), 4)]
    if payload[:8] != b"avif" + bytes(4) or len(set(brands)) != len(brands) or not set(brands) <= _BRANDS:
        yield "box_ftyp"


def _items(payload: bytes) -> Iterator[str]:
    """One picture; what other items are is told by their type (ISO/IEC 23008-12 section 6, 14496-12 section 8.11)."""
    if payload == _ONE_ITEM:
        return
    known = {b"Exif": "item_Exif", b"mime": "item_mime", b"uri ": "item_uri", b"av01": "second_picture"}
    types = [payload[at + 12 : at + 16] for at in range(len(payload)) if payload[at : at + 4] == b"infe"]
    if b"av01" in types:
        types.remove(b"av01")
    yield from (known.get(kind, "item_unknown") for kind in types)
    yield "box_iinf"


def _properties(data: bytes, at: int, payload: bytes) -> Generator[str, None, tuple[int, int]]:
    """What is wrong with the picture's properties; returns their (width, height)."""
    parts = _boxes(data, at, at + len(payload))
    yield from _unlike(parts, (b"ipco", b"ipma"))
    container = _by_type(parts)
    if container[b"ipma"][1] != _ASSOCIATION:
        yield "box_ipma"
    start, inside = container[b"ipco"]
    properties = _boxes(data, start, start + len(inside))
    yield from _unlike(properties, _PROPERTIES)
    told = {kind: value for kind, (_, value) in _by_type(properties).items()}
    if told[b"pixi"] not in (bytes(4) + b"\1\x08", bytes(4) + b"\3\x08\x08\x08"):
        yield "box_pixi"
    if told[b"colr"] not in _SRGB:
        yield "box_colr"
    if len(told[b"av1C"]) != 4:
        yield "box_av1C"
    if len(told[b"ispe"]) != 12:
        yield "box_ispe"
    width, height = struct.unpack(">II", told[b"ispe"][-8:])
    return width, height


def _picture(payload: bytes, size: tuple[int, int]) -> Iterator[str]:
    """The AV1 bitstream (section 5.3): one sequence header and one frame, no metadata, no padding, nothing behind."""
    names = {5: "obu_metadata", 15: "obu_padding"}
    at, units = 0, []
    while at < len(payload):
        head = payload[at]
        kind = head >> 3 & 15
        length, used = _leb128(payload, at + 1)
        start, at = at + 1 + used, at + 1 + used + length
        if head & 0b10000111 != 0b10 or at > len(payload):
            yield "broken_container"
        if kind not in (1, 2, 6):
            yield names.get(kind, "obu_unknown")
        units.append((kind, payload[start:at]))
    if [kind for kind, _ in units if kind != 2] != [1, 6] or any(unit for kind, unit in units if kind == 2):
        yield "second_picture" if sum(kind == 6 for kind, _ in units) > 1 else "broken_container"
        return
    if _coded_size(next(unit for kind, unit in units if kind == 1)) != size:
        yield "hidden_data"


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """(value, bytes that it takes) in the shortest form (AV1 section 4.10.5)."""
    value = 0
    for used in range(1, 5):
        byte = data[at + used - 1]
        value |= (byte & 0x7F) << 7 * (used - 1)
        if byte < 0x80:
            if used > 1 and not byte:
                break
            return value, used
    raise ValueError("a length in a strange form")


def _coded_size(header: bytes) -> tuple[int, int]:
    """(width, height) in the reduced still picture's sequence header (AV1 section 5.5.1): a larger picture than the
    one that is shown would have room outside it."""
    bits = int.from_bytes(header, "big")
    left = 8 * len(header)
    if len(header) > 16:
        raise ValueError("a sequence header with room")

    def take(count: int) -> int:
        nonlocal left
        left -= count
        return bits >> left & ((1 << count) - 1)

    profile, still, reduced, _level = take(3), take(1), take(1), take(5)
    if profile > 2 or not still or not reduced:
        raise ValueError("not a still picture")
    width_bits, height_bits = take(4) + 1, take(4) + 1
    return take(width_bits) + 1, take(height_bits) + 1
