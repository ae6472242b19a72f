"""Everything that identifies is taken out of a photo file; what remains is one upright picture in sRGB."""

from __future__ import annotations

from dataclasses import dataclass

from photo_anonymizer.metadata import jpeg, png, tiff, webp
from photo_anonymizer.metadata.container import Container, unsupported
from photo_anonymizer.metadata.encode import encode_picture
from photo_anonymizer.metadata.pixels import upright


@dataclass(frozen=True)
class Stripped:
    """A clean photo file."""

    data: bytes
    """Always upright, 8 bit a channel, sRGB or greyscale, one picture, nothing but structural parts."""
    format: str
    """``jpeg``, ``png``, ``webp`` or ``tiff``: as the input."""
    width: int
    """Pixels, after orientation."""
    height: int
    removed: tuple[str, ...]
    """Sorted kinds of what was found and removed: never values."""
    lossless: bool
    """Were the pixels carried over without encoding them anew?"""


def strip(data: bytes, *, max_pixels: int) -> Stripped:
    """Clean one photo file. Thread-safe; the kind of file is decided by its content.

    :param data: the bytes of a JPEG, PNG, WebP or TIFF file.
    :param max_pixels: the largest width × height that is decoded.
    :raises PhotoError: TOO_MANY_PIXELS (from the header, before decoding), UNDECODABLE (truncated or broken),
        UNSUPPORTED_FORMAT (another kind of content) or SEVERAL_PICTURES (animations, pages, further pictures:
        showing only the first one silently would leave the others unchecked).
    """
    box = read_container(data, max_pixels)
    picture, changed, hidden = upright(box)
    lossless = box.exact and not changed
    clean = box.clean if lossless else encode_picture(picture, box.clean, box.format, turned=box.orientation >= 5)
    return Stripped(
        data=clean,
        format=box.format,
        width=picture.width,
        height=picture.height,
        removed=tuple(sorted(box.kinds | ({"hidden_pixels"} if hidden else set()))),
        lossless=lossless,
    )


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
