"""Changed pixels back into a file of the same kind, without adding anything but structural parts."""

from __future__ import annotations

import io
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from photo_anonymizer.metadata import webp
from photo_anonymizer.metadata.container import undecodable

_SUBSAMPLINGS = {(2, 1): 1, (2, 2): 2}
"""What Pillow can write besides 4:4:4 (0), by the luma sampling factors when both chroma factors are 1."""
_Reader = TypeVar("_Reader", bound=ImageFile.ImageFile)
_PREDICTOR, _HORIZONTAL = 317, 2


def encode(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, like: bytes, format: str) -> bytes:
    """A file that looks like ``like`` was encoded, with these pixels.

    JPEG keeps quantisation tables, chroma subsampling and progressive order (one that Pillow has no room for
    becomes baseline). Grey stays grey if ``like`` is (not WebP). WebP stays lossless if it was, else becomes
    quality 90. TIFF is LZW with prediction.

    :param rgb: uint8, (H, W, 3), upright sRGB.
    :param alpha: uint8, (H, W), or ``None``. A JPEG holds none, it is left out there. Colours under alpha 0
        become black.
    :param like: the stripped file whose encoding is followed.
    :param format: ``jpeg``, ``png``, ``webp`` or ``tiff``.
    :raises PhotoError: UNDECODABLE if ``like`` cannot be read.
    """
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    if _is_grey(like, format):
        picture = picture.convert("L")
    if alpha is not None and format != "jpeg":
        picture.putalpha(Image.fromarray(np.ascontiguousarray(alpha)))
        if not alpha.all():
            values = np.array(picture)
            values[alpha == 0] = 0
            picture = Image.fromarray(values, picture.mode)
    return encode_picture(picture, like, format)


def encode_picture(picture: Image.Image, like: bytes, format: str, *, turned: bool = False) -> bytes:
    """Write a picture as ``like`` was written.

    :param picture: mode L, LA, RGB or RGBA.
    :param turned: is the picture ``like`` turned by a quarter? Then the quantisation tables turn with it.
    :raises PhotoError: UNDECODABLE if ``like`` cannot be read.
    """
    # Pillow copies what it finds in ``info`` (comments, resolution) into some formats.
    plain = picture.copy()
    plain.info = {}
    options = _OPTIONS[format](like, turned)
    try:
        return _saved(plain, format, options)
    except OSError:
        # Pillow gives optimised and progressive JPEG two bytes a pixel of room; noise at the finest
        # quantisation needs more. Plain baseline needs no such room.
        if format != "jpeg":
            raise
        return _saved(plain, format, {**options, "progressive": False, "optimize": False})


def _saved(picture: Image.Image, format: str, options: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=format.upper(), **options)
    return out.getvalue()


def _is_grey(like: bytes, format: str) -> bool:
    if format == "png":
        return like[25:26] in (b"\x00", b"\x04")  # colour type, PNG section 11.2.1
    if format == "jpeg":
        return _header(JpegImageFile, like).layers == 1
    return format == "tiff" and _header(TiffImageFile, like).mode in ("L", "LA")


def _header(reader: type[_Reader], like: bytes) -> _Reader:
    """The parsed header; the pixels are not decoded."""
    try:
        return reader(io.BytesIO(like))
    except Exception:  # noqa: BLE001 - hostile bytes raise anything; the text may quote them, so it ends here
        raise undecodable("the file whose encoding is followed cannot be read") from None


def _jpeg_options(like: bytes, turned: bool) -> dict[str, Any]:
    header = _header(JpegImageFile, like)
    try:
        tables = [_table(header, layer[3], turned) for layer in header.layer[:2]]
    except KeyError:
        raise undecodable("a JPEG without its quantisation tables") from None
    return {
        "qtables": tables,
        "subsampling": _subsampling(header, turned),
        "progressive": bool(header.info.get("progressive")),
        "optimize": True,  # 5 % smaller, and then no larger than an input that was written so
    }


def _table(header: JpegImageFile, number: int, turned: bool) -> list[int]:
    # Tables of 16 bit steps are only legal in extended JPEG; 255 is the coarsest step of baseline.
    table = np.minimum(np.asarray(header.quantization[number], np.int64), 255).reshape(8, 8)
    return [int(step) for step in (table.T if turned else table).ravel()]


def _subsampling(header: JpegImageFile, turned: bool) -> int:
    """Pillow's number for the subsampling; what it cannot write becomes 4:4:4, which loses nothing."""
    if header.layers != 3 or any(layer[1:3] != (1, 1) for layer in header.layer[1:3]):
        return 0
    across, down = header.layer[0][1:3]
    return _SUBSAMPLINGS.get((down, across) if turned else (across, down), 0)


def _png_options(_like: bytes, _turned: bool) -> dict[str, Any]:
    # Measured on 1800 × 1276 photos: level 1 takes a quarter of the time of level 6 and 9 % more bytes.
    return {"compress_level": 1}


def _webp_options(like: bytes, _turned: bool) -> dict[str, Any]:
    if webp.is_lossless(like):
        return {"lossless": True, "exact": True, "quality": 20, "method": 1}
    return {"quality": 90, "alpha_quality": 100, "method": 4}


def _tiff_options(_like: bytes, _turned: bool) -> dict[str, Any]:
    # Measured: as small as deflate with prediction in a fifth of its time.
    return {"compression": "tiff_lzw", "tiffinfo": {_PREDICTOR: _HORIZONTAL}}


_OPTIONS = {"jpeg": _jpeg_options, "png": _png_options, "webp": _webp_options, "tiff": _tiff_options}
