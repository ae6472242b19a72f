"""The pixels of a stripped file.

OpenCV and Pillow decode to the same values here (both use libjpeg-turbo's slow integer transform, and the
other formats leave no choice); OpenCV needs about two thirds of the time, but resolves neither palettes nor
grey with alpha the way this needs it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photo_anonymizer.metadata import jpeg, png, webp
from photo_anonymizer.metadata.container import undecodable
from photo_anonymizer.metadata.pixels import opened

_RGB = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


def decode(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Decode a file that ``strip`` or ``encode`` made. Thread-safe.

    :return: rgb, uint8, (H, W, 3), C-contiguous, sRGB; alpha, uint8, (H, W), or ``None``.
    :raises PhotoError: UNDECODABLE.
    """
    if data.startswith(jpeg.MAGIC):
        return _with_opencv(data, _RGB)
    if data.startswith(png.MAGIC):
        simple = data[25:26] in (b"\x00", b"\x02", b"\x06") and data[37:41] == b"IDAT"
        return _with_opencv(data, _png_flags(data)) if simple else _with_pillow("png", data)
    if webp.is_webp(data):
        return _with_opencv(data, cv2.IMREAD_UNCHANGED)
    return _with_pillow("tiff", data)


def _png_flags(data: bytes) -> int:
    return cv2.IMREAD_UNCHANGED if data[25:26] == b"\x06" else _RGB


def _with_opencv(data: bytes, flags: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise undecodable("the pixels cannot be decoded")
    if flags == _RGB:
        return np.ascontiguousarray(pixels), None
    if pixels.shape[2] == 4:
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB), np.ascontiguousarray(pixels[..., 3])
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), None


def _with_pillow(format: str, data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    picture: Image.Image = opened(format, data)
    alpha = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        alpha = np.array(picture.getchannel("A"))
    return np.array(picture.convert("RGB")), alpha
