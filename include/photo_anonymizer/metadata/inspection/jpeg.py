"""JPEG (ITU-T T.81 Annex B): segments in one wording each, tables that are used, and scans that hold nothing else."""

from __future__ import annotations

import functools
import hashlib
import re
import struct
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import simplejpeg

_PROFILES = Path(__file__).parents[1] / "profiles.toml"
_PROFILE = b"ICC_PROFILE\0"
_PROFILE_ROOM = 65533 - len(_PROFILE) - 2
"""Bytes of a profile that fit into one segment (ICC.1 Annex B.4)."""
_COMPONENTS = (b"\1", b"\1\2\3", b"RGB")
"""Component names as libjpeg writes them; a free choice would leave room for three bytes."""
_PIXELS_A_BYTE = 512
"""At most: every block of 64 pixels needs a Huffman code of one bit at least."""
_PLAIN_JFIF = bytes.fromhex("4a46494600 0101 00 0001 0001 0000")
_PLAIN_ADOBE = b"Adobe" + bytes.fromhex("0064 0000 0000")
_NAMES = {0xFE: "COM", 0xDC: "DNL", 0xDE: "DHP", 0xDF: "EXP", 0xCC: "DAC"}
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN = re.compile(rb"(?:[^\xff]+|\xff\x00|\xff[\xd0-\xd7])*+")


@dataclass
class _State:
    frame: bytes = b""
    interval: int | None = None
    """Units between restart markers."""
    unused: set[tuple[int, int]] = field(default_factory=set)
    """(marker, table) of tables that no scan has used yet."""
    profile: list[bytes] = field(default_factory=list)
    """The segments that hold the colour profile, in order."""
    seen: set[int] = field(default_factory=set)
    """Colour markers (JFIF, Adobe) that were met."""
    ends: list[int] = field(default_factory=list)
    """Where each scan's compressed data ends."""
    given: set[tuple[int, int]] = field(default_factory=set)
    """(component, place in the block) of coefficients that a scan has given."""


def findings(data: bytes) -> Iterator[str]:
    """Kinds of what is not needed, as they are met."""
    state = _State()
    clean = True
    for kind in _structure(data, state):
        clean = False
        yield kind
    height, width = struct.unpack_from(">HH", state.frame, 1)
    if clean and height * width > _PIXELS_A_BYTE * len(data):
        yield "broken_container"  # and a decoder would be busy for long with what is not there
    elif clean:  # a decoder is shown nothing that the walk found strange
        yield from _behind_last_blocks(data, state.ends)


def _structure(data: bytes, state: _State) -> Iterator[str]:
    at, frames = 2, 0
    while True:
        if data[at] != 0xFF:
            yield "stray_bytes"
            return
        code = data[at + 1]
        if code == 0xD9:
            break
        if code in (0xD8, 0xFF, 0x00, 0x01) or 0xD0 <= code <= 0xD7:
            yield "second_picture" if code == 0xD8 else "stray_bytes"
            return
        (size,) = struct.unpack_from(">H", data, at + 2)
        payload = data[at + 4 : at + 2 + size]
        if size < 2 or len(payload) != size - 2:
            yield "broken_container"
            return
        at += 2 + size
        frames += code in (0xC0, 0xC1, 0xC2)
        yield from _segment(code, payload, state)
        if code == 0xDA:
            behind = _behind_scan(data, at)
            yield from _scan(payload, data[at:behind], state)
            at = behind
            state.ends.append(at)
    yield from _left_over(frames, state)
    if at + 2 != len(data):
        yield "trailing_data"


def _left_over(frames: int, state: _State) -> Iterator[str]:
    """What only the end of the picture tells."""
    if frames != 1 or not state.ends:
        yield "second_picture" if frames > 1 else "broken_container"
    if state.unused:
        yield "unused_table"
    if state.profile and not _well_known(state.profile):
        yield "segment_APP2"


def _behind_last_blocks(data: bytes, ends: list[int]) -> Iterator[str]:
    """A scan must end with the byte that its last block needs: libjpeg complains without it, and only then.

    libjpeg complains of bytes behind the last block too, but not of the few that it has read ahead; so every scan is
    tried without its last byte, as the last one of the file. At an eighth of the size that is Huffman decoding and
    little else (measured for one megapixel: 6 ms baseline, 62 ms progressive with ten scans).
    """
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        yield "unusual_sampling"  # sizes of components that this decoder does not take: nobody can say what is there
        return
    if _complains(data):
        yield "hidden_data"
        return
    for end in ends:
        stuffed = data[end - 2 : end] == b"\xff\0"
        if not _complains(data[: end - 1 - stuffed] + b"\xff\xd9"):
            yield "hidden_data"


def _complains(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data, "GRAY", fastdct=True, fastupsample=True, min_height=1, min_width=1, strict=True)
    except ValueError:
        return True
    return False


def _well_known(segments: list[bytes]) -> bool:
    """Do the segments hold one of the generic profiles, byte for byte, cut up in the one way that needs fewest?"""
    profile = b"".join(segment[len(_PROFILE) + 2 :] for segment in segments)
    starts = range(0, len(profile), _PROFILE_ROOM)
    expected = [
        _PROFILE + bytes((number, len(starts))) + profile[at : at + _PROFILE_ROOM]
        for number, at in enumerate(starts, 1)
    ]
    return segments == expected and hashlib.sha256(profile).hexdigest() in _digests()


