"""The pixels of a stripped or rendered file.

OpenCV and Pillow decode to the same values here (both use libjpeg-turbo's slow integer transform, and the
other formats leave no choice); OpenCV needs about two thirds of the time.
"""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.metadata.pixels import opened
from photo_anonymizer.metadata.readers import jpeg, png, tiff, webp
from photo_anonymizer.metadata.readers.container import undecodable
from photo_anonymizer.model.pixels import Pixels

_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data: bytes) -> Pixels:
    """Decode a file that ``strip`` or ``encode`` made. Thread-safe.

    :return: uint8, (H, W, 3), C-contiguous, in the file's own colours (sRGB unless it has a profile).
    :raises PhotoError: UNDECODABLE.
    """
    if data.startswith((jpeg.MAGIC, png.MAGIC)) or webp.is_webp(data):
        return _with_opencv(data)
    return np.array(opened("tiff" if data.startswith(tiff.MAGICS) else "avif", data).convert("RGB"))


def _with_opencv(data: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _RGB)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise undecodable("the pixels cannot be decoded")
    return np.ascontiguousarray(pixels)
