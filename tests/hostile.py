"""Files that want to do harm: small photos of every kind with all metadata, broken on purpose, and what must hold.

Used by the bounded test (``tests/metadata/test_metadata_fuzz.py``) and by ``scripts/fuzz_metadata.py``, which runs as
long as one likes.
"""

from __future__ import annotations

import binascii
import io
import random
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import count_pictures
from photo_anonymizer.metadata.worker import TARGET, strip_apart
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.record import Reason
from photo_anonymizer.photostage import where
from photo_anonymizer.sandbox import Limits, Sandbox

SECRET = b"SECRET-MARKER-7413"
POLICY = Policy(max_pixels=1_000_000, max_frames=20)
POLICIES = (
    POLICY,
    POLICY.model_copy(update={"reencode": True, "quality": 80}),
    POLICY.model_copy(update={"output_format": "jpeg", "keep_capture_year": True, "keep_exposure": True}),
    POLICY.model_copy(update={"output_format": "png"}),
    POLICY.model_copy(update={"output_format": "webp"}),
)
LIMITS = Limits(seconds=10, memory_mb=1000, reply_bytes=20_000_000)
"""Ten seconds and a gigabyte for at most one megapixel: who needs more has been led into a trap."""

# good files ---------------------------------------------------------------------------------------------------------


