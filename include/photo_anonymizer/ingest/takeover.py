"""What an earlier run has found out stays: only what is new, or may end differently now, is worked on again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from photo_anonymizer import review
from photo_anonymizer.config import RunConfig
from photo_anonymizer.imagefile import sha256_of
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.provenance import photo_basis, run_basis
from photo_anonymizer.published import Version, load_version
from photo_anonymizer.vault import Vault

SETTLED = frozenset(
    {
        Reason.UNSUPPORTED_FORMAT,
        Reason.UNDECODABLE,
        Reason.TOO_MANY_PIXELS,
        Reason.SEVERAL_PICTURES,
        Reason.PERSON_WITHOUT_FACE,
        Reason.UNCERTAIN_FACE,
        Reason.TOO_MANY_FACES,
        Reason.STILL_RECOGNISED,
    }
)
"""Reasons that the same file, configuration, software and decisions would end in again. The others either cost nothing
to find out again (ingest tells them itself) or may lie in the run and the machine's load and not in the photo."""


@dataclass(frozen=True)
class _Row:
    """What the ledger says about a file."""

    photo_id: str
    basis: str
    status: str
    reason: str
    detail: str
    version: str | None


class Earlier:
    """The results of earlier runs of a dataset.

    :param config: of the run that asks; with ``ingest.incremental`` off nothing is taken over.
    """

    def __init__(self, config: RunConfig, vault: Vault) -> None:
        self._config, self._vault = config, vault
        self._run_basis = run_basis(config)
        self._decisions: Mapping[str, Any] = review.decisions(vault)
        rows = vault.ledger_columns("source_uri", *_Row.__dataclass_fields__) if config.ingest.incremental else []
        self._by_uri = {uri: _Row(*values) for uri, *values in rows}
        self._released = {row.photo_id: row for row in self._by_uri.values() if row.status == Status.RELEASED}
        self._versions: dict[str, Version | None] = {}

    def applied(self, record: PhotoRecord) -> PhotoRecord:
        """The photo as an earlier run left it, if that still stands; else the photo on its way, with its basis."""
        record = record.with_(basis=photo_basis(self._run_basis, self._decisions.get(record.photo_id, ())))
        if not record.pending:
            return record
        # By content, not by name: a file that was only renamed or moved is the photo that it was.
        released = self._released.get(record.photo_id)
        if released and released.basis == record.basis and self._intact(record.photo_id, released.version or ""):
            return record.with_(status=Status.RELEASED, published_in=released.version, taken_over=True)
        known = self._by_uri.get(record.source_uri)
        if known and (known.photo_id, known.basis) == (record.photo_id, record.basis) and known.reason in SETTLED:
            return record.stopped(Reason(known.reason), known.detail).with_(taken_over=True)
        return record

    def _intact(self, photo_id: str, name: str) -> bool:
        """Does this version hold the photo's file as it was published?"""
        if name not in self._versions:
            self._versions[name] = load_version(self._config, self._vault, name) if name else None
        version = self._versions[name]
        row = version.photos.get(photo_id) if version else None
        if version is None or row is None:
            return False
        path = version.data / row["file"]
        return path.is_file() and sha256_of(path.read_bytes()) == str(row["sha256"])
