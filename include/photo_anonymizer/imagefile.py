"""The stages' common door to the picture formats: loading and encoding clean photos."""

from __future__ import annotations

import hashlib
from pathlib import Path

from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.lossless.exchange import coefficients_of, with_coefficients
from photo_anonymizer.metadata.profiles import profile_in
from photo_anonymizer.metadata.strip import count_pictures
from photo_anonymizer.model.pixels import Pixels

__all__ = [
    "coefficients_of",
    "count_pictures",
    "decode",
    "encode",
    "load",
    "profile_in",
    "sha256_of",
    "with_coefficients",
]


def load(path: Path) -> Pixels:
    """rgb uint8 (H, W, 3) of a stripped or rendered photo.

    :raises PhotoError: it cannot be decoded.
    """
    return decode(path.read_bytes())


def sha256_of(data: bytes) -> str:
    """Hexadecimal SHA-256 (FIPS 180-4) of a file's content."""
    return hashlib.sha256(data).hexdigest()
