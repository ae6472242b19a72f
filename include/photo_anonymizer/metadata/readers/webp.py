"""WebP, still and animated: keeping only compressed pictures and their alpha planes.

Source: RFC 9649 sections 2 (container), 2.7.1.1 (animation), 3 (lossless bitstream) and RFC 6386 section 9.1
(lossy header).

``clean`` of a WebP is for the decoder and is not published: bytes can follow the picture inside the payloads.
What is published is always written anew from the pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import vp8
from photo_anonymizer.metadata.readers.animation import needed
from photo_anonymizer.metadata.readers.container import (
    Container,
    Findings,
    Layer,
    check_size,
    no_such_picture,
    several,
    undecodable,
)

_MAX_CHUNKS = 1_000_000
"""A file with more was made to waste time."""
_FRAME_HEADER = 16


def is_webp(data: bytes) -> bool:
    """Does the content begin like a WebP file?"""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def is_lossless(data: bytes) -> bool:
    """Is the picture of this cleaned file in the lossless bitstream (VP8L)?"""
    return data[12:16] == b"VP8L"


def quality(data: bytes) -> int:
    """The quality (0 to 100) at which libwebp writes the lossy picture of this cleaned file about as large as it is."""
    frame = next(data[at:behind] for kind, at, behind in _positions(data, 12, len(data)) if kind == b"VP8 ")
    return vp8.quality(vp8.quantiser(frame))


@dataclass
class _Reading:
    found: Findings = field(default_factory=Findings)
    still: dict[bytes, bytes] = field(default_factory=dict)
    """The chunks that make the picture of a file without animation."""
    frames: list[bytes] = field(default_factory=list)
    """The ``ANMF`` payloads."""


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a WebP, for the decoder: its compressed pixels and its alpha plane, with what has to be drawn
    before it in an animation.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE, or SEVERAL_PICTURES (pictures beside an animation).
    """
    state = _Reading()
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise undecodable("the WebP ends before its declared end")
    if end < len(data):
        state.found.kinds.add("trailing_data")
    for kind, at, behind in _positions(data, 12, end):
        _take(state, kind, data[at:behind])
    return _animated(state, max_pixels, frame) if state.frames else _single(state, max_pixels, frame)


def count(data: bytes) -> int:
    """How many frames the file's animation has; 1 if it has none or is broken. Never raises."""
    end = min(8 + int.from_bytes(data[4:8], "little"), len(data))
    try:
        return max(1, sum(kind == b"ANMF" for kind, _, _ in _positions(data, 12, end)))
    except PhotoError:
        return 1


def _single(state: _Reading, max_pixels: int, frame: int) -> Container:
    parts = state.still
    width, height = _size(parts)
    check_size(width, height, max_pixels)
    if b"VP8X" in parts and _canvas(parts[b"VP8X"]) != (width, height):
        raise undecodable("the WebP canvas and its picture differ in size")
    if frame:
        raise no_such_picture()
    return _container(state, (width, height), _written(parts, width, height), exact=b"VP8L" in parts)


def _animated(state: _Reading, max_pixels: int, frame: int) -> Container:
    if not state.still.keys() <= {b"VP8X"}:
        raise several("a WebP with a picture beside its animation")
    if frame >= len(state.frames):
        raise no_such_picture()
    canvas = _canvas(state.still.get(b"VP8X", b""))
    check_size(*canvas, max_pixels)
    layers = needed([_layer(payload, canvas) for payload in state.frames[: frame + 1]], canvas)
    return _container(
        state, canvas, layers[-1].clean, exact=all(is_lossless(one.clean) for one in layers), layers=layers
    )


