"""What a file is, told from its first bytes; its name is never asked."""

from __future__ import annotations

ACCEPTED = frozenset({"jpeg", "png", "webp", "tiff", "gif", "bmp", "jpeg2000", "heif", "avif"})
HEAD_BYTES = 64

_SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (8, b"WEBP", "webp"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
    (0, b"II+\x00", "tiff"),  # BigTIFF
    (0, b"MM\x00+", "tiff"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"BM", "bmp"),
    (0, b"\x00\x00\x00\x0cjP  ", "jpeg2000"),
    (0, b"\xff\x4f\xff\x51", "jpeg2000"),
    (0, b"\xff\x0a", "jpeg-xl"),
    (0, b"\x00\x00\x00\x0cJXL ", "jpeg-xl"),
    (0, b"8BPS", "photoshop"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", *(b"he" + end for end in (b"ic", b"ix", b"im", b"is"))})
_HEIF_BRANDS |= {b"hevc", b"hevx", b"hevm", b"hevs"}
"""ISO/IEC 23008-12 annexes B and E."""


def kind_of(head: bytes) -> str | None:
    """Name of the image kind whose signature ``head`` (the first 64 bytes or more) carries; None if it is no image."""
    if head[4:8] == b"ftyp":
        return _kind_of_brands(_brands(head[:HEAD_BYTES]))
    return next((kind for at, sign, kind in _SIGNATURES if head[at : at + len(sign)] == sign), None)


def _brands(head: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file (ISO/IEC 14496-12, 4.3), as far as the head holds them."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[at : at + 4] for at in (8, *range(16, end - 3, 4))}


def _kind_of_brands(brands: set[bytes]) -> str:
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heif" if brands & _HEIF_BRANDS else "video"
