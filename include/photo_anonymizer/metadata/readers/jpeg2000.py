"""JPEG 2000: JP2 and JPX files, and codestreams without a file around them.

Sources: ISO/IEC 15444-1 Annexes A (codestream) and I (JP2), ISO/IEC 15444-2 Annex M (JPX), the identifiers of the
EXIF, GeoTIFF and IPTC boxes as their makers publish them, XMP part 3 section 1.1.8.

The decoder (OpenJPEG, by Pillow) sees header, colour space, palette and the markers that pictures are made of. A
palette and a channel definition count as Pillow takes them: a second or fourth channel is alpha.
"""

from __future__ import annotations

import io
import struct
import sys
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from photo_anonymizer.metadata.readers.container import (
    Container,
    Findings,
    check_size,
    no_such_picture,
    undecodable,
    unsupported,
)
from photo_anonymizer.metadata.readers.isobmff import Box, BrokenBoxError, boxes, child, leading, needed, written

CODESTREAM = b"\xff\x4f\xff\x51"
SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
MAGICS = (CODESTREAM, SIGNATURE)

_BRANDS = (b"jp2 ", b"jpx ", b"jph ")
_SIZ, _COM, _SOT, _SOD, _EOC = 0xFF51, 0xFF64, 0xFF90, 0xFF93, 0xFFD9
_POINTERS = (0xFF55, 0xFF57, 0xFF58, 0xFF63)
"""TLM, PLM, PLT and CRG: where things are and how sensors lie. Nothing is needed, the first would be wrong."""
_MAX_TILES = 65_535
_MAX_MARKERS = 65_536
_MAX_METADATA = 16_000_000
_UUIDS = {
    bytes.fromhex("4a706754696666457869662d3e4a5032"): "exif",
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
    bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"): "gps",  # GeoTIFF
}
_KINDS = {b"xml ": "text", b"jp2i": "copyright", b"jumb": "c2pa", b"moov": "motion_video"}
_STRUCTURAL = (b"ftyp", b"jP  ", b"jp2h", b"jp2c", b"rreq", b"jpch", b"jplh")
_HEADER_KEPT = (b"bpcc", b"pclr", b"cmap", b"cdef")
_SRGB, _GREY, _SYCC, _CMYK = 16, 17, 18, 12
_KNOWN_COLOURS = (_SRGB, _GREY, _SYCC, _CMYK)


@dataclass(frozen=True)
class _Size:
    """The SIZ marker segment (15444-1 A.5.1)."""

    width: int
    height: int
    depths: tuple[int, ...]
    """Bits of each component."""


@dataclass
class _File:
    codestreams: list[Box] = field(default_factory=list)
    header: tuple[Box, ...] = ()
    """Boxes of the JP2 header; empty for a bare codestream."""
    top: tuple[Box, ...] = ()
    """Its outermost boxes; none for a bare codestream."""
    end: int = sys.maxsize
    """Where they end."""
    found: Findings = field(default_factory=Findings)


# --- the file


def count(data: bytes) -> int:
    """How many codestreams the file holds; 1 if it cannot be read. Never raises."""
    try:
        return max(1, len(_read(data).codestreams))
    except BrokenBoxError:
        return 1


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a JPEG 2000 file: its codestream without comments, and what says how its values are meant.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    try:
        file = _read(data)
        if not 0 <= frame < len(file.codestreams):
            raise no_such_picture()
        _note_metadata(data, file)
        place = file.codestreams[frame]
        size = _size(data, place, max_pixels)
        stream = _clean_stream(data, place, file.found)
        if file.header:
            header = _clean_header(data, file, size, main=frame == 0)
            stream = b"".join([SIGNATURE, written(b"ftyp", b"jp2 \0\0\0\0jp2 "), header, written(b"jp2c", stream)])
    except (BrokenBoxError, struct.error):
        raise undecodable("a broken JPEG 2000 structure") from None
    return Container(
        format="jpeg2000",
        width=size.width,
        height=size.height,
        clean=stream,
        exact=False,
        kinds=file.found.all_kinds(),
        icc=file.found.icc,
        orientation=file.found.orientation,
        depth=max(size.depths),
        kept=file.found.kept,
    )


