"""Colour profiles that may stay in a published JPEG, so that a wide-gamut photo need not be encoded anew.

Only a profile that is, byte for byte, one that a vendor ships with everything it sells tells nothing about a
file. It is recognised by its SHA-256 (FIPS 180-4) in ``profiles.toml``; the profiles themselves are not part of
this project. A profile of one device or of a calibration must never be listed.

To add one: extract it (``exiftool -icc_profile -b photo.jpg > some.icc``), make sure that it names no device and
no time at which somebody measured one, look for the same bytes in files of unrelated people or in the vendor's
own package, and add a ``[[profile]]`` with ``name`` (short, shown in records), ``sha256``, ``bytes`` and ``found``
(where it comes from).
"""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from importlib.resources import files

from photo_anonymizer.metadata.readers import jpegfile


def well_known(profile: bytes) -> str:
    """The name of a listed profile; ``""`` for every other."""
    return _names().get(hashlib.sha256(profile).hexdigest(), "")


@cache
def _names() -> dict[str, str]:
    text = files(__package__).joinpath("profiles.toml").read_text(encoding="utf-8")
    return {entry["sha256"]: entry["name"] for entry in tomllib.loads(text).get("profile", [])}


def profile_in(data: bytes) -> bytes:
    """The ICC profile of a JPEG that this project wrote; empty if it has none or is another kind of file.

    :raises PhotoError: UNDECODABLE if the bytes are no JPEG that this project wrote.
    """
    if not data.startswith(jpegfile.MAGIC):
        return b""
    return jpegfile.profile_of(data)
