"""The independent check: which parts of a published file are not on the short list of structural parts?

Written a second time on purpose, from the specifications alone (ITU-T T.81 Annex B, PNG third edition, RFC 9649,
TIFF 6.0, ISO/IEC 14496-12 with the AVIF specification), sharing no code with ``strip``, ``carry`` and ``encode``: a
mistake there must not be repeated here. It allows, and reports everything that it does not know.

What it cannot tell: what a picture's own compression has room for. That is a few padding bits in every format; in a
JPEG also a few bytes before a restart marker and the blocks beyond the edges that fill up its last units; the tail of
a WebP bitstream or AV1 tile, whose end only a full decoder knows. Encoders that start from pixels leave nothing there;
a JPEG scan that is kept as it is is searched for it where that is decided.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from photo_anonymizer.metadata.inspection import avif, jpeg, png, tiff, webp


def inspect(data: bytes) -> tuple[str, ...]:
    """Kinds of everything in the file that a plain, opaque picture does not need.

    :param data: the bytes of a JPEG, PNG, WebP, TIFF or AVIF file.
    :return: sorted kinds such as ``segment_APP1``, ``chunk_tEXt``, ``tag_0x010f``, ``box_uuid``, ``trailing_data``,
        ``second_picture``, ``broken_container`` or ``unknown_container``; ``()`` is a clean file. Kinds never
        hold values from the file.
    """
    kinds: set[str] = set()
    try:
        for kind in _walker(data):
            kinds.add(kind)
    except (struct.error, ValueError, IndexError, zlib.error, OverflowError, MemoryError):
        kinds.add("broken_container")
    return tuple(sorted(kinds))


def _walker(data: bytes) -> Iterator[str]:
    if data[:3] == b"\xff\xd8\xff":
        return jpeg.findings(data)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return png.findings(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return webp.findings(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        return tiff.findings(data)
    if data[4:12] == b"ftypavif":
        return avif.findings(data)
    return iter(("unknown_container",))
