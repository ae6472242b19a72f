"""The parts of a JPEG file: marker segments, scans, and the few that this project writes.

Sources: ITU-T T.81 (09/92) Annex B, ICC.1 Annex B.4.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from photo_anonymizer.metadata.readers.container import undecodable

MAGIC = b"\xff\xd8\xff"
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
EOI, SOS, DQT, DHT, DRI, DNL, COM, APP1, APP2 = 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC, 0xFE, 0xE1, 0xE2
FRAMES = (BASELINE, EXTENDED, PROGRESSIVE)
_JFIF, _ADOBE = 0xE0, 0xEE
COLOUR_SEGMENTS = (_JFIF, _ADOBE)
"""JFIF and Adobe: they say what the colours of the scan mean."""
ICC_PREFIX = b"ICC_PROFILE\x00"
_ICC_ROOM = 0xFFFF - 2 - len(ICC_PREFIX) - 2
"""Bytes of a profile that one segment can hold."""
_RGB_NAMES = b"RGB"
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# Inside a scan, FF00 is a data byte, FFD0 to FFD7 are restarts, FFFF is fill: anything else ends the scan.
_FILL = re.compile(rb"\xff{2,}")
_MARKER = re.compile(rb"\xff+")
_SCAN_END = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


MOST_STEPS = 50_000
"""Of reading all pictures of one file: cameras and editors write some hundred segments, with 64 kB in the longest."""


@dataclass
class Budget:
    """How many markers and directory entries of a file may still be read, all of its pictures together."""

    left: int = field(default=MOST_STEPS)

    def spend(self, steps: int = 1) -> None:
        """Take some.

        :raises PhotoError: UNDECODABLE if there are not so many; then none is left.
        """
        self.left = max(-1, self.left - steps)
        if self.left < 0:
            raise undecodable("the JPEG has too many segments")

    @property
    def is_spent(self) -> bool:
        """Was more asked for than there was?"""
        return self.left < 0


@dataclass(frozen=True)
class Segment:
    """A marker segment."""

    marker: int
    """The second byte of its marker, the first one being FF."""
    payload: bytes
    """What follows its length."""
    scan: bytes = b""
    """The compressed bytes behind a scan header, without fill bytes."""
    start: int = 0
    """Where the payload starts in the file."""
    end: int = 0
    """Where the next marker is looked for."""
    stray: bool = False
    """Were there bytes before its marker that belong to nothing?"""

    def written(self) -> bytes:
        """Marker, length and payload."""
        return struct.pack(">BBH", 0xFF, self.marker, len(self.payload) + 2) + self.payload


def segments(data: bytes, budget: Budget | None = None) -> Iterator[Segment]:
    """Every marker segment of the picture that the bytes start with, the last one being its end-of-image marker.

    :param budget: what is left of the file's; by default a full one.
    :raises PhotoError: UNDECODABLE.
    """
    budget = budget or Budget()
    at = 2
    while True:
        budget.spend()
        found = _MARKER.search(data, at)
        if found is None or found.end() >= len(data):
            raise undecodable("the JPEG ends before its end marker")
        stray = found.start() > at
        marker, at = data[found.end()], found.end() + 1
        if marker == EOI:
            yield Segment(marker, b"", end=at, stray=stray)
            return
        if marker == 0 or marker in _STANDALONE:
            continue
        payload, after = _payload(data, at)
        scan, end = _scan(data, after) if marker == SOS else (b"", after)
        yield Segment(marker, payload, scan, at + 2, end, stray)
        at = end


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
    return (_FILL.sub(b"\xff", scan) if b"\xff\xff" in scan else scan), match.start()


# Cleaned files ----------------------------------------------------------------------------------------------


def head_of(clean: bytes) -> tuple[list[Segment], bytes]:
    """The segments of a well-formed file up to its first scan header, and all that follows.

    :raises PhotoError: UNDECODABLE if it is not well-formed.
    """
    found, at = _head(clean)
    return found, clean[at:]


def segments_of(clean: bytes) -> list[Segment]:
    """As :func:`head_of` without what follows, which is most of a file and would be copied.

    :raises PhotoError: UNDECODABLE if it is not well-formed.
    """
    return _head(clean)[0]


def _head(clean: bytes) -> tuple[list[Segment], int]:
    """The segments up to the first scan header, and where that ends."""
    found: list[Segment] = []
    at = 2
    while not found or found[-1].marker != SOS:
        marker = int.from_bytes(clean[at : at + 2], "big") - 0xFF00
        payload, at = _payload(clean, at + 2)
        found.append(Segment(marker, payload))
    return found, at


def frame_of(clean: bytes) -> bytes:
    """The frame header (T.81 B.2.2) of a cleaned file."""
    return next(one.payload for one in segments_of(clean) if one.marker in FRAMES)


def step_tables(parts: list[Segment]) -> dict[int, tuple[int, ...]]:
    """The quantisation tables by number: 64 steps, 0–65535, in zigzag order.

    A later definition replaces an earlier one (T.81 B.2.4.1).
    """
    found: dict[int, tuple[int, ...]] = {}
    for payload in (one.payload for one in parts if one.marker == DQT):
        at = 0
        while at < len(payload):
            wide, number = divmod(payload[at], 16)
            form = ">64H" if wide else ">64B"
            found[number] = struct.unpack_from(form, payload, at + 1)
            at += 1 + struct.calcsize(form)
    return found


def is_rgb(clean: bytes) -> bool:
    """Are the three components of a cleaned file red, green and blue? As libjpeg decides (jdapimin.c): JFIF means
    luma and colour differences, else the Adobe segment says what they are, and else their names.
    """
    parts = {one.marker: one.payload for one in segments_of(clean)}
    named = next(payload for marker, payload in parts.items() if marker in FRAMES)[6::3]
    if len(named) != 3 or _JFIF in parts:
        return False
    return parts[_ADOBE][11] == 0 if _ADOBE in parts else named == _RGB_NAMES


def names_for(frame: bytes) -> bytes:
    """What the components of a picture are called in a published file.

    Names are free (T.81 B.2.2), so bytes could hide there. R, G and B stay, as they tell the colours of a file
    without colour segments.
    """
    named = frame[6::3]
    return named if named == _RGB_NAMES else bytes(range(1, len(named) + 1))


def rebuilt(clean: bytes, fresh: bytes) -> bytes:
    """``fresh`` with the colour segments of ``clean`` as its only others, and published component names.

    :param fresh: a file with one scan, from a writer of our own.
    """
    head = [one for one in segments_of(clean) if one.marker in COLOUR_SEGMENTS]
    names = names_for(frame_of(clean))
    parts, scan = head_of(fresh)
    kept = [_renamed(one, names) for one in parts if one.marker in (*FRAMES, DQT, DHT, SOS)]
    return b"".join([b"\xff\xd8", *(one.written() for one in (*head, *kept)), scan])


def _renamed(segment: Segment, names: bytes) -> Segment:
    """A frame or scan header with all components in their order, under other names."""
    payload = bytearray(segment.payload)
    if segment.marker in FRAMES:
        payload[6::3] = names
    elif segment.marker == SOS:
        payload[1 : 1 + 2 * payload[0] : 2] = names
    return replace(segment, payload=bytes(payload))


def profile_of(clean: bytes) -> bytes:
    """The ICC profile (ICC.1 Annex B.4) of a published file, or nothing.

    :raises PhotoError: UNDECODABLE.
    """
    parts = [one.payload for one in segments_of(clean) if one.marker == APP2]
    return b"".join(part[len(ICC_PREFIX) + 2 :] for part in parts if part.startswith(ICC_PREFIX))


def with_profile(clean: bytes, profile: bytes) -> bytes:
    """A cleaned file with an ICC profile behind its colour segments (ICC.1 Annex B.4)."""
    parts = [profile[at : at + _ICC_ROOM] for at in range(0, len(profile), _ICC_ROOM)]
    blocks = [Segment(APP2, ICC_PREFIX + bytes([number, len(parts)]) + part) for number, part in enumerate(parts, 1)]
    at = 2
    while clean[at + 1] in COLOUR_SEGMENTS:
        _, at = _payload(clean, at + 2)
    return b"".join([clean[:at], *(one.written() for one in blocks), clean[at:]])