@functools.cache
def _digests() -> frozenset[str]:
    """SHA-256 of the profiles that may stay; none where there is no list."""
    if not _PROFILES.is_file():
        return frozenset()
    listed = tomllib.loads(_PROFILES.read_text(encoding="utf-8"))
    return frozenset(str(entry["sha256"]).lower() for entry in listed.get("profile", []))


def _behind_scan(data: bytes, at: int) -> int:
    match = _SCAN.match(data, at)
    return match.end() if match else at


def _segment(code: int, payload: bytes, state: _State) -> Iterator[str]:
    if code in (0xDB, 0xC4):
        yield from _tables(code, payload, state.unused)
    elif code in (0xC0, 0xC1, 0xC2, 0xDA, 0xDD):
        if not _header_fits(code, payload):
            yield "broken_container"
    elif 0xE0 <= code <= 0xEF:
        yield from _application(code, payload, state)
    else:
        yield f"segment_{_NAMES.get(code, 'unknown')}"
    if code == 0xDD:
        if state.interval is not None:
            yield "redundant_restart"
        (state.interval,) = struct.unpack(">H", payload)
    elif code in (0xC0, 0xC1, 0xC2):
        state.frame = payload
    elif code == 0xDA:
        state.unused -= _used(payload, state.frame)


def _application(code: int, payload: bytes, state: _State) -> Iterator[str]:
    """JFIF and Adobe segments once each, and the parts of a colour profile, which are judged together later."""
    if code == 0xE2 and payload.startswith(_PROFILE):
        state.profile.append(payload)
    elif code in state.seen or not _colour_marker(code, payload):
        yield f"segment_APP{code - 0xE0}"
    state.seen.add(code)


def _used(scan: bytes, frame: bytes) -> set[tuple[int, int]]:
    """(marker, table) of all tables that a scan uses (T.81 B.2.2, B.2.3, G.1.2)."""
    steps = {frame[at]: frame[at + 2] for at in range(6, len(frame), 3)}
    first, last, approximation = scan[-3:]
    used: set[tuple[int, int]] = set()
    for name, both in zip(scan[1:-3:2], scan[2:-3:2], strict=True):
        used |= {(0xDB, steps.get(name, 0)), (0xDB, 0x10 | steps.get(name, 0))}
        if first == 0 and approximation < 16:
            used.add((0xC4, both >> 4))
        if last > 0:
            used.add((0xC4, 0x10 | both & 15))
    return used


def _scan(scan: bytes, packed: bytes, state: _State) -> Iterator[str]:
    """Restart markers that do not fit the picture, and coefficients that an earlier scan has given already."""
    if len(_RESTART.findall(packed)) != _restarts(scan, state):
        yield "surplus_restart"
    first, last, approximation = scan[-3:]
    if approximation < 16:
        given = {(name, place) for name in scan[1:-3:2] for place in range(first, min(last, 63) + 1)}
        if given & state.given:
            yield "repeated_scan"
        state.given |= given


def _restarts(scan: bytes, state: _State) -> int:
    """How many restart markers a scan must have (T.81 A.2, E.1.4)."""
    if not state.interval:
        return 0
    height, width = struct.unpack_from(">HH", state.frame, 1)
    factors = {state.frame[at]: divmod(state.frame[at + 1], 16) for at in range(6, len(state.frame), 3)}
    widest, tallest = max(a for a, _ in factors.values()), max(d for _, d in factors.values())
    if scan[0] == 1:
        across, down = factors.get(scan[1], (1, 1))
        units = _parts(_parts(width * across, widest), 8) * _parts(_parts(height * down, tallest), 8)
    else:
        units = _parts(width, 8 * widest) * _parts(height, 8 * tallest)
    return _parts(units, state.interval) - 1


def _parts(size: int, part: int) -> int:
    return (size + part - 1) // part


def _header_fits(code: int, payload: bytes) -> bool:
    """Frame, scan and restart headers leave no room for anything else (T.81 B.2.2, B.2.3, B.2.4.4)."""
    if code == 0xDA:
        return len(payload) == 4 + 2 * payload[0]
    if code == 0xDD:
        return len(payload) == 2
    return payload[0] == 8 and payload[6::3] in _COMPONENTS and len(payload) == 6 + 3 * payload[5]


def _colour_marker(code: int, payload: bytes) -> bool:
    """JFIF and Adobe segments are allowed in one wording each: they say what the colours mean."""
    if code == 0xEE:
        return len(payload) == 12 and payload[:11] == _PLAIN_ADOBE and payload[11] < 3
    return code == 0xE0 and payload == _PLAIN_JFIF


def _tables(code: int, payload: bytes, tables: set[tuple[int, int]]) -> Iterator[str]:
    """Quantisation and Huffman tables must fill their segment exactly and be defined once before a scan."""
    at = 0
    while at < len(payload):
        if (code, payload[at]) in tables:
            yield "redundant_table"
        tables.add((code, payload[at]))
        if code == 0xDB:
            at += 129 if payload[at] & 0xF0 else 65
        else:
            end = at + 17 + sum(payload[at + 1 : at + 17])
            if not _symbols_fit(payload[at] >> 4, payload[at + 17 : end]):
                yield "strange_table"
            at = end
    if at != len(payload):
        yield "broken_container"


def _symbols_fit(kind: int, symbols: bytes) -> bool:
    """No Huffman code twice for the same symbol, and for DC only sizes that 8 bits a sample can have (T.81 F.1.2.1)."""
    return len(set(symbols)) == len(symbols) and (kind != 0 or all(size <= 11 for size in symbols))
