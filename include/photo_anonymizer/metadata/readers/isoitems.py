"""Items: the still pictures of a HEIF or AVIF file, what belongs to them, and one of them in a file of its own.

Sources: ISO/IEC 14496-12 section 8.11 (meta box), ISO/IEC 23008-12 sections 6 and 9 (HEIF), ISO/IEC 23000-22
section 7 (MIAF), ISO/IEC 21496-1 (gain maps), AV1 Image File Format 1.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from photo_anonymizer.metadata.readers.isobmff import Box, BrokenBoxError, Fields, boxes, child, needed, written

MAX_ENTRIES = 65_536
"""References, property uses and extents of one file: far more than any camera writes, little memory."""
_MAX_PROPERTIES = 255
"""Of one item, as many as one entry can name."""
DERIVED = frozenset({b"grid", b"iden", b"iovl"})
"""Pictures composed of others."""
_CODED = frozenset({b"hvc1", b"hev1", b"lhv1", b"av01", b"avc1", b"vvc1", b"evc1", b"jpeg", b"j2k1", b"unci", b"mski"})
_PICTURES = _CODED | DERIVED | {b"tmap"}
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1", b"urn:mpeg:avc:2015:auxid:1")
_DEPTH = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth", b"urn:mpeg:hevc:2015:auxid:2", b"urn:mpeg:avc:2015:auxid:2")
_TURNS = (b"irot", b"imir", b"clap")
"""Properties that this project applies itself to the finished picture, so that it happens exactly once."""
_STRUCTURAL = frozenset({b"ispe", b"pixi", b"hvcC", b"av1C", b"auxC", b"lsel", b"a1op", b"a1lx"})
_KINDS = {
    b"pasp": "resolution",
    b"rloc": "",
    b"clli": "colour_tags",
    b"mdcv": "colour_tags",
    b"cclv": "colour_tags",
    b"amve": "colour_tags",
    b"ndwt": "colour_tags",
    b"crtt": "timestamps",
    b"mdft": "timestamps",
    b"itai": "timestamps",
    b"udes": "text",
    b"altt": "text",
    b"cmin": "camera",
    b"cmex": "camera",
}


@dataclass(frozen=True)
class Property:
    """A property as one item uses it."""

    box: Box
    essential: bool
    """Must a reader that does not know it leave the item alone?"""


@dataclass(frozen=True)
class Item:
    """One entry of the meta box."""

    number: int
    kind: bytes
    hidden: bool
    content: bytes
    """MIME type of a ``mime`` item."""
    properties: tuple[Property, ...]
    extents: tuple[tuple[int, int], ...]
    """(start, end) in the file. Empty if the bytes lie elsewhere."""

    def property(self, kind: bytes) -> Box | None:
        """The first property of a kind."""
        return child(tuple(one.box for one in self.properties), kind)

    def payload(self, data: bytes) -> bytes:
        """The item's bytes.

        :raises BrokenBoxError: there are none, or more than the file can hold without repeating itself.
        """
        size = sum(end - start for start, end in self.extents)
        if not 0 < size <= len(data):
            raise BrokenBoxError("an item without bytes")
        return b"".join(data[start:end] for start, end in self.extents)


@dataclass(frozen=True)
class Link:
    """A typed reference from one item to others."""

    kind: bytes
    source: int
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Items:
    """All items of a file."""

    primary: int
    by_number: dict[int, Item]
    links: tuple[Link, ...]

    def targets(self, kind: bytes) -> dict[int, tuple[int, ...]]:
        """What each item refers to by references of a kind, in order."""
        found: dict[int, tuple[int, ...]] = {}
        for link in self.links:
            if link.kind == kind:
                found[link.source] = found.get(link.source, ()) + link.targets
        return found


# --- reading


def read(data: bytes, meta: Box) -> Items:
    """The items of a meta box.

    :raises BrokenBoxError: the box is no readable one of pictures.
    """
    inside = boxes(data, meta.body + 4, meta.end)
    handler = Fields(data, needed(inside, b"hdlr"))
    handler.take(8)
    if handler.take(4) != b"pict":
        raise BrokenBoxError("a meta box without pictures")
    primary = Fields(data, needed(inside, b"pitm"))
    number = primary.uint(2 if primary.version() == 0 else 4)
    uses = _uses(data, needed(inside, b"iprp"))
    places = _places(data, needed(inside, b"iloc"), child(inside, b"idat"))
    items = {}
    for box in _entries(data, needed(inside, b"iinf")):
        item = _item(data, box, uses, places)
        if item.number in items:
            raise BrokenBoxError("an item number twice")
        items[item.number] = item
    return Items(number, items, _links(data, child(inside, b"iref")))


def _entries(data: bytes, box: Box) -> tuple[Box, ...]:
    fields = Fields(data, box)
    fields.take(2 if fields.version() == 0 else 4)
    return boxes(data, fields.at, box.end)


def _item(
    data: bytes, box: Box, uses: dict[int, tuple[Property, ...]], places: dict[int, tuple[tuple[int, int], ...]]
) -> Item:
    head = Fields(data, box).uint(4)
    fields = Fields(data, box)
    version = fields.version()
    if version not in (2, 3):
        raise BrokenBoxError("an item entry of another version")
    number = fields.uint(2 if version == 2 else 4)
    fields.take(2)
    kind = fields.take(4)
    fields.text()
    content = fields.text() if kind == b"mime" else b""
    return Item(number, kind, bool(head & 1), content, uses.get(number, ()), places.get(number, ()))


def _uses(data: bytes, box: Box) -> dict[int, tuple[Property, ...]]:
    inside = boxes(data, box.body, box.end)
    container = needed(inside, b"ipco")
    every = boxes(data, container.body, container.end)
    uses: dict[int, tuple[Property, ...]] = {}
    budget = MAX_ENTRIES
    for association in (one for one in inside if one.kind == b"ipma"):
        fields = Fields(data, association)
        head = fields.uint(4)
        wide, number_size = bool(head & 1), 2 if head >> 24 == 0 else 4
        for _ in range(_counted(fields.uint(4), budget)):
            number, count = fields.uint(number_size), fields.uint(1)
            budget = _counted(budget - 1 - count, MAX_ENTRIES)
            used = [_use(every, fields.uint(2) if wide else fields.uint(1), wide) for _ in range(count)]
            uses[number] = uses.get(number, ()) + tuple(one for one in used if one)
            _counted(len(uses[number]), _MAX_PROPERTIES)
    return uses


def _use(every: tuple[Box, ...], value: int, wide: bool) -> Property | None:
    """A property by its number, counted from 1 (0: none); the highest bit says that it is essential."""
    top = 0x8000 if wide else 0x80
    index = value & (top - 1)
    if index > len(every):
        raise BrokenBoxError("a property that does not exist")
    return Property(every[index - 1], bool(value & top)) if index else None


def _counted(count: int, limit: int) -> int:
    if not 0 <= count <= limit:
        raise BrokenBoxError("too many entries")
    return count


def _places(data: bytes, box: Box, inner: Box | None) -> dict[int, tuple[tuple[int, int], ...]]:
    fields = Fields(data, box)
    version = fields.version()
    sizes = fields.uint(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    places = {}
    budget = MAX_ENTRIES
    for _ in range(_counted(fields.uint(wide), budget)):
        number = fields.uint(wide)
        method = fields.uint(2) & 15 if version else 0
        fields.take(2)
        base, count = fields.uint(base_size), fields.uint(2)
        budget = _counted(budget - 1 - count, MAX_ENTRIES)
        extents = []
        for _ in range(count):
            fields.take(index_size if version else 0)
            extents.append((base + fields.uint(offset_size), fields.uint(length_size)))
        places[number] = _in_file(data, method, extents, inner)
    return places


def _in_file(
    data: bytes, method: int, extents: list[tuple[int, int]], inner: Box | None
) -> tuple[tuple[int, int], ...]:
    """Extents as offsets in the file; none if they are outside (of the file, or of the ``idat`` box)."""
    if method == 0:
        first, last = 0, len(data)
    elif method == 1 and inner is not None:
        first, last = inner.body, inner.end
    else:
        return ()  # parts of other items: no camera writes that
    found = []
    for offset, length in extents:
        start = first + offset
        end = start + length if length else last
        if start > end or end > last:
            return ()
        found.append((start, end))
    return tuple(found)


def _links(data: bytes, box: Box | None) -> tuple[Link, ...]:
    if box is None:
        return ()
    size = 2 if Fields(data, box).version() == 0 else 4
    links = []
    budget = MAX_ENTRIES
    for one in boxes(data, box.body + 4, box.end):
        fields = Fields(data, one)
        source, count = fields.uint(size), fields.uint(2)
        budget = _counted(budget - 1 - count, MAX_ENTRIES)
        links.append(Link(one.kind, source, tuple(fields.uint(size) for _ in range(count))))
    return tuple(links)


# --- what the items are


def pictures(data: bytes, items: Items) -> tuple[int, ...]:
    """Numbers of the pictures that stand for themselves: the primary one, then the others in the file's order.

    Not: thumbnails, tiles, alpha and depth planes, gain maps, mattes, hidden pictures.

    :raises BrokenBoxError: the primary item is no picture.
    """
    first = _shown_primary(items)
    found = roles(data, items)
    return (first, *(number for number, role in found.items() if role == "picture" and number != first))


def _shown_primary(items: Items) -> int:
    """The primary item; of one that adds a gain map, the base picture."""
    number = items.primary
    item = items.by_number.get(number)
    if item is not None and item.kind == b"tmap":
        number = next(iter(items.targets(b"dimg").get(number, ())), -1)
        item = items.by_number.get(number)
    if item is None or item.kind not in _PICTURES - {b"tmap"}:
        raise BrokenBoxError("the primary item is no picture")
    return number


def roles(data: bytes, items: Items) -> dict[int, str]:
    """What each item is: ``picture``, ``part`` (tile or alpha plane, needed by a picture), ``meta`` (no picture),
    or the kind under which it is dropped.
    """
    thumbnails = {link.source for link in items.links if link.kind == b"thmb"}
    auxiliary = {link.source for link in items.links if link.kind == b"auxl"}
    composed, gain_maps = _inputs(items)
    found = {}
    for number, item in items.by_number.items():
        if item.kind not in _PICTURES and item.property(b"ispe") is None:
            found[number] = "meta"
        elif number in thumbnails:
            found[number] = "thumbnail"
        elif number in auxiliary:
            found[number] = _auxiliary_role(data, item)
        elif item.kind == b"tmap" or number in gain_maps:
            found[number] = "gain_map"
        else:
            found[number] = _picture_role(number, item, composed)
    return found


def _picture_role(number: int, item: Item, composed: dict[int, bytes]) -> str:
    if composed.get(number) == b"grid":
        return "part"
    if item.hidden:
        return "part" if number in composed else "hidden_picture"
    return "picture"


def _inputs(items: Items) -> tuple[dict[int, bytes], set[int]]:
    """Items that others are composed of, with the kind of the other; those that only say how bright a base shines."""
    composed: dict[int, bytes] = {}
    gain_maps: set[int] = set()
    for link in items.links:
        owner = items.by_number.get(link.source)
        if link.kind != b"dimg" or owner is None:
            continue
        if owner.kind == b"tmap":
            gain_maps.update(link.targets[1:])
        targets = link.targets[:1] if owner.kind == b"tmap" else link.targets
        composed.update(dict.fromkeys(targets, owner.kind))
    return composed, gain_maps


def _auxiliary_role(data: bytes, item: Item) -> str:
    urn = auxiliary_type(data, item)
    if urn in _ALPHA:
        return "part"
    if urn in _DEPTH:
        return "depth_map"
    return "gain_map" if b"hdrgainmap" in urn else "mask"


def auxiliary_type(data: bytes, item: Item) -> bytes:
    """The URN that says what an auxiliary picture holds, or nothing."""
    box = item.property(b"auxC")
    if box is None or box.end - box.body < 4:
        return b""
    fields = Fields(data, box)
    fields.version()
    return fields.text()


def unneeded_kinds(items: Items) -> set[str]:
    """Names of the properties that do not say how pixels are decoded."""
    used = {one.box.kind for item in items.by_number.values() for one in item.properties}
    names = {_KINDS.get(kind, "other_box") for kind in used - _STRUCTURAL - {*_TURNS, b"colr"}}
    return names - {""}


# --- one picture in a file of its own


def parts_of(data: bytes, items: Items, number: int) -> tuple[int, ...]:
    """A picture, what it is composed of, and their alpha planes.

    :raises BrokenBoxError: an item is missing.
    """
    inputs, planes = items.targets(b"dimg"), _planes(data, items)
    found: dict[int, None] = {}
    waiting = [number]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        item = items.by_number.get(one)
        if item is None:
            raise BrokenBoxError("an item that does not exist")
        found[one] = None
        if item.kind in DERIVED:
            waiting += inputs.get(one, ())
        waiting += planes.get(one, [])
    return tuple(found)


def _planes(data: bytes, items: Items) -> dict[int, list[int]]:
    """Alpha planes, by the picture that they belong to."""
    planes: dict[int, list[int]] = {}
    for source, targets in items.targets(b"auxl").items():
        item = items.by_number.get(source)
        if item is not None and auxiliary_type(data, item) in _ALPHA:
            for target in targets:
                planes.setdefault(target, []).append(source)
    return planes


def rewritten(data: bytes, items: Items, parts: tuple[int, ...], brand: bytes, note: bytes = b"") -> bytes:
    """A file with one picture only: structural properties, no names, no turning, no cropping, no profile.

    :param parts: as :func:`parts_of` gives them; the picture itself first.
    :param brand: ``heic`` or ``avif``.
    :param note: a box for this project's own reading, put at the end, where decoders pass over it.
    :raises BrokenBoxError: bytes or properties of an item are missing or need another reader.
    """
    chosen = [items.by_number[one] for one in parts]
    payloads = [item.payload(data) for item in chosen]
    # Encoders store equal tiles once; more repetition than this is an attempt to fill the memory.
    if sum(map(len, payloads)) > 4 * len(data) + 1_000_000:
        raise BrokenBoxError("items that repeat the file")
    head = written(b"ftyp", brand, bytes(4), b"mif1", b"miaf", brand)
    empty = _meta(data, items, chosen, payloads, 0)
    meta = _meta(data, items, chosen, payloads, len(head) + len(empty) + 8)
    return b"".join([head, meta, written(b"mdat", *payloads), note])


def _meta(data: bytes, items: Items, chosen: list[Item], payloads: list[bytes], at: int) -> bytes:
    new = {item.number: (index + 1).to_bytes(2) for index, item in enumerate(chosen)}
    entries = [
        written(b"infe", bytes((2, 0, 0, int(index > 0))), new[item.number], bytes(2), item.kind, b"\0")
        for index, item in enumerate(chosen)
    ]
    places = []
    for item, payload in zip(chosen, payloads, strict=True):
        places.append(new[item.number] + bytes(2) + b"\0\1" + at.to_bytes(4) + len(payload).to_bytes(4))
        at += len(payload)
    count = len(chosen).to_bytes(2)
    return written(
        b"meta",
        bytes(4),
        written(b"hdlr", bytes(8), b"pict", bytes(13)),
        written(b"pitm", bytes(4), new[chosen[0].number]),
        written(b"iloc", bytes(4), b"\x44\0", count, *places),
        written(b"iinf", bytes(4), count, *entries),
        _references(items, new),
        _properties(data, items, chosen, new),
    )


def _references(items: Items, new: dict[int, bytes]) -> bytes:
    """The references among the chosen items: composed of, alpha plane of, multiplied with."""
    kept = []
    for link in items.links:
        targets = [new[one] for one in link.targets if one in new]
        if link.source in new and targets and link.kind in (b"dimg", b"auxl", b"prem"):
            kept.append(written(link.kind, new[link.source], len(targets).to_bytes(2), *targets))
    return written(b"iref", bytes(4), *kept) if kept else b""


def _properties(data: bytes, items: Items, chosen: list[Item], new: dict[int, bytes]) -> bytes:
    inputs = {target for link in items.links if link.kind == b"dimg" and link.source in new for target in link.targets}
    indexes: dict[Box, int] = {}
    uses = []
    for item in chosen:
        kept = [one for one in item.properties if _is_kept(data, one, item.number in inputs)]
        numbers = [(indexes.setdefault(one.box, len(indexes) + 1), one.essential) for one in kept]
        uses.append(new[item.number] + bytes((len(kept),)))
        uses.extend((index | (0x8000 if essential else 0)).to_bytes(2) for index, essential in numbers)
    copies = [written(box.kind, box.content(data)) for box in indexes]
    association = written(b"ipma", bytes((0, 0, 0, 1)), len(chosen).to_bytes(4), *uses)
    return written(b"iprp", written(b"ipco", *copies), association)


def _is_kept(data: bytes, one: Property, is_input: bool) -> bool:
    kind = one.box.kind
    if kind == b"colr":
        return data[one.box.body : one.box.body + 4] == b"nclx"  # also says how YCbCr becomes RGB
    if kind in _TURNS:
        return is_input  # a composition takes its inputs as they are turned
    if kind in _KINDS:
        return False
    if kind not in _STRUCTURAL and one.essential:
        raise BrokenBoxError("a property that this reader does not know")
    return kind in _STRUCTURAL
