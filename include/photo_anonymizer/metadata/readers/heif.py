"""HEIF with HEVC pictures (HEIC): the container, and the decoder.

Everything about the container is in :mod:`.heiffile`. The decoder (libheif with libde265, by pillow-heif) sees a
file with one picture and no metadata; turning and cropping is done here, once, as the container says.
"""

from __future__ import annotations

import io

import pillow_heif
from PIL import Image

from photo_anonymizer.metadata.readers.container import Container, undecodable
from photo_anonymizer.metadata.readers.heiffile import count, cropped
from photo_anonymizer.metadata.readers.heiffile import parse as parse_file

__all__ = ["count", "opened", "parse"]

# Photos are worked on side by side already; no Pillow plug-in is registered.
pillow_heif.options.DECODE_THREADS = 1
pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of a HEIF file; ``format`` is ``avif`` if that is how it is coded.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    return parse_file(data, max_pixels, frame)


def opened(clean: bytes, frame: int) -> Image.Image:
    """The decoded picture as stored: mode L, RGB, RGBA or RGBa, 10 and 12 bit scaled to 8. Thread-safe.

    :param clean: what :func:`parse` made.
    :param frame: always 0.
    :raises PhotoError: UNDECODABLE.
    """
    try:
        picture = pillow_heif.HeifFile(io.BytesIO(clean))[frame].to_pillow()
        picture.info = {}
        return cropped(picture, clean)
    except Exception:  # noqa: BLE001 - hostile bytes raise anything; the text may quote them, so it ends here
        raise undecodable("the pixels cannot be decoded") from None
