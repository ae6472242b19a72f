"""BMP: header, colours and pixels of a Windows bitmap, and nothing else.

Sources: Microsoft's BITMAPFILEHEADER, BITMAPINFOHEADER, BITMAPV4HEADER and BITMAPV5HEADER, OS/2's
BITMAPCOREHEADER. BMP is read, never written.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from photo_anonymizer.metadata.readers.container import Container, Findings, check_size, undecodable, unsupported

MAGIC = b"BM"

_FILE_HEADER = 14
_CORE, _V4, _V5 = 12, 108, 124
_HEADERS = (_CORE, 40, 52, 56, 64, _V4, _V5)
_RAW, _RLE8, _RLE4, _BIT_FIELDS = 0, 1, 2, 3
_BITS = {_RAW: (1, 4, 8, 16, 24, 32), _RLE8: (8,), _RLE4: (4,), _BIT_FIELDS: (16, 24, 32)}
_SRGB = (b"\0\0\0\0", b"BGRs", b" niW")
"""Colour spaces (LCS_…, little endian) that leave the values as every viewer takes them; 0 is 'calibrated'."""
_EMBEDDED, _LINKED = b"DEBM", b"KNIL"


@dataclass(frozen=True)
class _Header:
    size: int
    width: int
    height: int
    """Negative: the first row is the upper one."""
    bits: int
    packing: int
    colours: int
    """Entries of the palette; 0: none."""
    masks: bytes = b""
    """Of red, green, blue and perhaps alpha, 4 bytes each."""
    resolution: bool = False

    @property
    def row(self) -> int:
        """Bytes of a row that is not run-length encoded."""
        return (self.width * self.bits + 31) // 32 * 4


def count(data: bytes) -> int:  # noqa: ARG001 - the readers' common signature
    """A BMP holds one picture."""
    return 1


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """The picture of a BMP. The unused byte of 32 bit pixels is no transparency unless a mask says so.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    if frame:
        raise undecodable("a BMP holds one picture")
    found = Findings()
    header = _header(data)
    check_size(header.width, abs(header.height), max_pixels)
    if header.resolution:
        found.kinds.add("resolution")
    palette, behind = _palette(data, header)
    start = int.from_bytes(data[10:14], "little")
    end = _pixels_end(data, header, start)
    if header.size in (_V4, _V5):
        _take_colours(found, data)
    _take_surplus(found, data, (behind, start, end))
    return Container(
        format="bmp",
        width=header.width,
        height=abs(header.height),
        clean=_written(header, palette, data[start:end]),
        exact=header.bits != 16,
        kinds=found.all_kinds(),
        icc=found.icc,
        orientation=found.orientation,
        kept=found.kept,
    )


def _header(data: bytes) -> _Header:
    if len(data) < _FILE_HEADER + _CORE:
        raise undecodable("the BMP ends inside its header")
    (size,) = struct.unpack_from("<I", data, _FILE_HEADER)
    if size not in _HEADERS:
        raise unsupported("a BMP with a header that this project does not read")
    if len(data) < _FILE_HEADER + size:
        raise undecodable("the BMP ends inside its header")
    if size == _CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", data, _FILE_HEADER + 4)
        header = _Header(size, width, height, bits, _RAW, 1 << bits if bits <= 8 else 0)
    else:
        header = _long_header(data, size)
    if header.bits not in _BITS.get(header.packing, ()):
        raise unsupported("a BMP whose pixels are packed in a way that this project does not read")
    return header


def _long_header(data: bytes, size: int) -> _Header:
    width, height, _, bits, packing, _, across, down, colours, _ = struct.unpack_from(
        "<iiHHIIiiII", data, _FILE_HEADER + 4
    )
    wanted = min(colours or 1 << bits, 1 << bits) if bits <= 8 else 0
    masks = b""
    if packing == _BIT_FIELDS:
        at = _FILE_HEADER + 40  # in the header from version 2 on, right behind it before
        masks = data[at : at + (16 if size >= 56 and size != 64 else 12)]
    return _Header(size, width, height, bits, packing, wanted, masks, resolution=bool(across or down))


def _palette(data: bytes, header: _Header) -> tuple[bytes, int]:
    """The colours as blue, green, red and an unused zero, and the offset behind them."""
    at = _FILE_HEADER + header.size
    if header.size == 40:
        at += len(header.masks)
    entry = 3 if header.size == _CORE else 4
    stored = data[at : at + entry * header.colours]
    if len(stored) < entry * header.colours:
        raise undecodable("the BMP ends inside its palette")
    return b"".join(stored[one : one + 3] + b"\0" for one in range(0, len(stored), entry)), at + len(stored)


def _pixels_end(data: bytes, header: _Header, start: int) -> int:
    """Where the pixels end. Run-length encoded ones end where the header says, or with the file."""
    if header.packing in (_RLE8, _RLE4):
        (size,) = struct.unpack_from("<I", data, _FILE_HEADER + 20)
        end = min(start + size, len(data)) if size else len(data)
    else:
        end = start + header.row * abs(header.height)
    if not _FILE_HEADER + header.size <= start < end <= len(data):
        raise undecodable("the BMP ends before its pixels do")
    return end


def _take_colours(found: Findings, data: bytes) -> None:
    """The colour space of version 4 and 5 headers, and the profile that version 5 may name or hold."""
    space = data[_FILE_HEADER + 56 : _FILE_HEADER + 60]
    if space in (_EMBEDDED, _LINKED) and data[_FILE_HEADER] == _V5:
        offset, size = struct.unpack_from("<II", data, _FILE_HEADER + 112)
        block = data[_FILE_HEADER + offset : _FILE_HEADER + offset + size]
        found.kinds.add("icc" if space == _EMBEDDED else "linked_profile")
        found.icc = block if space == _EMBEDDED else b""
    elif space not in _SRGB or any(data[_FILE_HEADER + 60 : _FILE_HEADER + _V4]):
        found.kinds.add("colour_tags")


def _take_surplus(found: Findings, data: bytes, places: tuple[int, int, int]) -> None:
    """Bytes that belong to no part; places: behind the palette, first pixel, behind the last."""
    behind, start, end = places
    if any(data[6:10]) or (start > behind and any(data[behind:start])):
        found.kinds.add("hidden_data")
    tail = len(data) - end - len(found.icc)
    if tail > 3 or (tail > 0 and any(data[end:])):  # files are padded to whole words
        found.kinds.add("trailing_data")


def _written(header: _Header, palette: bytes, pixels: bytes) -> bytes:
    """A BMP with the oldest header that holds the same picture."""
    size = 56 if len(header.masks) == 16 else 40
    fields = (header.width, header.height, 1, header.bits, header.packing, len(pixels), 0, 0, header.colours, 0)
    start = _FILE_HEADER + size + len(palette) + (len(header.masks) if size == 40 else 0)
    return b"".join(
        [
            struct.pack("<2sIII", MAGIC, start + len(pixels), 0, start),
            struct.pack("<IiiHHIIiiII", size, *fields),
            header.masks,
            palette,
            pixels,
        ]
    )
