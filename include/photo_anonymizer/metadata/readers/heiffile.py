"""HEIF and AVIF files as a whole: which pictures they hold, and one of them made ready for its decoder.

Sources: ISO/IEC 23008-12 (HEIF) sections 4 and 6.5, ISO/IEC 23000-22 (MIAF) section 7.3, AV1 Image File Format 1.1,
ISO/IEC 14496-12 section 12.1.4 (clean aperture), C2PA 2.1 section A.4 (where its box is put).

A picture is turned and cropped as its own properties say; MIAF section 7.3.6.6 gives an EXIF orientation no
meaning beside them. Mirroring and turning count in the order in which the file names them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from PIL import Image

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import codedsize, isoitems, isotracks, nclx
from photo_anonymizer.metadata.readers.container import (
    Container,
    Findings,
    check_size,
    no_such_picture,
    undecodable,
    unsupported,
)
from photo_anonymizer.metadata.readers.isobmff import Box, BrokenBoxError, Fields, child, leading, written
from photo_anonymizer.metadata.readers.isoitems import Item, Items
from photo_anonymizer.metadata.readers.isotracks import Film, Track
from photo_anonymizer.model.record import Reason

FORMATS = {b"hvc1": "heif", b"hev1": "heif", b"av01": "avif"}
"""Codecs that have a decoder here."""
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_UNSTRUCTURED = (b"mdat", b"free", b"skip")
"""Boxes that hold whatever others point to, or nothing."""
_MAX_METADATA = 16_000_000
_SHOWN = {
    (0, 1, 2, 3): 1,
    (1, 0, 3, 2): 2,
    (3, 2, 1, 0): 3,
    (2, 3, 0, 1): 4,
    (0, 2, 1, 3): 5,
    (2, 0, 3, 1): 6,
    (3, 1, 2, 0): 7,
    (1, 3, 0, 2): 8,
}
"""EXIF orientation (CIPA DC-008, tag 274) by where the four quarters of the stored picture are shown, row by row."""
_ALIGNMENT = 64
"""Coded pictures may be up to this much larger than shown ones, each way (pixels)."""
_SMALL = 1 << 20
"""Tiles up to this many pixels are decoded whatever the limit is: a small picture may be cut out of one."""


@dataclass(frozen=True)
class Frame:
    """One picture that stands for itself: a still, or a sample of a sequence."""

    item: int = 0
    track: Track | None = None
    index: int = 0
    """Which sample of the track."""


@dataclass
class PictureFile:
    """What a file holds."""

    data: bytes
    top: tuple[Box, ...]
    """Its outermost boxes."""
    end: int
    """Where they end."""
    items: Items | None = None
    film: Film | None = None
    frames: tuple[Frame, ...] = ()
    found: Findings = field(default_factory=Findings)


# --- the file


def count(data: bytes) -> int:
    """How many pictures the file shows; 1 if it cannot be read. Never raises."""
    try:
        return max(1, len(_read(data).frames))
    except BrokenBoxError:
        return 1


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a HEIF or AVIF file, alone in a file for its decoder.

    Samples of a sequence come first, in order, then stills that are not among them, the primary one first.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    try:
        file = _read(data)
        if not 0 <= frame < len(file.frames):
            raise no_such_picture()
        chosen = file.frames[frame]
        _note_metadata(file, chosen)
        if chosen.track is not None:
            return _from_track(file, chosen.track, chosen.index, max_pixels)
        return _from_item(file, chosen.item, max_pixels)
    except BrokenBoxError:
        raise undecodable("a broken HEIF or AVIF structure") from None


def _read(data: bytes) -> PictureFile:
    top, end = leading(data, 0, len(data))
    if not top or top[0].kind != b"ftyp":
        raise BrokenBoxError("no file type box")
    file = PictureFile(data, top, end)
    meta, moov = child(top, b"meta"), child(top, b"moov")
    if meta is not None:
        file.items = isoitems.read(data, meta)
    if moov is not None:
        file.film = isotracks.read(data, moov)
    file.frames = _frames(file)
    if not file.frames:
        raise BrokenBoxError("no picture")
    return file


def _frames(file: PictureFile) -> tuple[Frame, ...]:
    tracks = file.film.pictures if file.film else ()
    samples = tuple(Frame(track=track, index=index) for track in tracks for index in range(len(track.samples)))
    known = {place for track in tracks for place in track.samples}
    numbers = isoitems.pictures(file.data, file.items) if file.items else ()
    stills = tuple(Frame(item=number) for number in numbers if not _is_sample(file.items, number, known))
    return (*samples, *stills)


def _is_sample(items: Items | None, number: int, known: set[tuple[int, int]]) -> bool:
    """Is this still stored in the very bytes of a sequence's sample?"""
    return items is not None and len(places := items.by_number[number].extents) == 1 and places[0] in known


