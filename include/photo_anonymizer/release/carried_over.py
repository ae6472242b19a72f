"""Photos that a new version takes over from earlier ones: their files, rows and audit entries, checked on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.files import read_json
from photo_anonymizer.imagefile import sha256_of
from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.published import PUBLISHED_NAME, Version, load_version, versions
from photo_anonymizer.vault import Vault

_HEADLINES = ("linked", "control", "rank1")
"""What is repeated of an earlier version's attack."""


@dataclass(frozen=True)
class CarriedOver:
    """Which photos are taken over, and from where."""

    sources: dict[str, Version]
    """photo_id → the version that it is taken from."""

    @classmethod
    def of(cls, config: RunConfig, vault: Vault, records: Iterable[PhotoRecord]) -> CarriedOver:
        """The photos that ingest found published already.

        :raises PhotoAnonymizerError: a version that held them has vanished or changed since.
        """
        wanted = {record.photo_id: record.published_in for record in records if record.published_in}
        loaded = {name: load_version(config, vault, name) for name in set(wanted.values())}
        sources = {}
        for photo_id, name in wanted.items():
            version = loaded[name]
            if version is None or photo_id not in version.photos:
                raise PhotoAnonymizerError(
                    f"{name} has changed or vanished since this run began, and photos were to be taken over from it; "
                    "start a new run"
                )
            sources[photo_id] = version
        return cls(sources)

    @property
    def places(self) -> dict[str, str]:
        """photo_id → where it is public already, below the dataset's releases."""
        return {photo_id: version.place(photo_id) for photo_id, version in self.sources.items()}

    def same_as_newest(self, dataset: Path, records: Sequence[PhotoRecord]) -> str | None:
        """The newest version, if it holds exactly the photos that would be published now."""
        newest = next(reversed(versions(dataset)), None)
        if newest is None or any(record.pending for record in records):
            return None
        held = {photo_id for photo_id, version in self.sources.items() if version.name == newest}
        whole = bool(held) and held == set(self.sources) == set(next(iter(self.sources.values())).photos)
        return newest if whole else None

    def copy_photos(self, folder: Path) -> list[dict[str, Any]]:
        """Copies the files into the ``data`` folder of a new version and returns their rows.

        :raises PhotoAnonymizerError: a file is not the one that was published.
        """
        rows = []
        for photo_id, version in self.sources.items():
            row = version.photos[photo_id]
            if not PUBLISHED_NAME.fullmatch(row["file"]) or photo_id not in row["file"]:
                raise PhotoAnonymizerError(f"{version.name} names a file that is not called after its photo's id")
            data = (version.data / row["file"]).read_bytes()
            if sha256_of(data) != row["sha256"]:
                raise PhotoAnonymizerError(
                    f"a picture of {version.name} is not as it was published; withdraw that version and start a new run"
                )
            (folder / row["file"]).write_bytes(data)
            rows.append(row)
        return rows

    @property
    def face_rows(self) -> list[dict[str, Any]]:
        """Rows of faces.parquet."""
        return [row for photo_id, version in self.sources.items() for row in version.faces.get(photo_id, [])]

    @property
    def events(self) -> dict[str, dict[str, Any]]:
        """What the audit log says about each photo: what was done to it then, and since when it is published."""
        return {
            photo_id: {**version.events[photo_id], "since": version.since(photo_id)}
            for photo_id, version in self.sources.items()
        }

    @property
    def evidence(self) -> dict[str, Any]:
        """How many photos and faces were attacked in which earlier version, and with what result."""
        return {
            "photos": len(self.sources),
            "faces": len(self.face_rows),
            "attacked_in": dict(
                sorted(Counter(version.since(photo_id) for photo_id, version in self.sources.items()).items())
            ),
            "attacks": self._attacks(),
        }

    @property
    def controls(self) -> dict[str, list[Rate]]:
        """How well each recogniser knew the originals, in each version whose photos are taken over."""
        known: dict[str, list[Rate]] = {}
        for attacks in self._attacks().values():
            for recogniser, attack in attacks["by_recogniser"].items():
                known.setdefault(recogniser, []).append(Rate.model_validate(attack["control"]))
        return known

    def _attacks(self) -> dict[str, dict[str, Any]]:
        """Version → headlines of its attacks, of those versions and of those that these had taken over already."""
        found: dict[str, dict[str, Any]] = {}
        for version in {version.name: version for version in self.sources.values()}.values():
            evidence = read_json(version.data / "qa.json")
            found.update(evidence.get("carried_over", {}).get("attacks", {}))
            found[version.name] = {
                "linked": evidence["published"]["linked"],
                "by_recogniser": {
                    recogniser: {name: attack[name] for name in _HEADLINES}
                    for recogniser, attack in evidence["published"]["by_recogniser"].items()
                },
            }
        return dict(sorted(found.items()))
