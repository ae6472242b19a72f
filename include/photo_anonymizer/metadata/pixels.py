"""From a cleaned container to upright 8 bit sRGB pixels.

Only cleaned bytes reach Pillow: it never sees EXIF, XMP, profiles or text. The decoders are called directly,
without ``Image.open``: the size was checked against the caller's own limit before, and Pillow's global limit
(and its warnings) must neither be changed nor hit in a thread pool.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.colour import to_srgb
from photo_anonymizer.metadata.readers import avif, heif, jpeg2000
from photo_anonymizer.metadata.readers.animation import drawn
from photo_anonymizer.metadata.readers.container import Container, undecodable, unsupported

_OWN_DECODERS: dict[str, Callable[[bytes, int], Image.Image]] = {
    "heif": heif.opened,
    "avif": avif.opened,
    "jpeg2000": jpeg2000.opened,
}
_DECODERS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "webp": WebPImageFile,
    "tiff": TiffImageFile,
    "gif": GifImageFile,
    "bmp": BmpImageFile,
}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PLAIN = ("L", "LA", "RGB", "RGBA")
_EXACT = (*_PLAIN, "1", "P", "PA")
"""What becomes 8 bit grey or colour without rounding."""
_SIMPLER = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB"}


def opened(format: str, clean: bytes, frame: int = 0) -> Image.Image:
    """The decoded picture of cleaned bytes, in the decoder's own mode.

    :param frame: which picture of ``clean``, for formats whose container needs that.
    :raises PhotoError: UNDECODABLE.
    """
    if format in _OWN_DECODERS:
        return _OWN_DECODERS[format](clean, frame)
    try:
        picture = _DECODERS[format](io.BytesIO(clean))
        picture.load()
    except Exception:  # noqa: BLE001 - hostile bytes raise anything; the text may quote them, so it ends here
        raise undecodable("the pixels cannot be decoded") from None
    return picture


def upright(box: Container) -> tuple[Image.Image, bool, bool]:
    """The picture of a container as it is meant to be seen.

    :return: mode L or RGB; whether its pixels differ from those that the file shows; whether any of them was not
        fully opaque.
    :raises PhotoError: UNDECODABLE or UNSUPPORTED_FORMAT.
    """
    try:
        plain, exact = _shown(box)
        plain, converted = to_srgb(plain, box.icc)
        plain, transparent = _on_white(plain)
        if box.orientation != 1:
            plain = plain.transpose(_TURNS[box.orientation])
    except PhotoError:
        raise
    except Exception:  # noqa: BLE001 - as above: also assertions inside Pillow
        raise undecodable("the pixels cannot be converted") from None
    return plain, converted or transparent or box.orientation != 1 or not exact, transparent


def _shown(box: Container) -> tuple[Image.Image, bool]:
    """The picture in L, LA, RGB, RGBA or CMYK, 8 bit, and whether nothing was rounded for that."""
    size_wh = (box.width, box.height)
    if box.layers:
        return drawn(box.layers, size_wh, lambda clean: _eight_bits(opened(box.format, clean), box)), box.exact
    stored = opened(box.format, box.clean, box.frame)
    if stored.size != size_wh:
        raise undecodable("the picture differs in size from its header")
    return _eight_bits(stored, box), stored.mode in _EXACT


def _eight_bits(picture: Image.Image, box: Container) -> Image.Image:
    """Any mode a decoder delivers → L, LA, RGB, RGBA or CMYK, 8 bit."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return _from_16_bits(picture, box)
    if picture.has_transparency_data or mode in ("P", "PA", *_PLAIN):
        return _with_keyed_alpha(picture, box)
    if mode == "CMYK":
        return picture
    simpler = _SIMPLER.get(mode)
    if simpler is None:
        raise unsupported("pixels that are not 1 to 16 bit whole numbers")
    return picture.convert(simpler)


def _with_keyed_alpha(picture: Image.Image, box: Container) -> Image.Image:
    """Palettes and keyed transparency resolved; plain pictures as they are."""
    key = picture.info.get("transparency")
    if picture.mode == "L" and isinstance(key, int) and box.depth < 8:
        # Pillow scales grey of 2 and 4 bits to 8, but not its key (PNG sections 11.3.1.1 and 13.12).
        picture.info["transparency"] = key * 255 // ((1 << box.depth) - 1)
    transparent = picture.has_transparency_data
    if picture.mode in ("P", "PA"):
        colours = "L" if _has_grey_palette(picture) else "RGB"
        return picture.convert(colours + "A" if transparent else colours)
    if transparent and picture.mode in ("1", "L", "RGB"):
        return picture.convert("RGBA" if picture.mode == "RGB" else "LA")
    return picture.convert(_SIMPLER.get(picture.mode, picture.mode))


def _has_grey_palette(picture: Image.Image) -> bool:
    entries = np.frombuffer(bytes(picture.getpalette("RGB") or ()), np.uint8).reshape(-1, 3)
    return bool((entries == entries[:, :1]).all())


def _from_16_bits(picture: Image.Image, box: Container) -> Image.Image:
    """Grey of 9 to 16 bits, scaled to 8. (Pillow's own conversion clips: all above 255 turns white.)"""
    values = np.asarray(picture).astype(np.uint16)
    shift = 4 if box.depth == 12 else 8
    grey = np.minimum(values >> shift, 255).astype(np.uint8)
    result = Image.fromarray(255 - grey if box.inverted else grey)
    key = picture.info.get("transparency")
    if isinstance(key, int):
        result.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
    return result


def _on_white(picture: Image.Image) -> tuple[Image.Image, bool]:
    """The picture as a viewer shows it on white, without alpha, and whether any pixel was not fully opaque.

    An alpha plane can hold a picture of its own, and the colours below it another one: neither may be
    published unseen by the detectors.
    """
    if picture.mode not in ("LA", "RGBA"):
        return picture, False
    alpha = picture.getchannel("A")
    colours = picture.convert("L" if picture.mode == "LA" else "RGB")
    if alpha.getextrema() == (255, 255):
        return colours, False
    white = Image.new(colours.mode, colours.size, "white")
    white.paste(colours, mask=alpha)
    return white, True
