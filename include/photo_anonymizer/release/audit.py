"""A log whose entries are chained by their hashes: none can be changed, removed or added in the middle unnoticed.

One JSON object a line; ``hash`` is the SHA-256 of the entry without it, and the entry holds the ``previous`` hash
(a hash chain after Haber & Stornetta 1991, DOI 10.1007/BF00196791). The number of entries and the last hash stand in
``run.json`` and in the vault, so that the end cannot be cut off either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from photo_anonymizer.errors import ReleaseError

START = "0" * 64


@dataclass(frozen=True)
class Head:
    """The end of a chain: how many entries it has and the last one's hash."""

    entries: int
    sha256: str


def chain(events: Iterable[tuple[str, dict[str, Any]]], previous: str = START, first: int = 1) -> list[dict[str, Any]]:
    """Entries for (event, data) pairs, continuing after the hash ``previous``."""
    entries = []
    time = datetime.now(UTC).isoformat(timespec="seconds")
    for number, (event, data) in enumerate(events, start=first):
        entry = {"number": number, "time": time, "event": event, "data": data, "previous": previous}
        previous = _hash(entry)
        entries.append({**entry, "hash": previous})
    return entries


def head_of(entries: list[dict[str, Any]]) -> Head:
    """The end of a chain."""
    return Head(len(entries), entries[-1]["hash"] if entries else START)


def dump(entries: Iterable[dict[str, Any]]) -> str:
    """The entries as lines."""
    return "".join(json.dumps(entry, sort_keys=True, ensure_ascii=False) + "\n" for entry in entries)


def read_chain(path: Path) -> list[dict[str, Any]]:
    """The entries of a log, verified.

    :raises ReleaseError: an entry is not readable, was changed, or is not where it was written.
    """
    return list(iter_chain(path))


def iter_chain(path: Path) -> Iterator[dict[str, Any]]:
    """As :func:`read_chain`, one by one: what came before an error may be part of a log that was tampered with."""
    previous = START
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(filter(None, (line.rstrip("\n") for line in lines)), start=1):
            try:
                entry = json.loads(line)
                claimed = entry.pop("hash")
            except (ValueError, KeyError, AttributeError, TypeError):
                raise ReleaseError(f"the audit log's entry {number} is not readable") from None
            if entry.get("previous") != previous or entry.get("number") != number:
                raise ReleaseError(
                    f"the audit log's chain breaks at entry {number}: an entry was removed, added or moved"
                )
            if _hash(entry) != claimed:
                raise ReleaseError(f"the audit log's entry {number} was changed")
            previous = claimed
            yield {**entry, "hash": claimed}


def _hash(entry: dict[str, Any]) -> str:
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