# --- what is found besides


def _note_box(file: PictureFile, box: Box) -> None:
    kinds = file.found.kinds
    if box.kind == b"uuid":
        _note_uuid(file, box)
    elif box.kind == b"jumb":
        kinds.add("c2pa")
    elif box.kind == b"mpvd":
        kinds.add("motion_video")
    elif box.kind not in (b"ftyp", *_UNSTRUCTURED):
        kinds.add("other_box")


def _note_uuid(file: PictureFile, box: Box) -> None:
    name = file.data[box.body : box.body + 16]
    if name == _XMP:
        file.found.saw_xmp(file.data[box.body + 16 : min(box.end, box.body + _MAX_METADATA)])
    else:
        file.found.kinds.add("c2pa" if name == _C2PA else "other_box")


def _note_metadata(file: PictureFile, chosen: Frame) -> None:
    """Name what is found besides the pictures. A second ``meta`` or ``moov`` box is none that readers look into."""
    if file.end < len(file.data):
        file.found.kinds.add("trailing_data")
    for box in file.top:
        if box not in (child(file.top, b"meta"), child(file.top, b"moov")):
            _note_box(file, box)
    if file.film:
        seen = {"motion_video": file.film.has_video, "thumbnail": file.film.has_thumbnails}
        seen["other_box"] = file.film.has_more
        file.found.kinds.update(kind for kind, is_there in seen.items() if is_there)
    if _has_unused(file):
        file.found.kinds.add("hidden_data")
    if file.items is not None:
        _note_items(file.data, file.items, chosen, file.found)
    # The properties irot and imir alone turn the picture.
    file.found.exif_orientation = file.found.xmp_orientation = 0


def _has_unused(file: PictureFile) -> bool:
    """Are there bytes, other than zeros, that no item and no sample claims?"""
    if file.film and file.film.has_video:
        return False  # they are the video's, which is named already
    used = [(box.start, box.body if box.kind in _UNSTRUCTURED else box.end) for box in file.top]
    used += [place for item in file.items.by_number.values() for place in item.extents] if file.items else []
    if file.film:
        used += [place for track in (*file.film.pictures, *file.film.planes) for place in track.samples]
    at = 0
    for start, end in [*sorted(used), (file.end, file.end)]:
        if start > at and file.data.count(0, at, start) < start - at:
            return True
        at = max(at, end)
    return False


def _note_items(data: bytes, items: Items, chosen: Frame, found: Findings) -> None:
    """Only what describes the chosen picture may say when it was taken; of the rest the kinds are noted."""
    others = Findings()
    budget = len(data)  # many items may lie at the same place; no byte need be read twice
    described = items.targets(b"cdsc")
    for number, role in isoitems.roles(data, items).items():
        item = items.by_number[number]
        if role == "meta":
            own = not chosen.item or chosen.item in described.get(number, (chosen.item,))
            size = sum(end - start for start, end in item.extents)
            budget -= size
            readable = 0 < size <= _MAX_METADATA and budget >= 0
            _note_item(item, item.payload(data) if readable else b"", found if own else others)
        elif role not in ("picture", "part"):
            found.kinds.add(role)
        if any(_is_profile(data, one.box) for one in item.properties):
            found.kinds.add("icc")
    found.kinds |= others.kinds | isoitems.unneeded_kinds(items)


def _note_item(item: Item, payload: bytes, found: Findings) -> None:
    if item.kind == b"Exif":
        found.saw_exif(payload[4 + int.from_bytes(payload[:4]) :])
    elif item.content == b"application/rdf+xml":
        found.saw_xmp(payload)
    else:
        found.kinds.add("c2pa" if b"c2pa" in item.content else "other_box")


# --- one picture


