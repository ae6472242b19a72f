"""JPEG: keeping only what a decoder needs.

Sources: ITU-T T.81 (09/92) Annex B, JFIF 1.02, Adobe TN 5116 (APP14), ICC.1 Annex B.4, XMP part 3 section 1.1.3,
C2PA 2.1 section A.4.1 (APP11). What lies behind the picture is judged by :mod:`.multipicture`.

``clean`` of a JPEG is for decoders and is not published: a compressed stream can hold more than its picture.
What is published is made from it by :mod:`..lossless.carry`, or written anew from the pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import ifd, multipicture
from photo_anonymizer.metadata.readers.container import (
    Container,
    Findings,
    check_size,
    no_such_picture,
    undecodable,
    unsupported,
)
from photo_anonymizer.metadata.readers.jpegfile import (
    APP2,
    COM,
    DHT,
    DNL,
    DQT,
    DRI,
    EOI,
    FRAMES,
    ICC_PREFIX,
    MAGIC,
    SOS,
    Budget,
    Segment,
    segments,
)
from photo_anonymizer.metadata.readers.multipicture import Behind, Declared

__all__ = ["MAGIC", "count", "parse"]

_FOREIGN = {
    0xC3: "a lossless JPEG",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF), "a hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB, 0xCC), "an arithmetic-coded JPEG"),
    0xC8: "a JPEG of a kind that is reserved for extensions",
}
_LATE_HEIGHT = "a JPEG that tells its height only after its pixels"

_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_EXIF_PREFIX = b"Exif\x00"
_XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\x00"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\x00"
_XMP_MORE_HEAD = len(_XMP_MORE) + 32 + 4
"""Bytes before the offset of a part of an extended packet: prefix, digest and full length."""


@dataclass
class _Reading:
    """What has been read of one file so far."""

    budget: Budget = field(default_factory=Budget)
    found: Findings = field(default_factory=Findings)
    body: list[bytes] = field(default_factory=list)
    frame: bytes = b""
    scans: int = 0
    jfif: bool = False
    adobe: int | None = None
    icc: dict[int, bytes] = field(default_factory=dict)
    xmp_more: dict[bytes, bytes] = field(default_factory=dict)
    """Parts of an extended XMP packet by their offset in it, big endian."""
    declared: list[Declared] = field(default_factory=list)
    end: int = 0
    """Where the picture ends in the file."""


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a JPEG file: its headers, tables and scans.

    :param frame: 0 is the primary picture; then come the further ones as the file declares them.
    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE (also: no such frame), UNSUPPORTED_FORMAT or SEVERAL_PICTURES
        (a further picture that cannot be taken out).
    """
    state = _read(data, max_pixels)
    others = _behind(data, state)
    if frame:
        if not 0 < frame <= len(others.pictures):
            raise no_such_picture()
        # A further picture lists no others: its own multi-picture block speaks of the whole file (DC-007 5.2.2).
        place = others.pictures[frame - 1]
        state = _read(data[place.start : place.start + place.size], max_pixels)
    return _container(state, frozenset() if frame else others.kinds)


def count(data: bytes) -> int:
    """How many pictures of its own a JPEG file holds. 1 for a broken one. Never raises."""
    try:
        if multipicture.PREFIX not in data:
            return 1
        state = _Reading()
        for segment in segments(data, state.budget):
            if segment.marker in FRAMES:
                state.frame = segment.payload
            elif segment.marker == APP2:
                _take_app2(state, segment)
            state.end = segment.end
        return 1 + len(_behind(data, state).pictures)
    except PhotoError:
        return 1


