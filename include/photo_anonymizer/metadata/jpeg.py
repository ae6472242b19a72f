"""JPEG: keeping only what a decoder needs.

Sources: ITU-T T.81 (09/92) Annex B, JFIF 1.02, Adobe TN 5116 (APP14), CIPA DC-007 (MPF), ICC.1 Annex B.4.

``clean`` of a JPEG is for decoders and is not published: a compressed stream can hold more than its picture.
What is published is written anew from the coefficients (:mod:`.transcode`) or from the pixels.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from photo_anonymizer.metadata import ifd
from photo_anonymizer.metadata.container import (
    Container,
    Findings,
    check_size,
    several,
    undecodable,
    unsupported,
)

MAGIC = b"\xff\xd8\xff"

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _DNL, _COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC, 0xFE
_FRAMES = (0xC0, 0xC1, 0xC2)
_COLOUR_SEGMENTS = (0xE0, 0xEE)
# Lossless, hierarchical and arithmetic-coded frames, and the arithmetic conditioning table.
_FOREIGN = frozenset({0xC3, 0xC5, 0xC6, 0xC7, *range(0xC8, 0xD0), 0xDE, 0xDF})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Inside a scan, FF00 is a data byte, FFD0 to FFD7 are restarts, FFFF is fill: anything else ends the scan.
_FILL = re.compile(rb"\xff{2,}")
_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_EXIF_PREFIX = b"Exif\x00"
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\x00"
_ICC_PREFIX = b"ICC_PROFILE\x00"
_MPF_PREFIX = b"MPF\x00"
_RGB_NAMES = b"RGB"
_LARGE_THUMBNAILS = frozenset({0x010001, 0x010002, 0x010003, 0x010004, 0x010005})


@dataclass(frozen=True)
class _Segment:
    marker: int
    payload: bytes
    scan: bytes = b""
    end: int = 0
    stray: bool = False


@dataclass
class _Reading:
    """What has been read of one file so far."""

    found: Findings = field(default_factory=Findings)
    body: list[bytes] = field(default_factory=list)
    frame: bytes = b""
    scans: int = 0
    jfif: bool = False
    adobe: int | None = None
    icc: dict[int, bytes] = field(default_factory=dict)
    mpf: list[bytes] = field(default_factory=list)
    gain_map: bool = False


def parse(data: bytes, max_pixels: int) -> Container:
    """One JPEG picture: its headers, tables and scans.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE, UNSUPPORTED_FORMAT or SEVERAL_PICTURES.
    """
    state = _Reading()
    end = 0
    for segment in _segments(data):
        if segment.stray:
            state.found.kinds.add("stray_bytes")
        if segment.marker == _EOI:
            end = segment.end
            break
        _take(state, segment, max_pixels)
    if not state.frame or not state.scans:
        raise undecodable("the JPEG holds no picture")
    _after_the_end(state, data[end:])
    state.found.icc = _joined_icc(state.icc)
    height, width = struct.unpack_from(">HH", state.frame, 1)
    return Container(
        format="jpeg",
        width=width,
        height=height,
        clean=b"".join([b"\xff\xd8", _head(state), *state.body, b"\xff\xd9"]),
        exact=state.frame[5] in (1, 3),
        kinds=state.found.all_kinds(),
        icc=state.found.icc,
        orientation=state.found.orientation,
    )


def frame_of(clean: bytes) -> bytes:
    """The frame header (T.81 B.2.2) of a cleaned file."""
    return next(one.payload for one in _until_scan(clean)[0] if one.marker in _FRAMES)


def rebuilt(clean: bytes, fresh: bytes) -> bytes:
    """``fresh`` with the colour segments of ``clean`` as its only others, and its components counted from 1.

    The names of components are free (T.81 B.2.2), so bytes could hide there. R, G and B stay, as they tell the
    colours of a file without colour segments.

    :param fresh: a file with one scan, from a writer of our own.
    """
    head = [one for one in _until_scan(clean)[0] if one.marker in _COLOUR_SEGMENTS]
    named = frame_of(clean)[6::3]
    names = named if named == _RGB_NAMES else bytes(range(1, len(named) + 1))
    segments, scan = _until_scan(fresh)
    kept = [_renamed(one, names) for one in segments if one.marker in (*_FRAMES, _DQT, _DHT, _SOS)]
    return b"".join([b"\xff\xd8", *(_written(one.marker, one.payload) for one in (*head, *kept)), scan])


def _until_scan(data: bytes) -> tuple[list[_Segment], bytes]:
    """The segments of a well-formed file up to its first scan header, and all that follows."""
    found: list[_Segment] = []
    at = 2
    while not found or found[-1].marker != _SOS:
        marker = data[at + 1]
        payload, at = _payload(data, at + 2)
        found.append(_Segment(marker, payload))
    return found, data[at:]


def _renamed(segment: _Segment, names: bytes) -> _Segment:
    """A frame or scan header with all components in their order, under other names."""
    payload = bytearray(segment.payload)
    if segment.marker in _FRAMES:
        payload[6::3] = names
    elif segment.marker == _SOS:
        payload[1 : 1 + 2 * payload[0] : 2] = names
    return replace(segment, payload=bytes(payload))


def _segments(data: bytes) -> Iterator[_Segment]:
    """Every marker segment of the primary picture, up to its end-of-image marker."""
    at = 2
    while True:
        start = data.find(b"\xff", at)
        stray = start > at
        at = start
        while start >= 0 and data[at : at + 1] == b"\xff":
            at += 1
        if start < 0 or at >= len(data):
            raise undecodable("the JPEG ends before its end marker")
        marker = data[at]
        at += 1
        if marker == _EOI:
            yield _Segment(marker, b"", end=at, stray=stray)
            return
        if marker == 0 or marker in _STANDALONE:
            continue
        payload, at = _payload(data, at)
        scan = b""
        if marker == _SOS:
            scan, at = _scan(data, at)
        yield _Segment(marker, payload, scan, at, stray)


def _payload(data: bytes, at: int) -> tuple[bytes, int]:
    if at + 2 > len(data):
        raise undecodable("the JPEG ends inside a segment")
    (length,) = struct.unpack_from(">H", data, at)
    if length < 2 or at + length > len(data):
        raise undecodable("a JPEG segment is longer than the file")
    return data[at + 2 : at + length], at + length


def _scan(data: bytes, at: int) -> tuple[bytes, int]:
    match = _SCAN_END.search(data, at)
    if match is None:
        raise undecodable("the JPEG ends inside its picture")
    scan = data[at : match.start()].rstrip(b"\xff")
    return _FILL.sub(b"\xff", scan), match.start()


def _take(state: _Reading, segment: _Segment, max_pixels: int) -> None:
    marker = segment.marker
    if marker in _FRAMES:
        _take_frame(state, segment.payload, max_pixels)
    elif marker in _FOREIGN:
        raise unsupported("a lossless, hierarchical or arithmetic-coded JPEG")
    elif marker == _DNL:
        raise unsupported("a JPEG that tells its height only after its pixels")
    elif marker == _SOS:
        _take_scan(state, segment)
    elif marker in (_DQT, _DHT):
        _check_tables(marker, segment.payload)
    elif 0xE0 <= marker <= 0xEF:
        _take_application(state, marker - 0xE0, segment.payload)
        return
    elif marker == _COM:
        state.found.kinds.add("comment")
        return
    elif marker != _DRI or len(segment.payload) != 2:
        raise undecodable("a JPEG segment that does not belong here")
    state.body.append(_written(marker, segment.payload) + segment.scan)


def _written(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _take_frame(state: _Reading, payload: bytes, max_pixels: int) -> None:
    if state.frame or len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
        raise undecodable("a broken JPEG frame header")
    precision, height, width, components = struct.unpack_from(">BHHB", payload)
    if precision != 8 or components not in (1, 3, 4):
        raise unsupported("a JPEG that is not 8 bit grey, colour or four-ink")
    if height == 0:
        raise unsupported("a JPEG that tells its height only after its pixels")
    check_size(width, height, max_pixels)
    state.frame = payload


def _take_scan(state: _Reading, segment: _Segment) -> None:
    payload = segment.payload
    if not state.frame or not payload or len(payload) != 4 + 2 * payload[0]:
        raise undecodable("a broken JPEG scan header")
    state.scans += 1


def _check_tables(marker: int, payload: bytes) -> None:
    """A table segment must be exactly as long as its tables."""
    at = 0
    while at < len(payload):
        if marker == _DQT:
            at += 1 + 64 * (2 if payload[at] >> 4 else 1)
        else:
            at += 17 + sum(payload[at + 1 : at + 17])
    if at != len(payload):
        raise undecodable("a broken JPEG table")


def _take_application(state: _Reading, number: int, payload: bytes) -> None:
    if number == 0:
        _take_app0(state, payload)
    elif number == 1:
        _take_app1(state, payload)
    elif number == 2:
        _take_app2(state, payload)
    elif number == 13:
        # 8BIM 0x0404 holds IPTC; 0x0409 and 0x040C hold thumbnails.
        state.found.kinds.add("iptc" if b"8BIM\x04\x04" in payload else "photoshop")
        if b"8BIM\x04\x0c" in payload or b"8BIM\x04\x09" in payload:
            state.found.kinds.add("thumbnail")
    elif number == 14 and payload.startswith(b"Adobe") and len(payload) >= 12 and payload[11] < 3:
        state.adobe = payload[11]
        if len(payload) > 12:
            state.found.kinds.add("app14")
    else:
        state.found.kinds.add(f"app{number}")


def _take_app0(state: _Reading, payload: bytes) -> None:
    if payload.startswith(b"JFIF\x00") and len(payload) >= 14:
        state.jfif = True
        if payload[7:12] not in (b"\x00\x00\x01\x00\x01", b"\x00\x00\x00\x00\x00"):
            state.found.kinds.add("resolution")
        if len(payload) > 14:
            state.found.kinds.add("thumbnail")
    elif payload.startswith(b"JFXX\x00"):
        state.found.kinds.add("thumbnail")
    else:
        state.found.kinds.add("app0")


def _take_app1(state: _Reading, payload: bytes) -> None:
    if payload.startswith(_EXIF_PREFIX):
        state.found.saw_exif(payload[6:])
    elif payload.startswith((_XMP_PREFIX, _XMP_MORE)):
        state.found.saw_xmp(payload)
        state.gain_map = state.gain_map or b"hdrgm" in payload or b"HDRGainMap" in payload
    else:
        state.found.kinds.add("app1")


def _take_app2(state: _Reading, payload: bytes) -> None:
    if payload.startswith(_ICC_PREFIX) and len(payload) > 14:
        state.found.kinds.add("icc")
        state.icc.setdefault(payload[12], payload[14:])
    elif payload.startswith(_MPF_PREFIX):
        state.found.kinds.add("mpf")
        state.mpf.append(payload[4:])
    else:
        state.found.kinds.add("app2")


def _joined_icc(parts: dict[int, bytes]) -> bytes:
    return b"".join(parts[number] for number in sorted(parts))


def _head(state: _Reading) -> bytes:
    """JFIF and Adobe segments in one fixed wording: they only say what the colours of the scan mean."""
    adobe = b""
    if state.adobe is not None:
        adobe = _written(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([state.adobe]))
    return (_JFIF if state.jfif else b"") + adobe


def _after_the_end(state: _Reading, rest: bytes) -> None:
    """Judge what follows the primary picture: more pictures are held, anything else is dropped."""
    others = [kind for block in state.mpf for kind in _further_pictures(block, rest)]
    if any(kind not in _LARGE_THUMBNAILS for kind in others):
        raise several("the JPEG declares further pictures (MPO, gain map or the like)")
    if state.gain_map and MAGIC in rest:
        raise several("the JPEG carries a gain map picture")
    if others:
        state.found.kinds.add("thumbnail")
    if rest:
        state.found.kinds.add("trailing_data")


def _further_pictures(block: bytes, rest: bytes) -> list[int]:
    """The types (CIPA DC-007 table 4) of the pictures after the first one; 0 is an undefined type.

    A multi-picture block that cannot be read counts as one more picture if a JPEG follows the first one.
    """
    try:
        form = ifd.layout(block)
        entries = ifd.directory(block, form, form.first).entries
        count = ifd.integer(entries.get(0xB001), form)
        table = entries[0xB002].value
        kinds = [value & 0xFFFFFF for value in struct.unpack(f"{form.order}{len(table) // 4}I", table)[::4]]
    except (ifd.BrokenDirectoryError, KeyError, struct.error):
        return [0] if MAGIC in rest else []
    if count > 1 and len(kinds) < count:
        return [0]
    return kinds[1:]
