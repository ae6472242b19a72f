"""A listed source as a list, for tests that look at all of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from photo_anonymizer import sources
from photo_anonymizer.sources import Found, Limits


def list_source(source: str, limits: Limits | None = None) -> list[Found]:
    """As :func:`photo_anonymizer.sources.list_source`, which this calls."""
    return list(sources.list_source(source, Path(tempfile.gettempdir()), limits or Limits()))