def _read(data: bytes) -> _File:
    if data.startswith(CODESTREAM):
        return _File([Box(b"jp2c", 0, 0, len(data))])
    top, end = leading(data, 0, len(data))
    brand = data[top[1].body : top[1].body + 4] if len(top) > 1 and top[1].kind == b"ftyp" else b""
    if brand not in _BRANDS:
        raise BrokenBoxError("no JPEG 2000 picture")
    file = _File([box for box in top if box.kind == b"jp2c"])
    header = needed(top, b"jp2h")
    file.header = boxes(data, header.body, header.end)
    file.top, file.end = top, end
    return file


def _note_metadata(data: bytes, file: _File) -> None:
    """Name what is found besides the pictures: it may take long, so that counting does without."""
    if file.end < len(data):
        file.found.kinds.add("trailing_data")
    for box in file.top:
        _note_box(data, file.found, box)


def _note_box(data: bytes, found: Findings, box: Box) -> None:
    if box.kind == b"uuid":
        _note_uuid(data, found, box)
    elif box.kind in (b"free", b"skip"):
        found.kinds.add("hidden_data")
    elif box.kind == b"xml " and b"xmpmeta" in data[box.body : min(box.end, box.body + _MAX_METADATA)]:
        found.saw_xmp(data[box.body : min(box.end, box.body + _MAX_METADATA)])
    elif box.kind not in _STRUCTURAL:
        found.kinds.add(_KINDS.get(box.kind, "other_box"))


def _note_uuid(data: bytes, found: Findings, box: Box) -> None:
    kind = _UUIDS.get(data[box.body : box.body + 16], "other_box")
    payload = data[box.body + 16 : min(box.end, box.body + _MAX_METADATA)]
    if kind == "exif":
        found.saw_exif(payload)
    elif kind == "xmp":
        found.saw_xmp(payload)
    else:
        found.kinds.add(kind)


# --- the codestream


