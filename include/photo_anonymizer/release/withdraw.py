"""Taking a published version back, and which versions still hold photos that are gone at their source."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.record import Reason, Status
from photo_anonymizer.published import dataset_folder, load_version, versions
from photo_anonymizer.vault import Vault


@dataclass(frozen=True)
class Listed:
    """A published version in numbers."""

    name: str
    photos: int | None
    """None: the version is not as it was published."""
    deleted_at_source: int
    """Photos of this version that have been deleted at their source since."""


def list_versions(config: RunConfig) -> list[Listed]:
    """Every version that is there, oldest first."""
    vault = Vault.of(config)
    gone = deleted_photos(vault)
    listed = []
    for name in versions(dataset_folder(config)):
        version = load_version(config, vault, name)
        photos = set(version.photos) if version else None
        listed.append(Listed(name, len(photos) if photos is not None else None, len(gone & (photos or set()))))
    return listed


def deleted_photos(vault: Vault) -> set[str]:
    """Ids of photos that are gone at their source, and not merely there under another name."""
    rows = vault.ledger_columns("photo_id", "reason", "status")
    gone = {photo_id for photo_id, reason, _ in rows if reason == Reason.DELETED_AT_SOURCE}
    return gone - {photo_id for photo_id, reason, _ in rows if reason != Reason.DELETED_AT_SOURCE}


def withdraw(config: RunConfig, version: str) -> int:
    """Deletes a published version and returns how many photos the ledger no longer calls published.

    Its name is not used again, its audit log's end stays in the vault. Photos that were published in this version only
    are worked on anew by the next run, as far as their source still has them.

    :raises ConfigError: there is no such version.
    """
    vault, dataset = Vault.of(config), dataset_folder(config)
    with vault.locked_for("export"):
        if version not in versions(dataset):
            raise ConfigError(
                f"there is no version {version!r}; `photo-anonymizer versions` lists those that are there"
            )
        rows = vault.ledger_columns("version", "status")
        published: int = sum(found == version and status == Status.RELEASED for found, status in rows)
        # Out of sight by one rename, then out of the books, then off the disk: killed anywhere, nothing half public
        # is left, and the next export sweeps up what is.
        hidden = dataset / f".{version}.{uuid.uuid4().hex}"
        (dataset / version).rename(hidden)
        vault.note_withdrawal(version, datetime.now(UTC).isoformat(timespec="seconds"))
        shutil.rmtree(hidden)
    return published
