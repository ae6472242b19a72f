"""Ingest: list, read once, identify, recognise duplicates, write the ledger, cut into shards."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.ingest.kind import ACCEPTED, HEAD_BYTES, kind_of
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import where
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.sources import Found, list_source, read_file
from photo_anonymizer.vault import Vault, ledger_row, photo_id_of

STAGE = "ingest"
SHARDS = "shards"
MAX_SHARDS = 1000
"""Airflow maps a task over at most 1,024 items; larger collections get larger shards."""


def ingest(run: RunFolder) -> list[PhotoRecord]:
    """Gives every file of the source a record and the ledger a row; done again, it changes nothing.

    :raises SourceError: the source is missing, empty or unreadable.
    """
    if not run.done(STAGE):
        config, vault = run.config, Vault.of(run.config)
        found = list_source(config.source)
        key = vault.key()
        with run.publish(STAGE) as output, ThreadPoolExecutor(config.workers) as pool:
            records = []
            for count, record in enumerate(pool.map(lambda item: _identify(item, key, config), found), start=1):
                records.append(record)
                if count % 50 == 0 or count == len(found):
                    run.tell(STAGE, "all", count, len(found))
            records = mark_duplicates(records)
            output.write_records(records)
            # Before the result counts as done: killed in between, the stage would never come back for the ledger.
            vault.update_ledger((_first_row(record, run.run_id) for record in records), keep_existing=True)
    return run.records(STAGE)


def plan_shards(run: RunFolder) -> list[str]:
    """Cuts the photos that go on into shards and returns the shards' names.

    There is always at least one, possibly empty, so that a run without a usable photo still reaches the gate.
    """
    photos = [record for record in run.records(STAGE) if record.pending]
    size = max(run.config.ingest.shard_size, math.ceil(len(photos) / MAX_SHARDS))
    groups = [photos[start : start + size] for start in range(0, len(photos), size)] or [[]]
    names = []
    for number, group in enumerate(groups):
        name = f"{number:04d}"
        names.append(name)
        if not run.done(SHARDS, name):
            with run.publish(SHARDS, name) as output:
                output.write_records(group)
    return names


def mark_duplicates(records: Sequence[PhotoRecord]) -> list[PhotoRecord]:
    """Of files with the same content the first goes on; the others are rejected, so that nothing is published twice."""
    seen: set[str] = set()
    marked = []
    for record in records:
        if record.pending and record.photo_id in seen:
            record = record.stopped(Reason.DUPLICATE)
        elif record.pending:
            seen.add(record.photo_id)
        marked.append(record)
    return marked


def _identify(found: Found, key: bytes, config: RunConfig) -> PhotoRecord:
    # A file that is never opened still gets an id, from its keyed URI.
    unread = PhotoRecord(photo_id=photo_id_of(key, found.uri.encode()), source_uri=found.uri)
    if found.problem:
        return unread.stopped(found.problem)
    try:
        data = read_file(found.uri, int(config.ingest.max_file_mb * 1_000_000))
    except PhotoError as error:
        return unread.stopped(Reason(error.reason), error.detail)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged archive must not stop the photos beside it
        return unread.stopped(Reason.STAGE_ERROR, where(error))
    if not data:
        return unread.stopped(Reason.EMPTY_FILE)
    record = unread.with_(photo_id=photo_id_of(key, hashlib.sha256(data).digest()))
    kind = kind_of(data[:HEAD_BYTES])
    if kind is None:
        return record.stopped(Reason.NOT_A_PHOTO)
    if kind not in ACCEPTED:
        return record.stopped(Reason.UNSUPPORTED_FORMAT, kind)
    return record.with_(format=kind)


def _first_row(record: PhotoRecord, run_id: str) -> dict[str, str | None]:
    stopped = record if not record.pending else record.stopped(Reason.NOT_FINISHED)
    return ledger_row(stopped, run_id)
