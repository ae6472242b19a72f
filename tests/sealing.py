"""A sealed folder for tests."""

from __future__ import annotations

from pathlib import Path

from photo_anonymizer.sealed import SealedFolder


def sealed(place: Path, name: str = "one") -> SealedFolder:
    """A folder of that name below ``place``, under a secret that every test shares."""
    return SealedFolder.of(place, name, bytes(32))
