"""A listed source, kept on disk: in order, each file once, and in little memory however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from photo_anonymizer.diskmap import DiskMap
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.model import Found


@dataclass(frozen=True)
class Listing:
    """Files of a source in the order of their URIs."""

    _files: DiskMap
    """uri → problem and detail; None where there is none."""

    @classmethod
    def of(cls, files: Iterable[Found], workplace: Path) -> Listing:
        """These files, in whatever order they come; of those with one URI the last."""
        kept = DiskMap(workplace)
        kept.put((item.uri, [item.problem, item.detail] if item.problem else None) for item in files)
        return cls(kept)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Found]:
        for uri, trouble in self._files.items():
            yield Found(uri, Reason(trouble[0]), trouble[1]) if trouble else Found(uri)