def drawn(width: int = 48, height: int = 32) -> Image.Image:
    """A smooth picture without any symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 255 * x * y / (width * height)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def exif() -> bytes:
    """EXIF with a description, a place, a serial number and a picture orientation."""
    block = Image.Exif()
    block[0x010E] = SECRET.decode()
    block[0x0112] = 6
    block[0x9003] = "2020:01:02 03:04:05"
    block[0x8769] = {0xA431: SECRET.decode(), 0x9003: "2020:01:02 03:04:05", 0x829A: (1, 125), 0x927C: SECRET}
    block[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0), 29: SECRET.decode()}
    return block.tobytes()


def xmp() -> bytes:
    return b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3" dc:creator="%s"/></x:xmpmeta>' % SECRET


def _saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    # Copies, because Pillow leaves an encoder's settings with the pictures that it saved.
    if "append_images" in options:
        options["append_images"] = [further.copy() for further in options["append_images"]]
    picture.copy().save(out, format, **options)
    return out.getvalue()


def _heif(*pictures: Image.Image, **options: Any) -> bytes:
    file = pillow_heif.HeifFile()
    for picture in pictures:
        file.add_from_pillow(picture)
    out = io.BytesIO()
    file.save(out, quality=60, exif=exif(), xmp=xmp(), **options)
    return out.getvalue()


@cache
def seeds() -> dict[str, tuple[bytes, ...]]:
    """Small files of every kind that is read, by format."""
    rgb, other = drawn(), drawn(40, 32).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    alpha = rgb.copy()
    alpha.putalpha(rgb.convert("L"))
    grey, palette, cmyk = rgb.convert("L"), rgb.quantize(16), rgb.convert("CMYK")
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    both = {"exif": exif(), "xmp": xmp(), "icc_profile": icc}
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", SECRET.decode())
    text.add_text("Comment", SECRET.decode() * 4, zip=True)
    text.add_itxt("XML:com.adobe.xmp", xmp().decode())
    return {
        "jpeg": (
            _saved(rgb, "JPEG", comment=SECRET, **both),
            _saved(rgb, "JPEG", progressive=True, comment=SECRET, **both),
            _saved(rgb, "JPEG", restart_marker_blocks=2, subsampling=0, exif=exif()),
            _saved(grey, "JPEG", exif=exif()),
            _saved(cmyk, "JPEG", comment=SECRET),
            _saved(rgb, "MPO", save_all=True, append_images=[other], exif=exif()),
            _saved(rgb, "JPEG") + _saved(other, "JPEG", comment=SECRET),
        ),
        "png": (
            _saved(rgb, "PNG", pnginfo=text, exif=exif(), icc_profile=icc),
            _saved(alpha, "PNG", pnginfo=text),
            _saved(palette, "PNG", transparency=3, pnginfo=text),
            _saved(deep, "PNG", pnginfo=text),
            _saved(grey.convert("1"), "PNG", pnginfo=text),
            _saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)], pnginfo=text),
        ),
        "webp": (
            _saved(rgb, "WEBP", **both),
            _saved(alpha, "WEBP", **both),
            _saved(rgb, "WEBP", lossless=True, **both),
            _saved(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)], **both),
        ),
        "tiff": (
            _saved(rgb, "TIFF", exif=exif(), icc_profile=icc),
            _saved(rgb, "TIFF", compression="tiff_lzw", description=SECRET.decode()),
            _saved(rgb, "TIFF", compression="tiff_adobe_deflate", description=SECRET.decode()),
            _saved(rgb, "TIFF", compression="jpeg", description=SECRET.decode()),
            _saved(rgb, "TIFF", compression="packbits", software=SECRET.decode()),
            _saved(rgb, "TIFF", save_all=True, append_images=[other]),
            _saved(deep, "TIFF", description=SECRET.decode()),
            _saved(cmyk, "TIFF", compression="tiff_lzw", description=SECRET.decode()),
            _saved(palette, "TIFF", description=SECRET.decode()),
            _saved(grey.convert("1"), "TIFF", compression="group4", description=SECRET.decode()),
        ),
        "gif": (
            _saved(palette, "GIF", comment=SECRET, transparency=2),
            _saved(
                palette,
                "GIF",
                comment=SECRET,
                save_all=True,
                append_images=[palette.rotate(180), other.quantize(8)],
                loop=0,
            ),
        ),
        "bmp": (_saved(rgb, "BMP"), _saved(palette, "BMP"), _saved(grey.convert("1"), "BMP"), _saved(alpha, "BMP")),
        "jpeg2000": (
            _saved(rgb, "JPEG2000", comment=SECRET.decode()),
            _saved(alpha, "JPEG2000", irreversible=True, comment=SECRET.decode()),
            _saved(deep, "JPEG2000"),
            _saved(rgb, "JPEG2000", no_jp2=True, comment=SECRET.decode()),
        ),
        "heif": (_heif(rgb), _heif(alpha), _heif(rgb, other), _heif(grey)),
        "avif": (
            _saved(rgb, "AVIF", speed=10, exif=exif(), xmp=xmp(), icc_profile=icc),
            _saved(alpha, "AVIF", speed=10, exif=exif()),
            _saved(rgb, "AVIF", speed=10, save_all=True, append_images=[rgb.rotate(180)], xmp=xmp()),
        ),
    }


# how they are broken ------------------------------------------------------------------------------------------------

Chance = random.Random
Spans = list[tuple[int, int]]
_TELLING = (0, 1, 2, 7, 8, 16, 127, 128, 255, 256, 32767, 32768, 65535, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
"""Numbers at the edges of what fields and programs hold."""


def broken(data: bytes, format: str, chance: Chance) -> bytes:
    """A file after one to four things were done to it."""
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        data = chance.choice(_DAMAGES)(data, format, chance)
    return data[:400_000]


def _flip_bits(data: bytes, _format: str, chance: Chance) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 32))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _put_number(data: bytes, _format: str, chance: Chance) -> bytes:
    """A telling number in 1, 2, 4 or 8 bytes, either order, anywhere (half of the time near the beginning)."""
    width = chance.choice((1, 2, 4, 8))
    number = (chance.choice(_TELLING) & ((1 << 8 * width) - 1)).to_bytes(width, chance.choice(("big", "little")))
    at = chance.randrange(max(1, min(len(data), chance.choice((200, len(data) or 1)))))
    return data[:at] + number + data[at + width :]


def _cut_short(data: bytes, _format: str, chance: Chance) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _take_out(data: bytes, _format: str, chance: Chance) -> bytes:
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[min(end, start + chance.choice((1, 16, 4096))) :]


def _repeat(data: bytes, _format: str, chance: Chance) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at : at + chance.choice((1, 4, 64))] * chance.choice((2, 100, 2000)) + data[at:]


def _append(data: bytes, format: str, chance: Chance) -> bytes:
    return data + chance.choice((SECRET, b"\0" * 4096, chance.choice(seeds()[format])))


def _hide_secret(data: bytes, format: str, chance: Chance) -> bytes:
    """The marker behind one of the parts, for which nobody may have a use."""
    _, end = _one(spans(data, format), data, chance)
    return data[:end] + SECRET * chance.choice((1, 10)) + data[end:]


def _drop_part(data: bytes, format: str, chance: Chance) -> bytes:
    start, end = _one(spans(data, format), data, chance)
    return data[:start] + data[end:]


def _repeat_part(data: bytes, format: str, chance: Chance) -> bytes:
    start, end = _one(spans(data, format), data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 1, 3, 200)) + data[end:]


def _swap_parts(data: bytes, format: str, chance: Chance) -> bytes:
    places = spans(data, format)
    (a, b), (c, d) = sorted((_one(places, data, chance), _one(places, data, chance)))
    if b > c:
        return data
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _graft_part(data: bytes, format: str, chance: Chance) -> bytes:
    """A part of another file of the same kind."""
    other = chance.choice(seeds()[format])
    start, end = _one(spans(other, format), other, chance)
    at, _ = _one(spans(data, format), data, chance)
    return data[:at] + other[start:end] + data[at:]


def _change_part(data: bytes, format: str, chance: Chance) -> bytes:
    """Damage inside one part; what follows stays in its place. PNG checksums are made right again."""
    start, end = _one(spans(data, format), data, chance)
    damage = chance.choice((_flip_bits, _put_number))
    part = damage(data[start:end], format, chance)
    if format == "png" and len(part) >= 12 and chance.random() < 0.8:
        part = part[:-4] + struct.pack(">I", binascii.crc32(part[4:-4]))
    return data[:start] + part + data[end:]


def _change_directory(data: bytes, _format: str, chance: Chance) -> bytes:
    """One field of an entry of a TIFF directory, wherever one starts (also inside EXIF)."""
    starts = [at for sign in (b"II*\0", b"MM\0*") for at in _all(data, sign)]
    if not starts:
        return data
    base = chance.choice(starts)
    order = "<" if data[base : base + 2] == b"II" else ">"
    try:
        (first,) = struct.unpack_from(order + "I", data, base + 4)
        (count,) = struct.unpack_from(order + "H", data, base + first)
    except struct.error:
        return data
    at = base + first + 2 + 12 * chance.randrange(max(1, min(count, 40)))
    place, form = chance.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I")))
    largest = 0xFFFF if form == "H" else 0xFFFFFFFF
    number = chance.choice((chance.choice(_TELLING), chance.randrange(1, 400), base + first)) & largest
    field = struct.pack(order + form, number)
    return data[: at + place] + field + data[at + place + len(field) :]


_DAMAGES: tuple[Callable[[bytes, str, Chance], bytes], ...] = (
    _flip_bits,
    _put_number,
    _put_number,
    _cut_short,
    _take_out,
    _repeat,
    _append,
    _hide_secret,
    _drop_part,
    _repeat_part,
    _swap_parts,
    _graft_part,
    _change_part,
    _change_part,
    _change_part,
    _change_directory,
)


def _all(data: bytes, sign: bytes) -> list[int]:
    found, at = [], data.find(sign)
    while at >= 0 and len(found) < 50:
        found.append(at)
        at = data.find(sign, at + 1)
    return found


def _one(places: Spans, data: bytes, chance: Chance) -> tuple[int, int]:
    return chance.choice(places) if places else (0, len(data))


def spans(data: bytes, format: str) -> Spans:
    """Where the parts of a file lie (segments, chunks, boxes, blocks), as far as they can be told."""
    finder = _SPANS.get(format)
    try:
        return finder(data)[:2000] if finder else []
    except (struct.error, IndexError):
        return []


def _segments(data: bytes) -> Spans:
    """ITU-T T.81 B.1.1: each segment, and the entropy coded data behind a scan header."""
    found, at = [], 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        (size,) = struct.unpack_from(">H", data, at + 2)
        found.append((at, at + 2 + size))
        at += 2 + size
        if data[found[-1][0] + 1] == 0xDA:
            end = data.find(b"\xff\xd9", at)
            end = len(data) if end < 0 else end
            found.append((at, end))
            at = end + 2 if data[end + 2 : end + 4] == b"\xff\xd8" else end
            at += 2 if data[at : at + 2] == b"\xff\xd8" else 0
    return [(start, end) for start, end in found if end <= len(data)]


def _chunks(data: bytes) -> Spans:
    found, at = [], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        found.append((at, min(len(data), at + 12 + size)))
        at += 12 + size
    return found


def _riff(data: bytes) -> Spans:
    found, at = [], 12
    while at + 8 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 4)
        end = at + 8 + size + (size & 1)
        found.append((at, min(len(data), end)))
        at = end
    return found


_CONTAINERS = {b"meta": 12, b"iprp": 8, b"ipco": 8, b"moov": 8, b"trak": 8, b"mdia": 8, b"minf": 8, b"stbl": 8}
_CONTAINERS |= {b"jp2h": 8, b"iinf": 14, b"iref": 12, b"dinf": 8}


def _boxes(data: bytes, start: int = 0, end: int | None = None) -> Spans:
    """ISO/IEC 14496-12 4.2, with the boxes inside of boxes."""
    end = len(data) if end is None else end
    found: Spans = []
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        size = min(size if size >= 8 else end - start, end - start)
        found.append((start, start + size))
        if kind in _CONTAINERS:
            found += _boxes(data, start + _CONTAINERS[kind], start + size)
        start += size
    return found


def _gif_blocks(data: bytes) -> Spans:
    """GIF89a appendix A: extensions and images, each with its sub-blocks."""
    found: Spans = []
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while at < len(data) and data[at] in (0x21, 0x2C):
        start = at
        at += 2 if data[at] == 0x21 else 11 + (3 << (data[at + 9] & 7) + 1 if data[at + 9] & 0x80 else 0)
        while data[at]:
            at += 1 + data[at]
        at += 1
        found.append((start, at))
    return found


def _directory_entries(data: bytes) -> Spans:
    order = "<" if data[:2] == b"II" else ">"
    (at,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, at)
    return [(at + 2 + 12 * index, at + 14 + 12 * index) for index in range(min(count, 100))]


def _bitmap_parts(data: bytes) -> Spans:
    """File header, picture header, palette, pixels."""
    (pixels,) = struct.unpack_from("<I", data, 10)
    (header,) = struct.unpack_from("<I", data, 14)
    ends = (0, 14, 14 + header, pixels, len(data))
    return [(start, end) for start, end in pairwise(ends) if start < end <= len(data)]


def _jpeg2000_parts(data: bytes) -> Spans:
    """Boxes, and the markers of the codestream up to its first tile (ISO/IEC 15444-1 annex A)."""
    found = _boxes(data) if data[:4] == b"\0\0\0\x0c" else []
    at = data.find(b"\xff\x4f\xff\x51") + 2
    while at >= 2 and at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0x93:
        (size,) = struct.unpack_from(">H", data, at + 2)
        found.append((at, min(len(data), at + 2 + size)))
        at += 2 + size
    return found


_SPANS: dict[str, Callable[[bytes], Spans]] = {
    "jpeg": _segments,
    "png": _chunks,
    "webp": _riff,
    "tiff": _directory_entries,
    "gif": _gif_blocks,
    "bmp": _bitmap_parts,
    "jpeg2000": _jpeg2000_parts,
    "heif": _boxes,
    "avif": _boxes,
}


# what must hold -----------------------------------------------------------------------------------------------------


class BrokenPromiseError(AssertionError):
    """A hostile file made the project do what it never must."""


@dataclass(frozen=True)
class Bench:
    """The processes that hostile files are tried in."""

    counting: Sandbox
    stripping: Sandbox

    @classmethod
    def set_up(cls, workers: int = 1) -> Bench:
        return cls(Sandbox("hostile:count", LIMITS, workers), Sandbox(TARGET, LIMITS, workers))

    def close(self) -> None:
        self.counting.close()
        self.stripping.close()


def count(_header: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Runs in a child: how many pictures, and how long it took to tell."""
    started = time.perf_counter()
    return {"pictures": count_pictures(data), "seconds": time.perf_counter() - started}, b""


