"""Everything that identifies is taken out of a photo file; what remains is one upright picture in sRGB."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata import jpeg, png, tiff, webp
from photo_anonymizer.metadata.container import Container, unsupported
from photo_anonymizer.metadata.encode import encode_picture
from photo_anonymizer.metadata.pixels import opened, upright
from photo_anonymizer.metadata.transcode import transcoded


@dataclass(frozen=True)
class Stripped:
    """A clean photo file."""

    data: bytes
    """Always upright, 8 bit a channel, sRGB or greyscale, opaque, one picture, nothing but structural parts.

    Never a copy of compressed bytes: they can hold more than the picture.
    """
    format: str
    """``jpeg``, ``png``, ``webp`` or ``tiff``: as the input."""
    width: int
    """Pixels, after orientation."""
    height: int
    removed: tuple[str, ...]
    """Sorted kinds of what was found and removed: never values."""
    lossless: bool
    """Are the pixels exactly those of the input?"""


def strip(data: bytes, *, max_pixels: int) -> Stripped:
    """Clean one photo file. Thread-safe; the kind of file is decided by its content.

    Transparency is flattened onto white.

    :param data: the bytes of a JPEG, PNG, WebP or TIFF file.
    :param max_pixels: the largest width × height that is decoded.
    :raises PhotoError: TOO_MANY_PIXELS (from the header, before decoding), UNDECODABLE (truncated or broken),
        UNSUPPORTED_FORMAT (another kind of content) or SEVERAL_PICTURES (animations, pages, further pictures:
        showing only the first one silently would leave the others unchecked).
    """
    box = read_container(data, max_pixels)
    picture, changed, transparent = upright(box)
    data, lossless = _written(box, picture, unchanged=box.exact and not changed)
    return Stripped(
        data=data,
        format=box.format,
        width=picture.width,
        height=picture.height,
        removed=tuple(sorted(box.kinds | ({"transparency"} if transparent else set()))),
        lossless=lossless,
    )


def _written(box: Container, picture: Image.Image, *, unchanged: bool) -> tuple[bytes, bool]:
    """The file to publish, and whether its pixels are exactly those of the input."""
    if box.format == "jpeg" and unchanged:
        carried = _carried_over(box, picture)
        if carried:
            return carried, True
    data = encode_picture(picture, box.clean, box.format, turned=box.orientation >= 5)
    return data, unchanged and box.format != "jpeg"


def _carried_over(box: Container, picture: Image.Image) -> bytes:
    """The JPEG from its coefficients; nothing if that fails or shows other pixels.

    Other pixels: a decoder smooths a progressive picture whose scans are incomplete.
    """
    try:
        data = transcoded(box.clean)
        differs = ImageChops.difference(opened(box.format, data), picture).getbbox()
    except PhotoError:
        return b""
    return b"" if differs else data


def read_container(data: bytes, max_pixels: int) -> Container:
    """Find out what kind of file this is, and take its one picture out.

    :raises PhotoError: as :func:`strip`.
    """
    if data.startswith(jpeg.MAGIC):
        return jpeg.parse(data, max_pixels)
    if data.startswith(png.MAGIC):
        return png.parse(data, max_pixels)
    if webp.is_webp(data):
        return webp.parse(data, max_pixels)
    if data.startswith(tiff.MAGICS):
        return tiff.parse(data, max_pixels)
    raise unsupported("the content is not JPEG, PNG, WebP or TIFF")
