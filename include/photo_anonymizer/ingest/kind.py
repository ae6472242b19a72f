"""What a file is, told from its first bytes; its name is never asked."""

from __future__ import annotations

ACCEPTED = frozenset({"jpeg", "png", "webp", "tiff"})
HEAD_BYTES = 32

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (8, b"WEBP", "webp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "bigtiff"),
    (0, b"MM\x00+", "bigtiff"),
    (0, b"GIF8", "gif"),
    (0, b"BM", "bmp"),
    (0, b"\x00\x00\x00\x0cjP  ", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (0, b"\xff\x0a", "jpeg-xl"),
    (0, b"\x00\x00\x00\x0cJXL ", "jpeg-xl"),
    (4, b"ftypheic", "heif"),
    (4, b"ftypheix", "heif"),
    (4, b"ftypmif1", "heif"),
    (4, b"ftypmsf1", "heif"),
    (4, b"ftypavif", "avif"),
    (4, b"ftypavis", "avif"),
    (4, b"ftyp", "video"),
    (0, b"8BPS", "photoshop"),
)


def kind_of(head: bytes) -> str | None:
    """Name of the image kind whose signature ``head`` (the first 32 bytes or more) carries; None if it is no image."""
    return next((kind for at, sign, kind in _SIGNATURES if head[at : at + len(sign)] == sign), None)