_OURS = {Reason.STAGE_ERROR, Reason.DECODER_CRASHED, Reason.DECODER_MEMORY, Reason.DECODER_TIMEOUT}
"""Refusals that a sandbox gives: the photo is rejected, and somebody should look why."""


def tried(data: bytes, bench: Bench, chance: Chance, policy: Policy = POLICY) -> str:
    """What becomes of a file: the published format or the reason of its refusal.

    :raises BrokenPromiseError: something that must not happen.
    """
    pictures = _counted(data, bench)
    frame = chance.choice((0, 0, pictures - 1, chance.randrange(pictures)))
    try:
        stripped = strip_apart(bench.stripping, data, policy, min(frame, 1000))
    except PhotoError as error:
        if error.reason in _OURS:
            raise BrokenPromiseError(f"strip: {error}") from None
        return str(error.reason)
    _demand(SECRET not in _without_picture(stripped.data), "the marker is in the result")
    _demand(not inspect(stripped.data), f"the result holds {inspect(stripped.data)}")
    rgb = _decoded(stripped.data)
    _demand(rgb.shape == (stripped.height, stripped.width, 3), "the result has another size than was said")
    if stripped.final:
        return f"final {stripped.encoding.format}"
    published = _encoded(rgb, stripped.encoding)
    _demand(not inspect(published), f"the published file holds {inspect(published)}")
    _demand(_decoded(published).shape == rgb.shape, "the published file has another size")
    return f"intermediate {stripped.encoding.format}"


