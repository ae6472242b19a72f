"""Tracks: the picture sequences of a HEIF or AVIF file (bursts, animations), and the films that hide beside a photo.

Sources: ISO/IEC 14496-12 sections 8.4 to 8.7 (tracks, sample tables), ISO/IEC 23008-12 section 7 (sequences).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from photo_anonymizer.metadata.readers.isobmff import Box, BrokenBoxError, Fields, boxes, child, needed, written
from photo_anonymizer.metadata.readers.isoitems import Item, Items, Property

_KEPT = {
    b"moov": (b"mvhd", b"trak"),
    b"trak": (b"tkhd", b"tref", b"edts", b"mdia"),
    b"edts": (b"elst",),
    b"mdia": (b"mdhd", b"hdlr", b"minf"),
    b"minf": (b"vmhd", b"nmhd", b"dinf", b"stbl"),
    b"stbl": (b"stsd", b"stts", b"ctts", b"stss", b"stsz"),
}
"""What a decoder needs, by the box around it. Places of samples (``stsc``, ``stco``) are written anew."""
_ENTRY_KEPT = frozenset({b"av1C", b"hvcC", b"pixi", b"auxi", b"ccst"})
_TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
"""EXIF orientation by the signs of a, b, c and d of a track's matrix: x' = ax + cy, y' = bx + dy."""
_MAX_TRACKS = 16
_MAX_SAMPLES = 100_000
"""Of all tracks together. Ten times what a configuration may allow."""
_ENTRY_HEAD = 78
"""Bytes of a visual sample entry in front of its boxes (ISO/IEC 14496-12 section 12.1.3)."""


@dataclass(frozen=True)
class Track:
    """One track of pictures."""

    film: Box
    """The ``moov`` box."""
    box: Box
    """The ``trak`` box."""
    codec: bytes
    """Four letters: ``av01``, ``hvc1``."""
    width: int
    height: int
    config: tuple[Box, ...]
    """Boxes of the sample entry: ``hvcC`` or ``av1C``, ``colr``."""
    samples: tuple[tuple[int, int], ...]
    """(start, end) in the file, in order."""
    alone: frozenset[int] | None
    """Samples that need no other, counted from 1; None: all of them."""
    orientation: int
    """How the pictures are turned to be shown (EXIF, 1 to 8)."""

    def stands_alone(self, index: int) -> bool:
        """Can the sample (counted from 0) be decoded without the others?"""
        return self.alone is None or index + 1 in self.alone

    def property(self, kind: bytes) -> Box | None:
        """The first box of a kind in the sample entry."""
        return child(self.config, kind)


@dataclass(frozen=True)
class Film:
    """What a ``moov`` box holds."""

    pictures: tuple[Track, ...]
    """Sequences of pictures."""
    planes: tuple[Track, ...]
    """Their alpha and depth planes."""
    has_thumbnails: bool
    """Is there a smaller version of a sequence?"""
    has_video: bool
    """Are there tracks of another kind: video, sound?"""
    has_more: bool
    """Are there boxes around the tracks that say something about them: names, places?"""


def read(data: bytes, moov: Box) -> Film:
    """The tracks of a film.

    :raises BrokenBoxError: a picture track is not readable.
    """
    pictures, planes = [], []
    has_thumbnails = has_video = False
    has_more = _has_more(boxes(data, moov.body, moov.end))
    tracks = [box for box in boxes(data, moov.body, moov.end) if box.kind == b"trak"]
    if len(tracks) > _MAX_TRACKS:
        raise BrokenBoxError("too many tracks")
    for box in tracks:
        inside = boxes(data, box.body, box.end)
        has_more = has_more or _has_more(inside)
        media = boxes(data, *_span(needed(inside, b"mdia")))
        handler = data[needed(media, b"hdlr").body + 8 :][:4]
        if handler == b"pict" and _is_thumbnail(data, inside):
            has_thumbnails = True
        elif handler == b"pict":
            pictures.append(_track(data, moov, box, media))
        elif handler == b"auxv":
            planes.append(_track(data, moov, box, media))
        else:
            has_video = True
        if sum(len(one.samples) for one in (*pictures, *planes)) > _MAX_SAMPLES:
            raise BrokenBoxError("too many samples")
    return Film(tuple(pictures), tuple(planes), has_thumbnails, has_video, has_more)


