"""What an earlier run has found out stays: only what is new, or may end differently now, is worked on again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any

from photo_anonymizer import review
from photo_anonymizer.config import RunConfig
from photo_anonymizer.diskmap import DiskMap
from photo_anonymizer.imagefile import sha256_of
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.provenance import photo_basis, run_basis
from photo_anonymizer.published import Holdings, dataset_folder, load_holdings, number_of, versions
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
class Row:
    """What the ledger says about a file."""

    photo_id: str
    basis: str
    status: str
    reason: str
    detail: str


_COLUMNS = tuple(field.name for field in fields(Row))


class Earlier:
    """The results of earlier runs of a dataset.

    :param config: of the run that asks; with ``ingest.incremental`` off nothing is taken over.
    :param workplace: a private folder for what is looked up.
    """

    def __init__(self, config: RunConfig, vault: Vault, workplace: Path) -> None:
        self._config, self._vault, self._workplace = config, vault, workplace
        self._run_basis = run_basis(config, vault.key())
        self._decisions: Mapping[str, Any] = review.decisions(vault)
        self._rows = DiskMap(workplace)
        names = set[str]()
        if config.ingest.incremental:
            rows = vault.iter_ledger("source_uri", *_COLUMNS)
            self._rows.put((row["source_uri"], [row[name] for name in _COLUMNS]) for row in rows)
            # A version holds all that its source held then: the newest one, and those that rows name, are enough.
            names |= {row["version"] for row in vault.iter_ledger("version") if row["version"]}
            names |= set(versions(dataset_folder(config))[-1:])
        self._names = sorted(names, key=number_of, reverse=True)
        self._held: dict[str, Holdings | None] = {}
        self._lock = Lock()

    def row(self, uri: str) -> Row | None:
        """What the ledger says about a file; None: nothing. For one thread, unlike :meth:`applied`."""
        values = self._rows.get(uri)
        return Row(*values) if values else None

    def applied(self, record: PhotoRecord, known: Row | None) -> PhotoRecord:
        """The photo as an earlier run left it, if that still stands; else the photo on its way, with its basis.

        :param known: :meth:`row` of its ``source_uri``.
        """
        if known and record.reason is Reason.UNREADABLE:
            return record.with_(photo_id=known.photo_id)  # it may still be the photo that it was
        record = record.with_(basis=photo_basis(self._run_basis, self._decisions.get(record.photo_id, ())))
        if not record.pending:
            same = known and (known.photo_id, known.reason) == (record.photo_id, record.reason)
            return record.with_(taken_over=bool(same))
        # By content, not by name: a file that was only renamed or moved is the photo that it was.
        for name in self._names:
            if self._holds(name, record):
                return record.with_(status=Status.RELEASED, published_in=name, taken_over=True)
        if known and (known.photo_id, known.basis) == (record.photo_id, record.basis) and known.reason in SETTLED:
            return record.stopped(Reason(known.reason), known.detail).with_(taken_over=True)
        return record

    def _holds(self, name: str, record: PhotoRecord) -> bool:
        """Does this version hold the photo's file as it was published, and would it come out the same now?"""
        with self._lock:
            if name not in self._held:
                self._held[name] = load_holdings(self._config, self._vault, name, self._workplace)
            held = self._held[name]
            found = held.file_of(record.photo_id, record.basis) if held else None
        if found is None:
            return False
        path, sha256 = found
        return path.is_file() and sha256_of(path.read_bytes()) == sha256
