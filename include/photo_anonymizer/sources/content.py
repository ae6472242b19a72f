"""What a file is by its first bytes, as far as a source needs to know. Names are not trusted."""

from __future__ import annotations

from enum import Enum, auto

HEAD_BYTES = 512
"""How many of a file's first bytes :func:`content_of` needs."""
_COMPRESSED = (b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
"""gzip (RFC 1952), bzip2, xz, Zstandard (RFC 8878)."""
_BZIP2_BLOCK = b"1AY&SY"
"""Stands at byte 4 of a bzip2 file; without it three letters of any text would do."""


class Content(Enum):
    """What is in a file."""

    ZIP = auto()
    TAR = auto()
    COMPRESSED = auto()
    PARQUET = auto()
    OTHER = auto()


def content_of(head: bytes) -> Content:
    """Recognises archives and tables.

    :param head: the first :data:`HEAD_BYTES` of the file, or all of a shorter one.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):  # APPNOTE.TXT 4.3.7 and 4.3.16: with and without a member
        return Content.ZIP
    if head[257:262] == b"ustar":  # POSIX.1-1988 and GNU
        return Content.TAR
    if head.startswith(b"PAR1"):
        return Content.PARQUET
    if head.startswith(_COMPRESSED) and (head[:3] != b"BZh" or head[4:10] == _BZIP2_BLOCK):
        return Content.COMPRESSED
    return Content.OTHER
