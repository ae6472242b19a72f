"""The stages' common door to the picture formats: loading and encoding clean photos."""

from __future__ import annotations

from pathlib import Path

from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.model.pixels import Alpha, Pixels

__all__ = ["decode", "encode", "load"]


def load(path: Path) -> tuple[Pixels, Alpha | None]:
    """(rgb uint8 (H, W, 3), alpha uint8 (H, W) or None) of a stripped or rendered photo.

    :raises PhotoError: it cannot be decoded.
    """
    return decode(path.read_bytes())
