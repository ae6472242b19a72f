"""WebP (RFC 9649): one still, opaque picture.

The end of the bitstream inside its chunk is known to a decoder alone and is not judged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_KNOWN = {b"ICCP": "ICCP", b"EXIF": "EXIF", b"XMP ": "XMP", b"ANIM": "ANIM", b"ANMF": "ANMF", b"ALPH": "ALPH"}
_KNOWN |= {b"VP8X": "VP8X"}
_BITSTREAMS = (b"VP8 ", b"VP8L")


def findings(data: bytes) -> Iterator[str]:
    """Kinds of what is not needed, as they are met: the simple file layouts (sections 2.5 and 2.6) hold one chunk."""
    (size,) = struct.unpack_from("<I", data, 4)
    end = size + 8
    if end > len(data) or size & 1:
        yield "broken_container"
    if end < len(data):
        yield "trailing_data"
    at, pictures = 12, 0
    while at < min(end, len(data)):
        kind, length = struct.unpack_from("<4sI", data, at)
        payload = data[at + 8 : at + 8 + length]
        if len(payload) != length or (length & 1 and data[at + 8 + length] != 0):
            yield "broken_container"
        at += 8 + length + (length & 1)
        if kind not in _BITSTREAMS:
            yield f"chunk_{_KNOWN.get(kind, 'unknown')}"
            continue
        pictures += 1
        yield from _lossy(payload) if kind == b"VP8 " else _lossless(payload)
    if pictures != 1:
        yield "second_picture" if pictures > 1 else "broken_container"


def _lossy(payload: bytes) -> Iterator[str]:
    """RFC 6386 section 9.1: a shown key frame whose first partition lies within the chunk, at its own size."""
    tag = int.from_bytes(payload[:3], "little")
    hidden, shown, first_part = tag & 1, tag >> 4 & 1, tag >> 5
    if hidden or not shown or payload[3:6] != b"\x9d\x01\x2a" or first_part > len(payload) - 10:
        yield "broken_container"
    if payload[7] >> 6 or payload[9] >> 6:
        yield "scaling"


def _lossless(payload: bytes) -> Iterator[str]:
    """RFC 9649 section 3.4: signature, 14 bits of width and of height, alpha hint, version 0."""
    head = int.from_bytes(payload[1:5], "little")
    if payload[0] != 0x2F or len(payload) < 6 or head >> 29:
        yield "broken_container"
    if head >> 28 & 1:
        yield "transparency"
