"""What a JPEG file holds besides its primary picture: further pictures, gain and depth maps, videos.

Further pictures are listed in a multi-picture block (MPF, CIPA DC-007-2021) and lie behind the primary one.

- Large thumbnails (types 0x010001–0x010005), and gain maps, depth maps and masks (undefined type, known by their own
  XMP) belong to the primary picture: they are dropped and named.
- Everything else that is declared (stereo, panorama, other angles, undefined) is a picture of its own. One that
  cannot be found where it is said to be holds the file.
- What nobody declares is dropped as ``trailing_data``; no viewer shows it. But in a file without a multi-picture
  block a JPEG with at least as many pixels as the primary one holds the file: it is more likely a picture that
  somebody took than a by-product.

Gain maps: Ultra HDR 1.1 (``hdrgm``), ISO 21496-1, Apple (``HDRGainMap``). Depth: XMP ``GDepth`` and ``Device``,
Apple's auxiliary images, Samsung's trailer. Videos: Motion Photo 1.0 and its forerunner MicroVideo, Samsung's trailer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import ifd
from photo_anonymizer.metadata.readers.container import several
from photo_anonymizer.metadata.readers.jpegfile import APP1, APP2, FRAMES, MAGIC, Budget, Segment, segments

PREFIX = b"MPF\x00"
GAIN_MAP_PREFIX = b"urn:iso:std:iso:ts:21496:-1"
"""APP2 segments of ISO 21496-1 start with it."""

_COUNT, _ENTRIES = 0xB001, 0xB002
_UNDEFINED = 0
_LARGE_THUMBNAILS = frozenset(range(0x010001, 0x010006))
_TELLING = {
    "gain_map": (b"hdrgm:", b"HDRGainMap", b"hdrgainmap", GAIN_MAP_PREFIX),
    "depth_map": (
        b"GDepth:",
        b"ns.google.com/photos/dd/1.0/",
        b'Semantic="Depth',
        b"DualShot_DepthMap",
        b"DepthMap_Image",
        b"AuxiliaryDataTypeDepth",
        b"AuxiliaryDataTypeDisparity",
    ),
    "mask": (b"AuxiliaryDataTypePortraitEffectsMatte", b"AuxiliaryDataTypeSemanticSegmentation"),
}
"""Words in metadata or trailing bytes that tell of a map somewhere in the file."""
_BEING = {
    "gain_map": (b"hdrgm:GainMapMax", b"hdrgm:HDRCapacityMax", b"aux:hdrgainmap", b"AuxiliaryDataTypeHDRGainMap"),
    "depth_map": (b"AuxiliaryDataTypeDepth", b"AuxiliaryDataTypeDisparity"),
    "mask": _TELLING["mask"],
}
"""Words in a picture's own XMP that say that it is a map. The photo that a gain map belongs to has ``hdrgm:`` too."""
_GAIN_MAP_VERSIONS = len(GAIN_MAP_PREFIX) + 5
"""Bytes of the ISO 21496-1 segment of the photo itself, which holds versions only; that of a gain map is longer."""
_VIDEO = (
    b'MicroVideo="1',
    b"MicroVideo>1",
    b'MotionPhoto="1',
    b"MotionPhoto>1",
    b"MotionPhoto_Data",
    *(b"ftyp" + brand for brand in (b"mp4", b"isom", b"iso", b"qt  ", b"avc1", b"3gp", b"heic", b"hvc1")),
)
_HEAD_ROOM = 1 << 18
"""Bytes of a further picture in which its own head is looked for, so that hostile files cost little."""
_MOST_DECLARED = 256
"""A block that declares more pictures is nonsense, or meant to cost time."""
_MOST_HIDDEN = 64
"""Undeclared starts of a JPEG that are looked at: chance puts one into every 16 MB of a video."""


@dataclass(frozen=True)
class Declared:
    """One entry of a multi-picture block, the primary picture's own left out."""

    kind: int
    """Its type (DC-007 table 4); 0 is undefined."""
    start: int
    """Where it is said to start in the file; 0 if nowhere."""
    size: int


def maps_in(text: bytes) -> set[str]:
    """``gain_map``, ``depth_map`` and ``mask``, if metadata or trailing bytes tell of one."""
    return _kinds(text, _TELLING)


def _kinds(text: bytes, words_of: Mapping[str, tuple[bytes, ...]]) -> set[str]:
    return {kind for kind, words in words_of.items() if any(word in text for word in words)}


def tells_of_video(text: bytes) -> bool:
    """Do metadata or trailing bytes tell of a video?"""
    return any(word in text for word in _VIDEO)


