"""Taking a published version back, and which versions still hold photos that are gone at their source."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.published import dataset_folder, load_version, sweep, versions
from photo_anonymizer.vault import Vault


@dataclass(frozen=True)
class Listed:
    """A published version in numbers."""

    name: str
    photos: int | None
    """None: the version is not as it was published."""
    deleted_at_source: int
    """Photos of this version that are no longer at their source."""


def list_versions(config: RunConfig) -> list[Listed]:
    """Every version that is there, oldest first."""
    vault = Vault.of(config)
    rows = vault.iter_ledger("photo_id", "reason")
    present = {row["photo_id"] for row in rows if row["reason"] != Reason.DELETED_AT_SOURCE}
    listed = []
    for name in versions(dataset_folder(config)):
        version = load_version(config, vault, name)
        if version is None:
            listed.append(Listed(name, None, 0))
        else:
            listed.append(Listed(name, len(version.photos), len(version.photos.keys() - present)))
    return listed


def withdraw(config: RunConfig, version: str) -> int:
    """Deletes a published version and returns how many of its photos no other version holds.

    Its name is not used again, its audit log's end stays in the vault. Photos that are published nowhere else are
    worked on anew by the next run, as far as their source still has them. Killed at any point, it can be repeated.

    :raises ConfigError: there is no such version.
    """
    vault, dataset = Vault.of(config), dataset_folder(config)
    with vault.locked_for("export"):
        sweep(dataset)
        noted = vault.noted_releases().get(version)
        if version not in versions(dataset) and (noted is None or "withdrawn" in noted):
            raise ConfigError(
                f"there is no version {version!r}; `photo-anonymizer versions` lists those that are there"
            )
        going = load_version(config, vault, version)
        elsewhere = _elsewhere(config, vault, version)
        # Out of the books first: whatever happens next, nobody relies on this version any more.
        vault.note_withdrawal(version, datetime.now(UTC).isoformat(timespec="seconds"), elsewhere)
        if (dataset / version).is_dir():
            (dataset / version).rename(dataset / f".{version}.{uuid.uuid4().hex}")
        sweep(dataset)
    return len(going.photos.keys() - elsewhere.keys()) if going else 0


def unfinished_runs(config: RunConfig) -> int:
    """Runs whose intermediate files, clear pictures among them, still lie in the workspace."""
    workspace = Path(config.out).absolute() / "workspace" / config.dataset
    return sum(path.is_dir() for path in workspace.glob("*"))


def _elsewhere(config: RunConfig, vault: Vault, version: str) -> dict[str, str]:
    """photo_id → place in the newest intact version, without the one that goes."""
    places: dict[str, str] = {}
    for name in versions(dataset_folder(config)):
        other = load_version(config, vault, name) if name != version else None
        if other:
            places.update({photo_id: other.place(photo_id) for photo_id in other.photos})
    return places
