"""HEIF and AVIF files put together by hand: what encoders do not write, and what nobody should."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np
import pillow_heif
from PIL import Image

from photo_anonymizer.metadata.readers import isoitems
from photo_anonymizer.metadata.readers.isobmff import child, leading

ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box."""
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4) + kind + body


def full(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A full box: version and flags in front."""
    return box(kind, bytes([version]) + flags.to_bytes(3), *parts)


def size_of(width: int, height: int) -> bytes:
    """The property with a picture's size."""
    return full(b"ispe", width.to_bytes(4), height.to_bytes(4))


@dataclass
class Part:
    """One item: properties are whole boxes, references are (kind, numbers counted from 1)."""

    kind: bytes
    payload: bytes
    properties: list[bytes] = field(default_factory=list)
    links: list[tuple[bytes, list[int]]] = field(default_factory=list)
    hidden: bool = False
    content: bytes = b""
    inside_meta: bool = False
    """Are its bytes in the ``idat`` box?"""


def boxfile(*parts: Part, primary: int = 1, brand: bytes = b"heic", after: bytes = b"", essential: int = 0) -> bytes:
    """A file with these items, numbered from 1.

    :param after: bytes behind the last box.
    :param essential: number of the item whose properties are all marked essential.
    """
    head = box(b"ftyp", brand, bytes(4), b"mif1", brand)
    empty = _meta(parts, primary, 0, essential)
    meta = _meta(parts, primary, len(head) + len(empty) + 8, essential)
    return head + meta + box(b"mdat", *(one.payload for one in parts if not one.inside_meta)) + after


def _meta(parts: tuple[Part, ...], primary: int, at: int, essential: int) -> bytes:
    entries, places, links, copies, uses = [], [], [], [], []
    inner = b""
    for number, part in enumerate(parts, 1):
        id = number.to_bytes(2)
        text = b"\0" + (part.content + b"\0" if part.kind == b"mime" else b"")
        entries.append(full(b"infe", id, bytes(2), part.kind, text, version=2, flags=int(part.hidden)))
        offset = len(inner) if part.inside_meta else at
        places.append(id + int(part.inside_meta).to_bytes(2) + bytes(2) + b"\0\1" + offset.to_bytes(4))
        places.append(len(part.payload).to_bytes(4))
        if part.inside_meta:
            inner += part.payload
        else:
            at += len(part.payload)
        for kind, targets in part.links:
            links.append(box(kind, id, len(targets).to_bytes(2), *(one.to_bytes(2) for one in targets)))
        indexes = range(len(copies) + 1, len(copies) + 1 + len(part.properties))
        copies += part.properties
        top = 0x80 if number == essential else 0
        uses.append(id + bytes([len(part.properties)]) + bytes(index | top for index in indexes))
    count = len(parts).to_bytes(2)
    return full(
        b"meta",
        full(b"hdlr", bytes(4), b"pict", bytes(13)),
        full(b"pitm", primary.to_bytes(2)),
        full(b"iloc", b"\x44\0", count, *places, version=1),
        full(b"iinf", count, *entries),
        full(b"iref", *links) if links else b"",
        box(b"iprp", box(b"ipco", *copies), full(b"ipma", len(parts).to_bytes(4), *uses)),
        box(b"idat", inner) if inner else b"",
    )


def coded(picture: Image.Image, format: str = "HEIF", **save: object) -> list[Part]:
    """A picture as an encoder stores it: its items with their properties; the first is the picture."""
    out = io.BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(picture).save(out, **save)
    else:
        picture.save(out, format, **save)
    data = out.getvalue()
    items = isoitems.read(data, child(leading(data, 0, len(data))[0], b"meta"))
    numbers = list(items.by_number)
    parts = []
    for item in items.by_number.values():
        properties = [data[one.box.start : one.box.end] for one in item.properties]
        links = [
            (link.kind, [numbers.index(one) + 1 for one in link.targets])
            for link in items.links
            if link.source == item.number
        ]
        parts.append(Part(item.kind, item.payload(data), properties, links, item.hidden))
    return parts


def quarters(width: int = 128, height: int = 96) -> Image.Image:
    """A picture with a different colour in each quarter: it shows every turn, mirroring and crop."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    pixels[: height // 2, width // 2 :] = (30, 200, 30)
    pixels[height // 2 :, : width // 2] = (40, 40, 220)
    pixels[height // 2 :, width // 2 :] = (230, 230, 40)
    return Image.fromarray(pixels)


def corners(picture: Image.Image) -> str:
    """The colours of the four quarters by their letters, row by row: ``rgby`` for :func:`quarters` as it is."""
    letters = {"r": (220, 30, 30), "g": (30, 200, 30), "b": (40, 40, 220), "y": (230, 230, 40)}
    width, height = picture.size
    points = [(x, y) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    seen = [np.asarray(picture.convert("RGB"), int)[y, x] for x, y in points]
    return "".join(min(letters, key=lambda name: int(np.abs(colour - letters[name]).sum())) for colour in seen)