def _read(data: bytes, max_pixels: int) -> _Reading:
    """The picture that the bytes start with.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    state = _Reading()
    for segment in segments(data, state.budget):
        if segment.stray:
            state.found.kinds.add("stray_bytes")
        if segment.marker != EOI:
            _take(state, segment, max_pixels)
        state.end = segment.end
    if not state.frame or not state.scans:
        raise undecodable("the JPEG holds no picture")
    return state


def _behind(data: bytes, state: _Reading) -> Behind:
    height, width = struct.unpack_from(">HH", state.frame, 1) if len(state.frame) >= 6 else (0, 0)
    return multipicture.behind(data, state.end, state.declared, height * width, state.budget)


def _container(state: _Reading, others: frozenset[str]) -> Container:
    if state.xmp_more:
        state.found.saw_xmp(b"".join(state.xmp_more[offset] for offset in sorted(state.xmp_more)))
    height, width = struct.unpack_from(">HH", state.frame, 1)
    return Container(
        format="jpeg",
        width=width,
        height=height,
        clean=b"".join([b"\xff\xd8", _head(state), *state.body, b"\xff\xd9"]),
        exact=state.frame[5] in (1, 3),
        kinds=state.found.all_kinds() | others,
        icc=b"".join(state.icc[number] for number in sorted(state.icc)),
        orientation=state.found.orientation,
        kept=state.found.kept,
    )


def _take(state: _Reading, segment: Segment, max_pixels: int) -> None:
    marker = segment.marker
    if marker in _FOREIGN:
        raise unsupported(_FOREIGN[marker])
    if marker == DNL:
        raise unsupported(_LATE_HEIGHT)
    if 0xE0 <= marker <= 0xEF:
        _take_application(state, segment)
        return
    if marker == COM:
        state.found.kinds.add("comment")
        return
    if marker in FRAMES:
        _take_frame(state, segment.payload, max_pixels)
    elif marker == SOS:
        _take_scan(state, segment)
    elif marker in (DQT, DHT):
        _check_tables(marker, segment.payload)
    elif marker != DRI or len(segment.payload) != 2:
        raise undecodable("a JPEG segment that does not belong here")
    state.body.append(segment.written() + segment.scan)


def _take_frame(state: _Reading, payload: bytes, max_pixels: int) -> None:
    if state.frame or len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
        raise undecodable("a broken JPEG frame header")
    precision, height, width, components = struct.unpack_from(">BHHB", payload)
    if precision != 8:
        raise unsupported(f"a JPEG of {precision} bits a sample")
    if components not in (1, 3, 4):
        raise unsupported(f"a JPEG of {components} components")
    if height == 0:
        raise unsupported(_LATE_HEIGHT)
    check_size(width, height, max_pixels)
    state.frame = payload


def _take_scan(state: _Reading, segment: Segment) -> None:
    payload = segment.payload
    if not state.frame or not payload or len(payload) != 4 + 2 * payload[0]:
        raise undecodable("a broken JPEG scan header")
    state.scans += 1


def _check_tables(marker: int, payload: bytes) -> None:
    """A table segment must be exactly as long as its tables."""
    at = 0
    while at < len(payload):
        if marker == DQT:
            at += 1 + 64 * (2 if payload[at] >> 4 else 1)
        else:
            at += 17 + sum(payload[at + 1 : at + 17])
    if at != len(payload):
        raise undecodable("a broken JPEG table")


def _take_application(state: _Reading, segment: Segment) -> None:
    number, payload = segment.marker - 0xE0, segment.payload
    if number == 0:
        _take_app0(state, payload)
    elif number == 1:
        _take_app1(state, payload)
    elif number == 2:
        _take_app2(state, segment)
    elif number == 11:
        state.found.kinds.add("c2pa" if payload.startswith(b"JP") and b"jumb" in payload[:32] else "app11")
    elif number == 13:
        _take_app13(state, payload)
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
    elif payload.startswith(_XMP_PREFIX):
        state.found.saw_xmp(payload)
        _note_maps(state, payload)
    elif payload.startswith(_XMP_MORE):
        state.found.kinds.add("xmp_extended")
        state.xmp_more.setdefault(payload[_XMP_MORE_HEAD : _XMP_MORE_HEAD + 4], payload[_XMP_MORE_HEAD + 4 :])
        _note_maps(state, payload)
    else:
        state.found.kinds.add("app1")


def _note_maps(state: _Reading, text: bytes) -> None:
    state.found.kinds |= multipicture.maps_in(text)
    if multipicture.tells_of_video(text):
        state.found.kinds.add("motion_video")


def _take_app2(state: _Reading, segment: Segment) -> None:
    payload = segment.payload
    if payload.startswith(ICC_PREFIX) and len(payload) > 14:
        state.found.kinds.add("icc")
        state.icc.setdefault(payload[12], payload[14:])
    elif payload.startswith(multipicture.PREFIX):
        state.found.kinds.add("mpf")
        base = segment.start + len(multipicture.PREFIX)
        state.budget.spend(len(payload) // ifd.SMALLEST_ENTRY)
        state.declared += multipicture.declared(payload[len(multipicture.PREFIX) :], base)
    elif payload.startswith(multipicture.GAIN_MAP_PREFIX):
        state.found.kinds.add("gain_map")
    else:
        state.found.kinds.add("app2")


def _take_app13(state: _Reading, payload: bytes) -> None:
    """8BIM 0x0404 holds IPTC; 0x0409 and 0x040C hold thumbnails (Photoshop file format, image resources)."""
    state.found.kinds.add("iptc" if b"8BIM\x04\x04" in payload else "photoshop")
    if b"8BIM\x04\x0c" in payload or b"8BIM\x04\x09" in payload:
        state.found.kinds.add("thumbnail")


def _head(state: _Reading) -> bytes:
    """JFIF and Adobe segments in one fixed wording: they only say what the colours of the scan mean."""
    adobe = b""
    if state.adobe is not None:
        adobe = Segment(0xEE, b"Adobe\x00\x64\x00\x00\x00\x00" + bytes([state.adobe])).written()
    return (_JFIF if state.jfif else b"") + adobe