def _without_picture(data: bytes) -> bytes:
    """A carried JPEG without its quantisation tables and packed pixels: where these spell a word, they keep it.

    Whether a scan holds more than its picture is for ``inspect`` to find.
    """
    if not data.startswith(b"\xff\xd8"):
        return data
    for start, end in reversed(_segments(data)):
        if data[start : start + 2] in (b"\xff\xdb", b"\xff\x00") or data[start] != 0xFF:
            data = data[:start] + data[end:]
    return data


def _decoded(data: bytes) -> np.ndarray:
    try:
        return decode(data)
    except PhotoError as error:
        raise BrokenPromiseError(f"the result cannot be decoded: {error}") from None


def _encoded(rgb: np.ndarray, encoding: Encoding) -> bytes:
    try:
        return encode(rgb, encoding)
    except Exception as error:  # noqa: BLE001 - any error here stops a photo that stripping let pass
        raise BrokenPromiseError(f"the result cannot be published as {encoding.format}: {where(error)}") from None


def _counted(data: bytes, bench: Bench) -> int:
    try:
        told = bench.counting.call({}, data, lambda header, _: header)
    except PhotoError as error:
        raise BrokenPromiseError(f"count_pictures: {error}") from None
    _demand(told["pictures"] >= 1, "fewer than one picture")
    _demand(told["seconds"] < 1, f"counting took {told['seconds']:.1f} s")
    return int(told["pictures"])


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BrokenPromiseError(otherwise)
