"""WebP: keeping only the compressed picture and its alpha plane.

Source: RFC 9649 sections 2 (container), 3 (lossless bitstream) and RFC 6386 section 9.1 (lossy header).

``clean`` of a WebP is for the decoder and is not published: bytes can follow the picture inside the payloads.
What is published is always written anew from the pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from photo_anonymizer.metadata.container import Container, Findings, check_size, several, undecodable


def is_webp(data: bytes) -> bool:
    """Does the content begin like a WebP file?"""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def is_lossless(data: bytes) -> bool:
    """Is the picture of this cleaned file in the lossless bitstream (VP8L)?"""
    return data[12:16] == b"VP8L"


def parse(data: bytes, max_pixels: int) -> Container:
    """One WebP picture: its compressed pixels and its alpha plane, for the decoder.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or SEVERAL_PICTURES.
    """
    found = Findings()
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise undecodable("the WebP ends before its declared end")
    if end < len(data):
        found.kinds.add("trailing_data")
    parts: dict[bytes, bytes] = {}
    for kind, payload in _chunks(data[:end]):
        _take(parts, found, kind, payload)
    width, height = _size(parts)
    check_size(width, height, max_pixels)
    if b"VP8X" in parts and _canvas(parts[b"VP8X"]) != (width, height):
        raise undecodable("the WebP canvas and its picture differ in size")
    return Container(
        format="webp",
        width=width,
        height=height,
        clean=_written(parts, width, height),
        exact=b"VP8L" in parts,
        kinds=found.all_kinds(),
        icc=found.icc,
        orientation=found.orientation,
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at < len(data):
        if at + 8 > len(data):
            raise undecodable("the WebP ends inside a chunk")
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > len(data):
            raise undecodable("the WebP ends inside a chunk")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def _take(parts: dict[bytes, bytes], found: Findings, kind: bytes, payload: bytes) -> None:
    if kind in (b"ANIM", b"ANMF") or (kind == b"VP8X" and payload[:1] and payload[0] & 0x02):
        raise several("an animated WebP")
    if kind in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH"):
        if kind in parts or (kind in (b"VP8 ", b"VP8L") and (b"VP8 " in parts or b"VP8L" in parts)):
            raise several("a WebP with two pictures")
        parts[kind] = payload
    elif kind == b"EXIF":
        found.saw_exif(payload)
    elif kind == b"XMP ":
        found.saw_xmp(payload)
    elif kind == b"ICCP":
        found.kinds.add("icc")
        found.icc = payload
    else:
        found.kinds.add("other_chunk")


def _size(parts: dict[bytes, bytes]) -> tuple[int, int]:
    lossy, lossless = parts.get(b"VP8 ", b""), parts.get(b"VP8L", b"")
    # A key frame has a clear lowest bit and this start code.
    if len(lossy) >= 10 and not lossy[0] & 1 and lossy[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", lossy, 6)
        return width & 0x3FFF, height & 0x3FFF
    if len(lossless) >= 5 and lossless[0] == 0x2F:
        bits = int.from_bytes(lossless[1:5], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    raise undecodable("the WebP holds no readable picture")


def _canvas(extended: bytes) -> tuple[int, int]:
    if len(extended) < 10:
        raise undecodable("a broken WebP header")
    return int.from_bytes(extended[4:7], "little") + 1, int.from_bytes(extended[7:10], "little") + 1


def _written(parts: dict[bytes, bytes], width: int, height: int) -> bytes:
    if b"VP8L" in parts:
        body = _chunk(b"VP8L", parts[b"VP8L"])
    elif b"ALPH" in parts:
        canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = _chunk(b"VP8X", canvas) + _chunk(b"ALPH", parts[b"ALPH"]) + _chunk(b"VP8 ", parts[b"VP8 "])
    else:
        body = _chunk(b"VP8 ", parts[b"VP8 "])
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(payload)) + payload + b"\0" * (len(payload) & 1)