def _size(data: bytes, place: Box, max_pixels: int) -> _Size:
    """What the codestream says about itself, checked before a decoder sees it.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    if data[place.body : place.body + 4] != CODESTREAM:
        raise BrokenBoxError("no codestream")
    right, bottom, left, top, tile_width, tile_height, tiles_left, tiles_top, components = struct.unpack_from(
        ">8IH", data, place.body + 8
    )
    width, height = right - left, bottom - top
    check_size(width, height, max_pixels)
    if not 1 <= components <= 4:
        raise unsupported("a JPEG 2000 picture with more than four channels")
    each = [struct.unpack_from(">BBB", data, place.body + 42 + 3 * index) for index in range(components)]
    if any(bits & 127 > 15 or not across or not down for bits, across, down in each):
        raise unsupported("a JPEG 2000 picture with more than 16 bits a channel, or none")
    if not tile_width or not tile_height or tiles_left > left or tiles_top > top:
        raise BrokenBoxError("tiles that do not cover the picture")
    tiles = -((tiles_left - right) // tile_width) * -((tiles_top - bottom) // tile_height)
    if tiles > _MAX_TILES:
        raise undecodable("a JPEG 2000 picture with more tiles than the standard allows")
    return _Size(width, height, tuple((bits & 127) + 1 for bits, _, _ in each))


def _clean_stream(data: bytes, place: Box, found: Findings) -> bytes:
    """The codestream without comments, pointers and what follows its end."""
    at, end = place.body + 2, place.end
    parts = [data[place.body : at]]
    at = _copy_segments(data, at, end, parts, found)
    for _ in range(_MAX_MARKERS):
        if int.from_bytes(data[at : at + 2]) != _SOT:
            break
        at = _copy_tile_part(data, at, end, parts, found)
    else:
        raise BrokenBoxError("too many tile parts")
    if data[at : at + 2] == b"\xff\xd9":
        at += 2
    if at < end:
        found.kinds.add("trailing_data")
    return b"".join([*parts, b"\xff\xd9"])


def _copy_segments(data: bytes, at: int, end: int, parts: list[bytes], found: Findings) -> int:
    """Copy marker segments up to the first tile part or the data; returns where that begins."""
    for _ in range(_MAX_MARKERS):
        marker, length = struct.unpack_from(">HH", data, at)
        if marker in (_SOT, _SOD, _EOC):
            return at
        after = at + 2 + length
        if marker < 0xFF30 or length < 2 or after > end:
            raise BrokenBoxError("a broken marker segment")
        if marker == _COM:
            found.kinds.add("comment")
        elif marker not in _POINTERS:
            parts.append(data[at:after])
        at = after
    raise BrokenBoxError("too many marker segments")


def _copy_tile_part(data: bytes, at: int, end: int, parts: list[bytes], found: Findings) -> int:
    """Copy one tile part (15444-1 A.4.2) with its length as it is afterwards; returns where the next one begins."""
    length = int.from_bytes(data[at + 6 : at + 10])
    stop = at + length if length else end - 2 * data.endswith(b"\xff\xd9", 0, end)
    if data[at + 2 : at + 4] != b"\0\x0a" or not at + 14 <= stop <= end:
        raise undecodable("the JPEG 2000 codestream ends inside a tile")
    segments: list[bytes] = []
    body = _copy_segments(data, at + 12, stop, segments, found)
    if int.from_bytes(data[body : body + 2]) != _SOD:
        raise BrokenBoxError("a tile part without data")
    header = b"".join(segments)
    total = 12 + len(header) + stop - body
    parts += [data[at : at + 6], total.to_bytes(4), data[at + 10 : at + 12], header, data[body:stop]]
    return stop


# --- the JP2 header


def _clean_header(data: bytes, file: _File, size: _Size, *, main: bool) -> bytes:
    """Header box with size, depths, colour space, palette and channel meanings.

    :param main: is it the first picture? The header describes it; further ones are taken as their codestreams say.
    """
    header = file.header
    _note_header(data, file, header)
    channels = len(size.depths)
    if main:
        fields = struct.unpack_from(">IIH", data, needed(header, b"ihdr").body)
        if fields != (size.height, size.width, channels):
            raise undecodable("the JPEG 2000 header and its picture differ")
    palette = child(header, b"pclr") if main or channels == 1 else None
    shown = data[palette.body + 2] if palette and palette.end > palette.body + 2 else channels
    kept = [box for box in header if box.kind in _HEADER_KEPT and (main or palette)]
    depth = size.depths[0] - 1 if len(set(size.depths)) == 1 else 255
    first = struct.pack(">IIHBBBB", size.height, size.width, channels, depth, 7, 0, 0)
    colour = struct.pack(">BBBI", 1, 0, 0, _colour_space(data, header, shown, file.found.icc))
    copies = [written(box.kind, box.content(data)) for box in kept]
    return written(b"jp2h", written(b"ihdr", first), written(b"colr", colour), *copies)


def _note_header(data: bytes, file: _File, header: tuple[Box, ...]) -> None:
    for box in header:
        if box.kind == b"res ":
            file.found.kinds.add("resolution")
        elif box.kind == b"colr" and data[box.body : box.body + 1] in (b"\2", b"\3"):
            file.found.kinds.add("icc")
            file.found.icc = file.found.icc or data[box.body + 3 : box.end]
        elif box.kind not in (*_HEADER_KEPT, b"ihdr", b"colr"):
            file.found.kinds.add("other_box")


def _colour_space(data: bytes, header: tuple[Box, ...], channels: int, icc: bytes) -> int:
    """Number of the colour space (15444-1 table I.10); by the channels if there is a profile instead.

    :raises PhotoError: UNSUPPORTED_FORMAT for one that nothing here converts.
    """
    usual = _GREY if channels < 3 else _SRGB
    if channels == 4 and icc[16:20] == b"CMYK":
        return _CMYK
    box = child(header, b"colr")
    if box is None or data[box.body] != 1:
        return usual
    (number,) = struct.unpack_from(">I", data, box.body + 3)
    if number not in _KNOWN_COLOURS:
        raise unsupported("a JPEG 2000 picture in a colour space that is not known here")
    return int(number) if channels >= 3 else usual


# --- the decoder


def opened(clean: bytes, frame: int) -> Image.Image:
    """The decoded picture as stored, 8 bit: mode L, LA, P, PA, RGB, RGBA or CMYK. Thread-safe.

    :param clean: what :func:`parse` made.
    :param frame: always 0.
    :raises PhotoError: UNDECODABLE.
    """
    try:
        picture: Image.Image = Jpeg2KImageFile(io.BytesIO(clean))
        picture.seek(frame)
        picture.load()
        if picture.mode.startswith("I;16"):
            # OpenJPEG's values come scaled to 16 bits, whatever the depth was.
            picture = Image.fromarray((np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8))
        picture.info = {}
    except Exception:  # noqa: BLE001 - hostile bytes raise anything; the text may quote them, so it ends here
        raise undecodable("the pixels cannot be decoded") from None
    return picture
