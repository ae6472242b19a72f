"""AVIF: the container, and the decoder.

Everything about the container is in :mod:`.heiffile`. The decoder (libavif, by Pillow) sees a file with one picture
or one sequence and no metadata. It neither turns nor crops: that is done here, as the container says.
"""

from __future__ import annotations

import io

from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile

from photo_anonymizer.metadata.readers.container import Container, undecodable
from photo_anonymizer.metadata.readers.heiffile import count, cropped
from photo_anonymizer.metadata.readers.heiffile import parse as parse_file

__all__ = ["count", "opened", "parse"]


def parse(data: bytes, max_pixels: int, frame: int = 0) -> Container:
    """One picture of an AVIF file, animated ones included.

    :raises PhotoError: TOO_MANY_PIXELS, UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    return parse_file(data, max_pixels, frame)


def opened(clean: bytes, frame: int) -> Image.Image:
    """The decoded picture as stored: mode L, RGB or RGBA, 10 and 12 bit scaled to 8. Thread-safe.

    :param clean: what :func:`parse` made.
    :param frame: which picture of a sequence, counted from 0.
    :raises PhotoError: UNDECODABLE.
    """
    try:
        picture = AvifImageFile(io.BytesIO(clean))
        picture.seek(frame)
        picture.load()
        plain = picture.copy()
        plain.info = {}
        return cropped(plain, clean)
    except Exception:  # noqa: BLE001 - hostile bytes raise anything; the text may quote them, so it ends here
        raise undecodable("the pixels cannot be decoded") from None