def _from_item(file: PictureFile, number: int, max_pixels: int) -> Container:
    data, items = file.data, file.items
    if items is None:
        raise BrokenBoxError("no items")
    item = items.by_number[number]
    width, height = _declared(data, item)
    check_size(width, height, max_pixels)
    parts = isoitems.parts_of(data, items, number)
    format = _format_of(items, parts)
    _check_coded(data, items, parts, max_pixels)
    window = _window(data, item, width, height)
    orientation = _orientation(data, item)
    return Container(
        format=format,
        width=window[2] - window[0],
        height=window[3] - window[1],
        clean=isoitems.rewritten(data, items, parts, b"avif" if format == "avif" else b"heic", _note(window)),
        exact=False,
        kinds=_kinds(file, orientation),
        icc=_profile(data, [one.box for one in item.properties], [items.by_number[one] for one in parts]),
        orientation=orientation,
        depth=_depth(data, item),
        kept=file.found.kept,
    )


def _from_track(file: PictureFile, track: Track, index: int, max_pixels: int) -> Container:
    data = file.data
    planes = file.film.planes if file.film else ()
    check_size(track.width, track.height, max_pixels)
    if FORMATS.get(track.codec) == "heif":
        return _from_hevc_sample(file, track, index, max_pixels)
    if track.codec != b"av01":
        raise unsupported("a sequence in another coding than HEVC or AV1")
    for one in (track, *planes):
        for start, end in one.samples:
            _check_sizes(codedsize.av1(data[start:end]), max_pixels)
    return Container(
        format="avif",
        width=track.width,
        height=track.height,
        clean=isotracks.rewritten(data, track, planes, b"avis"),
        exact=False,
        kinds=_kinds(file, track.orientation),
        icc=_profile(data, list(track.config), []),
        orientation=track.orientation,
        frame=index,
        kept=file.found.kept,
    )


def _from_hevc_sample(file: PictureFile, track: Track, index: int, max_pixels: int) -> Container:
    """A sample as a still: the decoder at hand knows no sequences."""
    if file.film is None or file.film.planes or not track.stands_alone(index):
        raise unsupported("a HEVC sequence whose pictures build on each other, or are transparent")
    sample, items = isotracks.as_item(file.data, track, index)
    _check_coded(sample, items, (1,), max_pixels)
    return Container(
        format="heif",
        width=track.width,
        height=track.height,
        clean=isoitems.rewritten(sample, items, (1,), b"heic"),
        exact=False,
        kinds=_kinds(file, track.orientation),
        icc=_profile(file.data, list(track.config), []),
        orientation=track.orientation,
        kept=file.found.kept,
    )


def _kinds(file: PictureFile, orientation: int) -> frozenset[str]:
    return frozenset(file.found.kinds | ({"orientation"} if orientation != 1 else set()))


def _format_of(items: Items, parts: tuple[int, ...]) -> str:
    kinds = {items.by_number[one].kind for one in parts} - isoitems.DERIVED
    formats = {FORMATS.get(kind, "") for kind in kinds}
    if len(formats) != 1 or formats == {""}:
        raise unsupported("a HEIF picture in another coding than HEVC or AV1")
    return formats.pop()


def _declared(data: bytes, item: Item) -> tuple[int, int]:
    box = item.property(b"ispe")
    if box is None:
        raise BrokenBoxError("a picture without a size")
    fields = Fields(data, box)
    fields.version()
    return fields.uint(4), fields.uint(4)


def _depth(data: bytes, item: Item) -> int:
    """Bits a channel as the file states them; only for information, decoders deliver 8."""
    box = item.property(b"pixi")
    if box is None:
        return 8
    fields = Fields(data, box)
    fields.version()
    return fields.uint(1) and fields.uint(1)


# --- memory: what the decoders will ask for


def _check_coded(data: bytes, items: Items, parts: tuple[int, ...], max_pixels: int) -> None:
    """Refuse sizes inside the coded data, and of compositions, that the size in front does not show."""
    pixels = 0
    for one in parts:
        item = items.by_number[one]
        sizes = [*_coded(data, item), _declared(data, item)]
        _check_sizes(tuple(sizes), max_pixels)
        pixels += max(width * height for width, height in sizes)
    # Twice for an alpha plane, twice for tiles that stick out.
    if pixels > 4 * max(max_pixels, _SMALL):
        raise PhotoError(Reason.TOO_MANY_PIXELS, "the parts of the picture have more pixels than it shows")


def _check_sizes(sizes: tuple[tuple[int, int], ...], max_pixels: int) -> None:
    for width, height in sizes:
        if max(width - _ALIGNMENT, 0) * max(height - _ALIGNMENT, 0) > max(max_pixels, _SMALL):
            raise PhotoError(
                Reason.TOO_MANY_PIXELS, "a part of the picture has more pixels than the configuration allows"
            )