def _has_more(inside: tuple[Box, ...]) -> bool:
    return any(box.kind in (b"udta", b"meta", b"uuid") for box in inside)


def _is_thumbnail(data: bytes, inside: tuple[Box, ...]) -> bool:
    references = child(inside, b"tref")
    return references is not None and child(boxes(data, *_span(references)), b"thmb") is not None


def _span(box: Box) -> tuple[int, int]:
    return box.body, box.end


def _track(data: bytes, film: Box, box: Box, media: tuple[Box, ...]) -> Track:
    table = boxes(data, *_span(needed(boxes(data, *_span(needed(media, b"minf"))), b"stbl")))
    description = needed(table, b"stsd")
    entries = boxes(data, description.body + 8, description.end)
    if len(entries) != 1:
        raise BrokenBoxError("a picture track with several kinds of samples")
    entry = entries[0]
    fields = Fields(data, entry)
    fields.take(24)
    width, height = fields.uint(2), fields.uint(2)
    config = boxes(data, entry.body + _ENTRY_HEAD, entry.end)
    samples = _samples(data, table)
    return Track(
        film, box, entry.kind, width, height, config, samples, _alone(data, child(table, b"stss")), _turn(data, box)
    )


def _turn(data: bytes, track: Box) -> int:
    """The matrix in the track's header (14496-12 section 8.3.2); anything but turns and mirroring is ignored."""
    header = needed(boxes(data, track.body, track.end), b"tkhd")
    fields = Fields(data, header)
    version = fields.version()
    fields.take(48 if version == 1 else 36)
    across, down, _, x, y = (fields.sint(4) for _ in range(5))
    return _TURNS.get((_sign(across), _sign(down), _sign(x), _sign(y)), 1)


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def _alone(data: bytes, box: Box | None) -> frozenset[int] | None:
    if box is None:
        return None
    fields = Fields(data, box)
    fields.version()
    count = fields.uint(4)
    if count > _MAX_SAMPLES or count * 4 > fields.left:
        raise BrokenBoxError("more samples than their table")
    return frozenset(fields.uint(4) for _ in range(count))


def _samples(data: bytes, table: tuple[Box, ...]) -> tuple[tuple[int, int], ...]:
    sizes = _sizes(data, needed(table, b"stsz"))
    chunks = _chunk_offsets(data, table)
    each = _samples_per_chunk(data, needed(table, b"stsc"), len(chunks))
    found: list[tuple[int, int]] = []
    waiting = iter(sizes)
    for offset, count in zip(chunks, each, strict=True):
        for size in (next(waiting, 0) for _ in range(min(count, len(sizes) - len(found)))):
            if offset + size > len(data):
                raise BrokenBoxError("a sample outside the file")
            found.append((offset, offset + size))
            offset += size
    if len(found) < len(sizes):
        raise BrokenBoxError("samples without a place")
    return tuple(found)


def _sizes(data: bytes, box: Box) -> list[int]:
    fields = Fields(data, box)
    fields.version()
    size, count = fields.uint(4), fields.uint(4)
    if count > _MAX_SAMPLES:
        raise BrokenBoxError("too many samples")
    if size == 0:
        if count * 4 > fields.left:
            raise BrokenBoxError("more samples than their table")
        sizes = [fields.uint(4) for _ in range(count)]
    elif size * count <= len(data):
        sizes = [size] * count
    else:
        raise BrokenBoxError("more samples than the file can hold")
    if not sizes or min(sizes) == 0 or sum(sizes) > len(data):
        raise BrokenBoxError("samples without bytes")
    return sizes


def _chunk_offsets(data: bytes, table: tuple[Box, ...]) -> list[int]:
    long = child(table, b"co64")
    fields = Fields(data, long or needed(table, b"stco"))
    fields.version()
    count, width = fields.uint(4), 8 if long else 4
    if count > _MAX_SAMPLES or count * width > fields.left:
        raise BrokenBoxError("more chunks than their table")
    return [fields.uint(width) for _ in range(count)]


