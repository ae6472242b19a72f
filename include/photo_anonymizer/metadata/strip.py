"""Everything that identifies is taken out of a photo file; what remains is one upright picture and how to write it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.encode import as_png, encode_picture
from photo_anonymizer.metadata.lossless.carry import Carried, carried
from photo_anonymizer.metadata.lossless.settings import jpeg_encoding
from photo_anonymizer.metadata.pixels import upright
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.readers import bmp, gif, heif, jpeg, jpeg2000, png, tiff, webp
from photo_anonymizer.metadata.readers.container import Container, unsupported
from photo_anonymizer.model.encoding import Encoding, PictureFormat
from photo_anonymizer.model.record import Reason

SAME: dict[str, PictureFormat] = {
    "jpeg": "jpeg",
    "png": "png",
    "webp": "webp",
    "tiff": "tiff",
    "avif": "avif",
    "gif": "png",
    "bmp": "png",
    "heif": "jpeg",
    "jpeg2000": "jpeg",
}
"""What each kind of file is published as, unless the configuration names a format."""
_LONGEST: dict[PictureFormat, int] = {"jpeg": 65_500, "webp": 16_383, "avif": 32_768}
"""Longest side that can be written (libjpeg, RFC 9649) or that readers accept (libavif): pixels."""
_FULL_COLOUR_FROM = 90
"""From this quality on colours are written at full resolution (4:4:4), below at half (4:2:0)."""


@dataclass(frozen=True)
class Reader:
    """What reads one kind of file."""

    parse: Callable[[bytes, int, int], Container]
    """(file, largest width × height, which picture) → that picture."""
    count: Callable[[bytes], int]


_READERS: tuple[tuple[int, bytes, Reader], ...] = (
    (0, jpeg.MAGIC, Reader(jpeg.parse, jpeg.count)),
    (0, png.MAGIC, Reader(png.parse, png.count)),
    (8, b"WEBP", Reader(webp.parse, webp.count)),
    *((0, magic, Reader(tiff.parse, tiff.count)) for magic in tiff.MAGICS),
    *((0, magic, Reader(gif.parse, gif.count)) for magic in gif.MAGICS),
    (0, bmp.MAGIC, Reader(bmp.parse, bmp.count)),
    *((0, magic, Reader(jpeg2000.parse, jpeg2000.count)) for magic in jpeg2000.MAGICS),
    (4, b"ftyp", Reader(heif.parse, heif.count)),  # AVIF too: the container decides what it is
)
"""Offset and bytes that tell a kind of file, and what reads it."""


@dataclass(frozen=True)
class Stripped:
    """A clean photo: one upright opaque picture, 8 bit a channel, with nothing but structural parts around it."""

    data: bytes
    """The published file (``final``), or a PNG with its pixels: sRGB, RGB or grey."""
    encoding: Encoding
    """How the published file is written."""
    final: bool
    """Is ``data`` the published file as long as nobody edits the photo? Else it is still to be encoded, once."""
    width: int
    """Pixels, after orientation."""
    height: int
    removed: tuple[str, ...]
    """Sorted kinds of what was found and removed: never values."""
    kept: dict[str, int]
    """What the policy keeps: ``capture_year``, ``exposure_ev``."""
    lossless: bool
    """Are the published pixels exactly those of the input?"""


def strip(data: bytes, policy: Policy, frame: int = 0) -> Stripped:
    """Clean one picture of a photo file. Thread-safe; the kind of file is decided by its content.

    Transparency is flattened onto white.

    :param frame: which picture, counted from 0; see :func:`count_pictures`.
    :raises PhotoError: TOO_MANY_PIXELS (from the header, before decoding), UNDECODABLE (truncated, broken, or no
        such frame), UNSUPPORTED_FORMAT (another kind of content) or SEVERAL_PICTURES (more pictures than the
        policy allows, or pictures that cannot be told apart).
    """
    if count_pictures(data) > policy.max_frames:
        raise PhotoError(Reason.SEVERAL_PICTURES, "the file holds more pictures than the configuration allows")
    box = read_container(data, policy.max_pixels, frame)
    whole = _carried(box, policy)
    return _from_coefficients(box, whole, policy) if whole else _from_pixels(box, policy)


def _carried(box: Container, policy: Policy) -> Carried | None:
    """The JPEG without re-encoding, where the policy allows it and the file too."""
    if box.format != "jpeg" or policy.reencode or policy.output_format not in ("same", "jpeg"):
        return None
    return carried(box)


def _from_coefficients(box: Container, whole: Carried, policy: Policy) -> Stripped:
    return Stripped(
        data=whole.data,
        encoding=jpeg_encoding(box.clean, turned=box.orientation >= 5, profile=whole.profile),
        final=True,
        width=whole.width,
        height=whole.height,
        removed=tuple(sorted(box.kinds - ({"icc"} if whole.profile else set()))),
        kept=_kept(box, policy),
        lossless=True,
    )


def _from_pixels(box: Container, policy: Policy) -> Stripped:
    picture, changed, transparent = upright(box)
    encoding = encoding_for(box, policy, picture.size, grey=picture.mode == "L")
    final = encoding.is_lossless
    return Stripped(
        data=encode_picture(picture, encoding) if final else as_png(picture),
        encoding=encoding,
        final=final,
        width=picture.width,
        height=picture.height,
        removed=tuple(sorted(box.kinds | ({"transparency"} if transparent else set()))),
        kept=_kept(box, policy),
        lossless=final and box.exact and not changed,
    )


def encoding_for(box: Container, policy: Policy, size_wh: tuple[int, int], *, grey: bool) -> Encoding:
    """How a picture that is written from its pixels is published. One too long for its format becomes PNG.

    :param size_wh: upright.
    :param grey: has the picture one channel?
    """
    format = SAME[box.format] if policy.output_format == "same" else policy.output_format
    if max(size_wh) > _LONGEST.get(format, sys.maxsize):
        return Encoding(format="png", grey=grey)
    subsampling = 0 if policy.quality >= _FULL_COLOUR_FROM else 2
    if format == "jpeg" and box.format == "jpeg" and not policy.reencode:
        return jpeg_encoding(box.clean, turned=box.orientation >= 5)
    if format in ("jpeg", "avif"):
        return Encoding(format=format, grey=grey, quality=policy.quality, subsampling=subsampling)
    if format == "webp":
        return _webp_encoding(box, policy)
    return Encoding(format=format, grey=grey)


def _webp_encoding(box: Container, policy: Policy) -> Encoding:
    if box.format != "webp":
        return Encoding(format="webp", quality=policy.quality)
    if webp.is_lossless(box.clean):
        return Encoding(format="webp", lossless=True)
    return Encoding(format="webp", quality=policy.quality if policy.reencode else webp.quality(box.clean))


def _kept(box: Container, policy: Policy) -> dict[str, int]:
    allowed = {"capture_year": policy.keep_capture_year, "exposure_ev": policy.keep_exposure}
    return {name: value for name, value in box.kept.items() if allowed[name]}


def count_pictures(data: bytes) -> int:
    """How many pictures of its own the file holds: frames, pages, views.

    Not counted: smaller versions, masks, maps of brightness or distance. 1 for anything that is no photo or is broken:
    :func:`strip` says so. Cheap, and safe with any bytes: no decoder sees them. Never raises.
    """
    reader = _reader_of(data)
    return reader.count(data) if reader else 1


def _reader_of(data: bytes) -> Reader | None:
    return next((reader for at, sign, reader in _READERS if data[at : at + len(sign)] == sign), None)


def read_container(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """Find out what kind of file this is, and take one picture out.

    :raises PhotoError: as :func:`strip`.
    """
    reader = _reader_of(data)
    if reader is None:
        raise unsupported("the content is no picture that this project reads")
    return reader.parse(data, max_pixels, frame)