def _coded(data: bytes, item: Item) -> tuple[tuple[int, int], ...]:
    if item.kind in isoitems.DERIVED:
        return (_composed(item.payload(data), item.kind),) if item.kind != b"iden" else ()
    if FORMATS.get(item.kind) == "avif":
        return codedsize.av1(item.payload(data))
    config = item.property(b"hvcC")
    if config is None:
        raise BrokenBoxError("an HEVC picture without its configuration")
    return codedsize.hevc(config.content(data), item.payload(data))


def _composed(payload: bytes, kind: bytes) -> tuple[int, int]:
    """Size of a grid or an overlay, in its own words (ISO/IEC 23008-12 sections 6.6.2.2 and 6.6.2.3)."""
    head = 4 if kind == b"grid" else 10
    width = 4 if payload[1:2] and payload[1] & 1 else 2
    if len(payload) < head + 2 * width:
        raise BrokenBoxError("a composed picture without a size")
    return int.from_bytes(payload[head : head + width]), int.from_bytes(payload[head + width : head + 2 * width])


# --- turning and cropping


def _orientation(data: bytes, item: Item) -> int:
    """EXIF orientation that does what the properties ask for."""
    quarters = (0, 1, 2, 3)
    for one in item.properties:
        value = data[one.box.body] & 3 if one.box.end > one.box.body else 0
        a, b, c, d = quarters
        if one.box.kind == b"irot":  # quarter turns against the clock
            for _ in range(value):
                a, b, c, d = b, d, a, c
        elif one.box.kind == b"imir":  # 0: top and bottom change places, 1: left and right
            a, b, c, d = (b, a, d, c) if value & 1 else (c, d, a, b)
        quarters = (a, b, c, d)
    return _SHOWN[quarters]


def _window(data: bytes, item: Item, width: int, height: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of what is shown, before turning."""
    box = item.property(b"clap")
    if box is None:
        return 0, 0, width, height
    fields = Fields(data, box)
    (wide, wide_d), (high, high_d) = [(fields.uint(4), fields.uint(4)) for _ in range(2)]
    (right, right_d), (down, down_d) = [(fields.sint(4), fields.uint(4)) for _ in range(2)]
    if 0 in (wide_d, high_d, right_d, down_d):
        raise BrokenBoxError("a clean aperture that is no number")
    across = _crop(width, wide / wide_d, right / right_d)
    along = _crop(height, high / high_d, down / down_d)
    return across[0], along[0], across[1], along[1]


def _crop(full: int, length: float, shift: float) -> tuple[int, int]:
    """First and last edge of the shown part of one side: ``shift`` counts from centre to centre."""
    first = max(0, round(shift + (full - length) / 2))
    last = min(full, first + round(length))
    if last <= first:
        raise BrokenBoxError("a clean aperture outside the picture")
    return first, last


def _note(window: tuple[int, int, int, int]) -> bytes:
    """The window for :func:`cropped`, as a box that decoders pass over."""
    return written(b"crop", *(edge.to_bytes(4) for edge in window))


def cropped(picture: Image.Image, clean: bytes) -> Image.Image:
    """The shown part of a decoded picture.

    :param clean: what :func:`parse` made.
    """
    box = child(leading(clean, 0, len(clean))[0], b"crop")
    if box is None:
        return picture
    fields = Fields(clean, box)
    window = fields.uint(4), fields.uint(4), fields.uint(4), fields.uint(4)
    return picture if window == (0, 0, *picture.size) else picture.crop(window)


# --- colour


def _profile(data: bytes, own: list[Box], parts: list[Item]) -> bytes:
    """The ICC profile of a picture; one made from its colour numbers; nothing.

    Tiles may carry the profile of their grid.
    """
    every = [*own, *(one.box for item in parts for one in item.properties)]
    for box in every:
        if _is_profile(data, box):
            return data[box.body + 4 : box.end]
    for box in every:
        if box.kind == b"colr" and data[box.body : box.body + 4] == b"nclx" and box.end - box.body >= 8:
            primaries, transfer = int.from_bytes(data[box.body + 4 : box.body + 6]), data[box.body + 7]
            return nclx.profile(primaries, transfer)
    return b""


def _is_profile(data: bytes, box: Box) -> bool:
    return box.kind == b"colr" and data[box.body : box.body + 4] in (b"prof", b"rICC")