def _layer(payload: bytes, canvas: tuple[int, int]) -> Layer:
    """One frame: its place, and the still picture in it."""
    if len(payload) < _FRAME_HEADER:
        raise undecodable("a broken WebP frame")
    x, y, across, down = (int.from_bytes(payload[at : at + 3], "little") for at in (0, 3, 6, 9))
    x, y, width, height, flags = 2 * x, 2 * y, across + 1, down + 1, payload[15]
    inner = _Reading()
    for kind, at, behind in _positions(payload, _FRAME_HEADER, len(payload)):
        _take(inner, kind, payload[at:behind])
    if _size(inner.still) != (width, height) or x + width > canvas[0] or y + height > canvas[1]:
        raise undecodable("a WebP frame that does not fit its animation")
    return Layer(
        clean=_written(inner.still, width, height),
        x=x,
        y=y,
        width=width,
        height=height,
        over=not flags & 2,
        after="clear" if flags & 1 else "keep",
    )


def _container(
    state: _Reading, size_wh: tuple[int, int], clean: bytes, *, exact: bool, layers: tuple[Layer, ...] = ()
) -> Container:
    return Container(
        format="webp",
        width=size_wh[0],
        height=size_wh[1],
        clean=clean,
        exact=exact,
        kinds=state.found.all_kinds(),
        icc=state.found.icc,
        orientation=state.found.orientation,
        kept=state.found.kept,
        layers=layers,
    )


def _positions(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, first byte of the payload, offset behind it) of every chunk from ``at`` on."""
    for _ in range(_MAX_CHUNKS):
        if at >= end:
            return
        if at + 8 > end:
            raise undecodable("the WebP ends inside a chunk")
        kind, length = struct.unpack_from("<4sI", data, at)
        if at + 8 + length > end:
            raise undecodable("the WebP ends inside a chunk")
        yield kind, at + 8, at + 8 + length
        at += 8 + length + (length & 1)
    raise undecodable("the WebP is cut into too many chunks")


def _take(state: _Reading, kind: bytes, payload: bytes) -> None:
    found, parts = state.found, state.still
    if kind == b"ANMF":
        state.frames.append(payload)
    elif kind == b"ANIM":
        found.kinds.add("animation")
    elif kind in (b"VP8 ", b"VP8L", b"VP8X", b"ALPH"):
        if kind in parts or (kind in (b"VP8 ", b"VP8L") and (b"VP8 " in parts or b"VP8L" in parts)):
            raise several("a WebP with two pictures")
        parts[kind] = payload
    elif kind == b"EXIF":
        found.saw_exif(payload)
    elif kind == b"XMP ":
        found.saw_xmp(payload)
    elif kind == b"ICCP":
        found.kinds.add("icc")
        found.icc = payload
    else:
        found.kinds.add("other_chunk")


def _size(parts: dict[bytes, bytes]) -> tuple[int, int]:
    lossy, lossless = parts.get(b"VP8 ", b""), parts.get(b"VP8L", b"")
    # A key frame has a clear lowest bit and this start code.
    if len(lossy) >= 10 and not lossy[0] & 1 and lossy[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", lossy, 6)
        return width & 0x3FFF, height & 0x3FFF
    if len(lossless) >= 5 and lossless[0] == 0x2F:
        bits = int.from_bytes(lossless[1:5], "little")
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    raise undecodable("the WebP holds no readable picture")


def _canvas(extended: bytes) -> tuple[int, int]:
    if len(extended) < 10:
        raise undecodable("a broken WebP header")
    return int.from_bytes(extended[4:7], "little") + 1, int.from_bytes(extended[7:10], "little") + 1


def _written(parts: dict[bytes, bytes], width: int, height: int) -> bytes:
    if b"VP8L" in parts:
        body = _chunk(b"VP8L", parts[b"VP8L"])
    elif b"ALPH" in parts:
        canvas = b"\x10\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        body = _chunk(b"VP8X", canvas) + _chunk(b"ALPH", parts[b"ALPH"]) + _chunk(b"VP8 ", parts[b"VP8 "])
    else:
        body = _chunk(b"VP8 ", parts[b"VP8 "])
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack("<4sI", kind, len(payload)) + payload + b"\0" * (len(payload) & 1)
