"""TIFF: finding the one picture and the tags that a decoder needs.

Sources: TIFF 6.0, TIFF Technical Notes 1 (SubIFDs) and 2 (JPEG), BigTIFF.

``clean`` of a TIFF is a scratch file for the decoder and is never published: it is the input with a new
directory of structural tags behind it. What is published is always written anew from the pixels.
"""

from __future__ import annotations

import struct

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata import ifd
from photo_anonymizer.metadata.container import (
    Container,
    Findings,
    check_size,
    several,
    undecodable,
    unsupported,
)
from photo_anonymizer.model.record import Reason

MAGICS = (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC = 256, 257, 258, 262
_NEW_SUBFILE, _SUBFILE, _ORIENTATION = 254, 255, 274
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
_MAX_PAGES = 256


def parse(data: bytes, max_pixels: int) -> Container:
    """The one picture of a TIFF, prepared for a decoder that must not see anything but structural tags.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE, UNSUPPORTED_FORMAT or SEVERAL_PICTURES.
    """
    found = Findings()
    try:
        form = ifd.layout(data)
        page = _only_page(data, form, found)
        return _container(data, form, page, found, max_pixels)
    except (ifd.BrokenDirectoryError, struct.error):
        raise undecodable("a broken TIFF directory") from None


def _only_page(data: bytes, form: ifd.Layout, found: Findings) -> ifd.Directory:
    every = _pages(data, form)
    if any(_DNG in page.entries or _photometric(page, form) in (32803, 34892) for page in every):
        raise unsupported("a raw camera file")
    pages = [page for page in every if not _reduced(page, form)]
    if len(pages) < len(every):
        found.kinds.add("thumbnail")
    if len(pages) > 1:
        raise several("a TIFF with several pages")
    if not pages:
        raise unsupported("a TIFF with previews only")
    return pages[0]


def _photometric(page: ifd.Directory, form: ifd.Layout) -> int:
    return ifd.integer(page.entries.get(_PHOTOMETRIC), form, -1)


def _pages(data: bytes, form: ifd.Layout) -> list[ifd.Directory]:
    """Every directory with a picture: the chain of pages and, one level down, their SubIFDs."""
    pages: list[ifd.Directory] = []
    seen: set[int] = set()
    waiting = [form.first]
    while waiting:
        offset = waiting.pop()
        if offset in seen or len(seen) > _MAX_PAGES:
            raise undecodable("the TIFF directories form a loop")
        seen.add(offset)
        page = ifd.directory(data, form, offset)
        pages.append(page)
        waiting += [at for at in (page.next, *ifd.integers(page.entries.get(_SUB_IFDS), form)) if at]
    return pages


def _reduced(page: ifd.Directory, form: ifd.Layout) -> bool:
    """Is this a smaller version or a transparency mask of another page?"""
    new = ifd.integer(page.entries.get(_NEW_SUBFILE), form)
    return bool(new & 0b101) or ifd.integer(page.entries.get(_SUBFILE), form) == 2


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
    turn = ifd.integer(page.entries.get(_ORIENTATION), form)
    found.exif_orientation = turn if 1 <= turn <= 8 else 0
    return Container(
        format="tiff",
        width=width,
        height=height,
        clean=_with_directory(data, form, page),
        exact=False,
        kinds=found.all_kinds(),
        icc=found.icc,
        orientation=found.orientation,
        depth=ifd.integer(page.entries.get(_BITS), form, 1),
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
        struct.pack(form.order + "HH" + form.word, entry.tag, entry.kind, entry.count) + entry.field for entry in kept
    ]
    start = 8 if form.big else 4
    header = data[:start] + head
    return b"".join([header, data[len(header) :], b"\0" * padding, count, *fields, b"\0" * 8])