def declared(block: bytes, base: int) -> list[Declared]:
    """The entries of a multi-picture block. A block that cannot be read declares one picture that is nowhere.

    :param block: from its TIFF header on.
    :param base: where that header lies in the file: offsets count from there (DC-007 5.2.3.3).
    """
    try:
        form = ifd.layout(block)
        entries = ifd.directory(block, form, form.first).entries
        count = ifd.integer(entries.get(_COUNT), form)
        rows = list(struct.iter_unpack(form.order + "IIIHH", entries[_ENTRIES].value))
    except (ifd.BrokenDirectoryError, KeyError, struct.error):
        return [Declared(0, 0, 0)]
    found = [Declared(row[0] & 0xFFFFFF, row[2] + base if row[2] else 0, row[1]) for row in rows[1:]]
    return found + [Declared(0, 0, 0)] * max(0, min(count, _MOST_DECLARED + 2) - len(rows))


@dataclass(frozen=True)
class Behind:
    """What lies behind the primary picture."""

    pictures: tuple[Declared, ...]
    """Pictures of their own, in the order in which they are declared; each starts like a JPEG."""
    kinds: frozenset[str]
    """What is dropped."""


@dataclass(frozen=True)
class _Maps:
    """What kind of map the further pictures of a file are, each read once: entries may name the same place again."""

    data: bytes
    budget: Budget
    known: dict[int, set[str]] = field(default_factory=dict)

    def at(self, start: int) -> set[str]:
        """As :func:`_map_of`.

        :raises PhotoError: UNDECODABLE if the budget does not last.
        """
        if start not in self.known:
            self.known[start] = _map_of(_head(self.data, start, self.budget))
        return self.known[start]


def behind(data: bytes, end: int, entries: list[Declared], pixels: int, budget: Budget) -> Behind:
    """Tell apart what follows the primary picture.

    :param end: where the primary picture ends.
    :param pixels: width × height of the primary picture.
    :param budget: what the primary picture has left of the file's.
    :raises PhotoError: SEVERAL_PICTURES if there is a picture of its own that cannot be taken out, UNDECODABLE if the
        budget does not last.
    """
    if len(entries) > _MOST_DECLARED:
        raise several("the JPEG declares more pictures than a file can have")
    kinds: set[str] = set()
    pictures: list[Declared] = []
    maps = _Maps(data, budget)
    reached = end
    for entry in entries:
        found = entry.start >= end and data.startswith(MAGIC, entry.start)
        if found:
            reached = max(reached, min(entry.start + entry.size, len(data)))
        dropped = _by_product(entry, maps.at(entry.start) if found else set())
        if not found and not dropped:
            raise several("the JPEG declares a further picture that is not where it should be")
        kinds |= dropped
        if not dropped:
            pictures.append(entry)
    rest = data[reached:]
    if not entries and _holds_large_picture(rest, pixels, budget):
        raise several("a further picture lies behind the end of the JPEG")
    return Behind(tuple(pictures), frozenset(kinds | _dropped(rest)))


def _by_product(entry: Declared, maps: set[str]) -> set[str]:
    """What a declared picture is, if it is none of its own: only an undefined one can be a map.

    :param maps: what it says that it is.
    """
    if entry.kind in _LARGE_THUMBNAILS:
        return {"thumbnail"}
    return maps if entry.kind == _UNDEFINED else set()


def _map_of(head: list[Segment]) -> set[str]:
    """What kind of map a JPEG says that it is; empty if it is none."""
    kinds = _kinds(b"\n".join(one.payload for one in head if one.marker == APP1), _BEING)
    parameters = (one for one in head if one.marker == APP2 and one.payload.startswith(GAIN_MAP_PREFIX))
    if any(len(one.payload) > _GAIN_MAP_VERSIONS for one in parameters):
        kinds.add("gain_map")
    return kinds


def _dropped(rest: bytes) -> set[str]:
    """What the bytes behind the last declared picture are."""
    kinds = {"trailing_data"} | maps_in(rest) if rest else set()
    return kinds | {"motion_video"} if tells_of_video(rest) else kinds


def _holds_large_picture(rest: bytes, pixels: int, budget: Budget) -> bool:
    """Is there a JPEG with at least so many pixels, and no map?"""
    at = -1
    for _ in range(_MOST_HIDDEN):
        at = rest.find(MAGIC, at + 1)
        if at < 0:
            break
        head = _head(rest, at, budget)
        if _pixels(head) >= pixels and not _map_of(head):
            return True
    return False


def _head(data: bytes, start: int, budget: Budget) -> list[Segment]:
    """The segments of a further JPEG up to its frame header, as far as they can be read.

    :raises PhotoError: UNDECODABLE if the budget does not last.
    """
    found: list[Segment] = []
    try:
        for segment in segments(data[start : start + _HEAD_ROOM], budget):
            found.append(segment)
            if segment.marker in FRAMES:
                break
    except PhotoError:
        if budget.is_spent:
            raise
    return found


def _pixels(head: list[Segment]) -> int:
    """Width × height of a JPEG that has come as far as its frame header; 0 otherwise."""
    if not head or head[-1].marker not in FRAMES or len(head[-1].payload) < 6:
        return 0
    height, width = struct.unpack_from(">HH", head[-1].payload, 1)
    return int(height) * int(width)