def _samples_per_chunk(data: bytes, box: Box, chunks: int) -> list[int]:
    """How many samples each chunk has: the table only says where the number changes."""
    fields = Fields(data, box)
    fields.version()
    count = fields.uint(4)
    if count > _MAX_SAMPLES or count * 12 > fields.left:
        raise BrokenBoxError("more runs of chunks than their table")
    runs = []
    for _ in range(count):
        runs.append((fields.uint(4), fields.uint(4)))
        fields.take(4)
    each: list[int] = []
    for (first, many), (after, _) in pairwise([*runs, (chunks + 1, 0)]):
        if first != len(each) + 1 or not first <= after <= chunks + 1:
            raise BrokenBoxError("runs of chunks out of order")
        each += [many] * (after - first)
    if len(each) != chunks:
        raise BrokenBoxError("chunks without samples")
    return each


def as_item(data: bytes, track: Track, index: int) -> tuple[bytes, Items]:
    """A sample as the only item of a file: (the bytes that it lies in, the item with number 1)."""
    size = written(b"ispe", bytes(4), track.width.to_bytes(4), track.height.to_bytes(4))
    kept = [written(one.kind, one.content(data)) for one in track.config if _is_kept(data, one)]
    head = b"".join([size, *kept])
    start, end = track.samples[index]
    properties = tuple(Property(one, False) for one in boxes(head, 0, len(head)))
    item = Item(1, track.codec, False, b"", properties, ((len(head), len(head) + end - start),))
    return head + data[start:end], Items(1, {1: item}, ())


def rewritten(data: bytes, track: Track, planes: tuple[Track, ...], brand: bytes) -> bytes:
    """A file with one sequence and its alpha planes only: no film, no sound, no names, no profile.

    :param brand: ``avis``.
    :raises BrokenBoxError: the boxes are not readable.
    """
    tracks = {one.box: one for one in (track, *planes)}
    head = written(b"ftyp", brand, bytes(4), brand)
    samples = {box: b"".join(data[start:end] for start, end in one.samples) for box, one in tracks.items()}
    moov = b""
    for _ in range(2):  # first for its size, then with the offsets that follow from it
        at = len(head) + len(moov) + 8
        places = {}
        for box in tracks:
            places[box] = at
            at += len(samples[box])
        moov = _film(data, tracks, places)
    return b"".join([head, moov, written(b"mdat", *samples.values())])


def _film(data: bytes, tracks: dict[Box, Track], places: dict[Box, int]) -> bytes:
    box = next(iter(tracks.values())).film
    parts = [written(b"mvhd", needed(boxes(data, box.body, box.end), b"mvhd").content(data))]
    parts += [_copied(data, one, _table(track, places[one])) for one, track in tracks.items()]
    return written(b"moov", *parts)


def _table(track: Track, at: int) -> bytes:
    """All samples in one chunk."""
    count = len(track.samples).to_bytes(4)
    one = (1).to_bytes(4)
    return written(b"stsc", bytes(4), one, one, count, one) + written(b"stco", bytes(4), one, at.to_bytes(4))


def _copied(data: bytes, box: Box, table: bytes) -> bytes:
    """A box with the structural part of its content, and the new places of samples."""
    if box.kind == b"stsd":
        return written(b"stsd", data[box.body : box.body + 8], _entry(data, boxes(data, box.body + 8, box.end)[0]))
    if box.kind not in _KEPT:
        return written(box.kind, box.content(data))
    inside = [one for one in boxes(data, box.body, box.end) if one.kind in _KEPT[box.kind]]
    parts = [_copied(data, one, table) for one in inside]
    return written(box.kind, *parts, table if box.kind == b"stbl" else b"")


def _entry(data: bytes, box: Box) -> bytes:
    inside = boxes(data, box.body + _ENTRY_HEAD, box.end)
    parts = [written(one.kind, one.content(data)) for one in inside if _is_kept(data, one)]
    return written(box.kind, data[box.body : box.body + _ENTRY_HEAD], *parts)


def _is_kept(data: bytes, one: Box) -> bool:
    return one.kind in _ENTRY_KEPT or (one.kind == b"colr" and data[one.body : one.body + 4] == b"nclx")
