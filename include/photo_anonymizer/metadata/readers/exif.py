"""What an EXIF directory tells: kinds for the record, and the little that a policy may keep.

Sources: EXIF 2.32 (CIPA DC-008) section 4.6, TIFF 6.0, Adobe DNG 1.7 (CameraSerialNumber), Microsoft's XP tags.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from photo_anonymizer.metadata.readers import ifd

_ORIENTATION, _EXIF_IFD, _GPS_IFD, _SUB_IFDS = 0x0112, 0x8769, 0x8825, 0x014A
_MAKER_NOTE, _THUMBNAIL = 0x927C, 0x0201
_DATE_TIME, _DATE_TIME_ORIGINAL = 0x0132, 0x9003
_EXPOSURE_TIME, _SHUTTER_SPEED = 0x829A, 0x9201
_F_NUMBER, _APERTURE = 0x829D, 0x9202
_ISO = (0x8827, 0x8833, 0x8832)
"""PhotographicSensitivity, ISOSpeed, RecommendedExposureIndex."""
_KINDS = {
    "gps": (_GPS_IFD,),
    "maker_note": (_MAKER_NOTE,),
    "thumbnail": (_THUMBNAIL,),
    "timestamps": (_DATE_TIME, _DATE_TIME_ORIGINAL, 0x9004, *range(0x9010, 0x9013), *range(0x9290, 0x9293)),
    "camera": (0x010F, 0x0110, 0xA433, 0xA434, 0xC614),
    "serial_number": (0xA431, 0xA435, 0xC62F),
    "document_id": (0xA420,),
    "owner_name": (0xA430, 0x013B, 0x9C9D),
    "copyright": (0x8298,),
    "software": (0x0131, 0x013C),
    "comment": (0x9286, 0x010E, 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F),
    "xmp": (0x02BC,),
    "iptc": (0x83BB,),
}
"""Which tags make which kind, wherever they stand. 0xA420 is the unique id of an exposure, 0x013C the host computer."""
_YEAR = re.compile(rb"\s*(\d{4})[:\-/. ]")
_YEARS = range(1826, 2101)
"""The oldest photo that exists was taken in 1826 or 1827; a clock beyond 2100 is wrong."""
_STOPS = range(-20, 41)
"""Exposure values of anything that can be photographed, with room."""


@dataclass(frozen=True)
class Facts:
    """What a main directory and its Exif directory tell."""

    kinds: frozenset[str]
    orientation: int
    """1 to 8; 0: not said."""
    kept: dict[str, int]
    """``capture_year`` and ``exposure_ev`` (whole stops at ISO 100), as far as they are said."""


def facts_of(block: bytes, form: ifd.Layout, main: ifd.Directory) -> Facts:
    """Look through a main directory and the Exif directory that it points to.

    A broken Exif directory counts as empty.
    """
    tags = {**main.entries, **_camera_tags(block, form, main)}
    kinds = {kind for kind, numbers in _KINDS.items() if not tags.keys().isdisjoint(numbers)}
    turn = ifd.integer(main.entries.get(_ORIENTATION), form)
    return Facts(
        kinds=frozenset(kinds | ({"thumbnail"} if main.next else set())),
        orientation=turn if 1 <= turn <= 8 else 0,
        kept={**_capture_year(tags), **_exposure(tags, form)},
    )


def _camera_tags(block: bytes, form: ifd.Layout, main: ifd.Directory) -> dict[int, ifd.Entry]:
    at = ifd.integer(main.entries.get(_EXIF_IFD), form)
    try:
        return ifd.directory(block, form, at).entries if at else {}
    except ifd.BrokenDirectoryError:
        return {}


def _capture_year(tags: dict[int, ifd.Entry]) -> dict[str, int]:
    for tag in (_DATE_TIME_ORIGINAL, _DATE_TIME):
        found = _YEAR.match(tags[tag].value) if tag in tags else None
        if found and int(found[1]) in _YEARS:
            return {"capture_year": int(found[1])}
    return {}


def _exposure(tags: dict[int, ifd.Entry], form: ifd.Layout) -> dict[str, int]:
    """log2(N²/t) − log2(ISO/100), rounded: the exposure value at ISO 100 (ISO 2720, EXIF 2.32 annex C)."""
    aperture = _doubled(_log2(tags, _F_NUMBER, form))
    aperture = ifd.number(tags.get(_APERTURE), form) if aperture is None else aperture
    time = _log2(tags, _EXPOSURE_TIME, form)
    shutter = ifd.number(tags.get(_SHUTTER_SPEED), form) if time is None else -time
    speed = next((found for tag in _ISO if (found := _log2(tags, tag, form)) is not None), None)
    if aperture is None or shutter is None or speed is None:
        return {}
    stops = round(aperture + shutter - speed + math.log2(100))
    return {"exposure_ev": stops} if stops in _STOPS else {}


def _doubled(value: float | None) -> float | None:
    return None if value is None else 2 * value


def _log2(tags: dict[int, ifd.Entry], tag: int, form: ifd.Layout) -> float | None:
    value = ifd.number(tags.get(tag), form)
    return math.log2(value) if value is not None and value > 0 else None
