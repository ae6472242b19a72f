"""TIFF: finding the pictures and the tags that a decoder needs.

Sources: TIFF 6.0, TIFF Technical Notes 1 (SubIFDs) and 2 (JPEG), BigTIFF.

``clean`` of a TIFF is a scratch file for the decoder and is never published: it is the input with a new
directory of structural tags behind it. What is published is always written anew from the pixels.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import ifd
from photo_anonymizer.metadata.readers.container import (
    Container,
    Findings,
    check_size,
    no_such_picture,
    undecodable,
    unsupported,
)
from photo_anonymizer.model.record import Reason

MAGICS = (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262
_NEW_SUBFILE, _SUBFILE = 254, 255
_TILE_WIDTH, _TILE_HEIGHT, _SUB_IFDS, _DNG = 322, 323, 330, 0xC612
_STRUCTURAL = frozenset(
    {*range(256, 260), 262, 266, 273, *range(277, 280), 284, 292, 293, 317, 320, *range(322, 326), 332, 338}
    | {339, 347, *range(512, 516), *range(517, 522), *range(529, 533)}
)
"""Tags that say where the pixels are and how they are packed (TIFF 6.0 parts 1 to 3, Technical Note 2)."""
_KINDS = {
    700: "xmp",
    33723: "iptc",
    34377: "photoshop",
    34665: "exif",
    34675: "icc",
    34853: "gps",
    282: "resolution",
    283: "resolution",
    296: "resolution",
    254: "",
    255: "",
    274: "",
}
_SAMPLE_FORMAT = 339
_REDUCED, _MASK = 1, 4
"""Bits of NewSubfileType (TIFF 6.0 section 8)."""
_MAX_PAGES, _MAX_ENTRIES = 10_000, 300_000
"""Of a file: directories; tags and SubIFDs in all of them together, repeats too. More were made to waste time."""


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One page of a TIFF, prepared for a decoder that must not see anything but structural tags.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    found = Findings()
    try:
        form = ifd.layout(data)
        pages = _pictures(data, form, found)
        if frame >= len(pages):
            raise no_such_picture()
        return _container(data, form, pages[frame], found, max_pixels)
    except (ifd.BrokenDirectoryError, struct.error):
        raise undecodable("a broken TIFF directory") from None


def count(data: bytes) -> int:
    """How many pages the file has, reduced versions and masks not counted; 1 if it is broken. Never raises."""
    try:
        return len(_pictures(data, ifd.layout(data), Findings()))
    except (ifd.BrokenDirectoryError, struct.error, PhotoError):
        return 1


def _pictures(data: bytes, form: ifd.Layout, found: Findings) -> list[ifd.Directory]:
    """The pages that are pictures of their own, in the order of the file."""
    every = _pages(data, form)
    if any(_DNG in page.entries or _photometric(page, form) in (32803, 34892) for page in every):
        raise unsupported("a raw camera file")
    roles = [_role(page, form) for page in every]
    found.kinds |= {role for role in roles if role}
    pages = [page for page, role in zip(every, roles, strict=True) if not role]
    if not pages:
        raise unsupported("a TIFF with previews only")
    return pages


def _photometric(page: ifd.Directory, form: ifd.Layout) -> int:
    return ifd.integer(page.entries.get(_PHOTOMETRIC), form, -1)


def _pages(data: bytes, form: ifd.Layout) -> list[ifd.Directory]:
    """Every directory with a picture: the chain of pages and, one level down, their SubIFDs."""
    pages: list[ifd.Directory] = []
    seen: set[int] = set()
    entries = 0
    waiting = [form.first]
    while waiting:
        offset = waiting.pop()
        if offset in seen:
            raise undecodable("the TIFF directories form a loop")
        seen.add(offset)
        page = ifd.directory(data, form, offset)
        pages.append(page)
        within = ifd.integers(page.entries.get(_SUB_IFDS), form)
        entries += page.length + len(within)
        if max(len(pages), len(waiting), len(within)) > _MAX_PAGES or entries > _MAX_ENTRIES:
            raise undecodable("the TIFF has too many directories")
        # The last in is the first out: what is inside a page comes before the page behind it.
        waiting += [at for at in (page.next, *reversed(within)) if at]
    return pages


def _role(page: ifd.Directory, form: ifd.Layout) -> str:
    """The kind of a page that only serves another one (a smaller version, a transparency mask); else nothing."""
    new = ifd.integer(page.entries.get(_NEW_SUBFILE), form)
    if new & _MASK:
        return "mask"
    return "thumbnail" if new & _REDUCED or ifd.integer(page.entries.get(_SUBFILE), form) == 2 else ""


def _container(data: bytes, form: ifd.Layout, page: ifd.Directory, found: Findings, max_pixels: int) -> Container:
    width = ifd.integer(page.entries.get(_WIDTH), form)
    height = ifd.integer(page.entries.get(_HEIGHT), form)
    check_size(width, height, max_pixels)
    tile = ifd.integer(page.entries.get(_TILE_WIDTH), form) * ifd.integer(page.entries.get(_TILE_HEIGHT), form)
    _check_samples(page, form)
    # A tile may stick out of the picture, but a decoder allocates all of it.
    if tile > max(max_pixels, 1 << 20):
        raise PhotoError(Reason.TOO_MANY_PIXELS, "a TIFF tile has more pixels than the configuration allows")
    for tag in page.entries.keys() - _STRUCTURAL:
        found.kinds.add(_KINDS.get(tag, "tags"))
    found.kinds.discard("")
    if 700 in page.entries:
        found.saw_xmp(page.entries[700].value)
    if 34675 in page.entries:
        found.icc = page.entries[34675].value
    found.saw_directory(data, form, replace(page, next=0))  # the next page is no thumbnail
    depth = ifd.integer(page.entries.get(_BITS), form, 1)
    return Container(
        format="tiff",
        width=width,
        height=height,
        clean=_with_directory(data, form, page),
        exact=depth <= 8,
        kinds=found.all_kinds(),
        icc=found.icc,
        orientation=found.orientation,
        kept=found.kept,
        depth=depth,
        inverted=_photometric(page, form) == 0,
    )


def _check_samples(page: ifd.Directory, form: ifd.Layout) -> None:
    bits = ifd.integers(page.entries.get(_BITS), form)
    formats = ifd.integers(page.entries.get(_SAMPLE_FORMAT), form)
    if any(one > 16 for one in bits) or any(one != 1 for one in formats):
        raise unsupported("pixels that are not 1 to 16 bit whole numbers")


def _with_directory(data: bytes, form: ifd.Layout, page: ifd.Directory) -> bytes:
    """The file with a directory of structural tags at its end, and its header pointing there."""
    kept = [page.entries[tag] for tag in sorted(page.entries.keys() & _STRUCTURAL)]
    padding = -len(data) % 8
    at = len(data) + padding
    if form.big:
        head, count = struct.pack(form.order + "Q", at), struct.pack(form.order + "Q", len(kept))
    else:
        head, count = struct.pack(form.order + "I", at), struct.pack(form.order + "H", len(kept))
    fields = [
        struct.pack(form.order + "HH" + form.word, entry.tag, entry.kind, entry.count) + entry.raw for entry in kept
    ]
    start = 8 if form.big else 4
    header = data[:start] + head
    return b"".join([header, data[len(header) :], b"\0" * padding, count, *fields, b"\0" * 8])
