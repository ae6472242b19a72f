"""What a release says about the parts of its photos that nobody edited: how many stayed as they were, bit for bit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any


def unedited_evidence(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By format: how many photos are unchanged outside of their edits, and by how much the others are changed there.

    :param rows: of photos.parquet. Where they come from a version that did not say it, the photo counts as ``unsaid``.
    """
    by_format: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_format[row["format"]].append(row)
    return {format: _counts(of_format) for format, of_format in sorted(by_format.items())}


def _counts(rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    said = [row for row in rows if row.get("outside_max") is not None]
    changed = [row for row in said if row["outside_max"]]
    return {
        "photos": len(rows),
        "unchanged": len(said) - len(changed),
        "encoded_whole": len(changed),
        "unsaid": len(rows) - len(said),
        "mean": sum(row["outside_mean"] for row in changed) / len(changed) if changed else None,
        "largest": max((row["outside_max"] for row in changed), default=None),
    }
