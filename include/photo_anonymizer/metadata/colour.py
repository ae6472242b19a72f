"""Colour profiles: pixels are brought to sRGB, then the profile is not needed any more.

A profile can name a camera, a program or a person, and a rare one singles a file out. Sources: ICC.1:2022,
IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_BROKEN_PROFILE = (
    ImageCms.PyCMSError,
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    MemoryError,
    OverflowError,
)
_SAME = 3
"""A profile whose every colour lands within 3 of 255 of the sRGB value is sRGB: writers round differently."""


def to_srgb(picture: Image.Image, profile: bytes) -> tuple[Image.Image, bool]:
    """The picture in sRGB, and whether its pixels had to change.

    A broken profile, and one for another kind of pixels, is ignored: the values then count as sRGB, as every
    viewer takes them.

    :param picture: mode L, LA, RGB, RGBA or CMYK, uint8.
    :param profile: the bytes of an ICC profile, may be empty.
    :return: mode L, LA, RGB or RGBA.
    """
    space = _colour_space(profile)
    if picture.mode == "CMYK":
        converted = _converted(picture, profile, "CMYK") if space == "CMYK" else None
        return converted or picture.convert("RGB"), True
    if stays_as_it_is(profile, grey=picture.mode in ("L", "LA")):
        return picture, False
    return _with_alpha(picture, profile, "L" if space == "GRAY" else "RGB")


def stays_as_it_is(profile: bytes, *, grey: bool) -> bool:
    """Would :func:`to_srgb` leave the pixels of a picture with this profile alone?

    :param grey: has the picture one channel?
    """
    space = _colour_space(profile)
    wanted = "L" if space == "GRAY" else "RGB"
    if space not in ("GRAY", "RGB ") or (space == "GRAY" and not grey):
        return True
    return _is_srgb(profile, wanted)


def _with_alpha(picture: Image.Image, profile: bytes, wanted: str) -> tuple[Image.Image, bool]:
    """Convert the colours and put the alpha plane back; grey stays grey."""
    grey = picture.mode in ("L", "LA")
    colours = picture.convert(wanted)
    converted = _converted(colours, profile, wanted)
    if converted is None:
        return picture, False
    if grey:
        converted = converted.convert("L")
    if picture.mode in ("LA", "RGBA"):
        converted.putalpha(picture.getchannel("A"))
    return converted, True


def _colour_space(profile: bytes) -> str:
    """The data colour space in the header, ``""`` if this is no profile (ICC.1 section 7.2)."""
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return ""
    return profile[16:20].decode("latin-1")


@lru_cache(maxsize=256)
def _is_srgb(profile: bytes, mode: str) -> bool:
    """Judge a profile by what it does to a grid of colours, never by its name."""
    if mode == "L":
        grid = np.arange(256, dtype=np.uint8)[None, :]
    else:
        steps = np.linspace(0, 255, 9).round().astype(np.uint8)
        grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    before = Image.fromarray(grid)
    after = _converted(before, profile, mode)
    if after is None:
        return True  # unusable: the values are left alone
    change = np.abs(np.asarray(before.convert("RGB"), np.int16) - np.asarray(after, np.int16))
    return bool(change.max() <= _SAME)


def _converted(picture: Image.Image, profile: bytes, mode: str) -> Image.Image | None:
    """The picture in sRGB (mode RGB), or ``None`` if the profile cannot be used."""
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return ImageCms.applyTransform(picture, transform)
    except _BROKEN_PROFILE:
        return None
