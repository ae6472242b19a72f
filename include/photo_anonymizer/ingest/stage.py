"""Ingest: list, read once, identify, recognise duplicates and what is known already, write the ledger, cut into shards.

Files stream through, and what must be known of all of them is on disk: memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from pydantic import BaseModel, ConfigDict

from photo_anonymizer.config import IngestConfig, RunConfig
from photo_anonymizer.diskmap import DiskMap
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.files import read_json, write_json
from photo_anonymizer.imagefile import count_pictures
from photo_anonymizer.ingest.kind import ACCEPTED, HEAD_BYTES, kind_of
from photo_anonymizer.ingest.takeover import Earlier
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.photostage import where
from photo_anonymizer.provenance import software, stamp_of
from photo_anonymizer.runfolder import WHOLE, RunFolder
from photo_anonymizer.sources import Found, Limits, list_source, read_file
from photo_anonymizer.vault import Vault, ledger_row, photo_id_of

STAGE = "ingest"
SUMMARY = "summary.json"
SHARDS = "shards"
MAX_SHARDS = 1000
"""Airflow maps a task over at most 1,024 items; larger collections get larger shards."""
_BATCH = 50
"""Files that a thread is given at once: handing over one by one costs more than reading a small file."""


class Ingested(BaseModel):
    """A run's input in numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    photos: int = 0
    """Pictures, duplicates and unusable files included: a file with three pages counts three."""
    going_on: int = 0
    """Of those, the ones that this run works on."""
    taken_over: int = 0
    """Photos whose earlier result still stands, whatever it was."""
    carried_over: int = 0
    """Of those, published ones: the next version holds them as they are."""
    deleted_at_source: int = 0
    """Photos of this source that an earlier run saw and that are gone."""


def ingest(run: RunFolder) -> Ingested:
    """Gives every picture of the source a record and the ledger a row; done again, it changes nothing.

    :raises SourceError: the source is missing, empty or unreadable.
    """
    if not run.done(STAGE):
        config, vault = run.config, Vault.of(run.config)
        stamp = stamp_of(config, run.run_id)
        vault.note_software(stamp.software, software())
        found = list_source(config.source, run.path, Limits.of(config))
        earlier, seen = Earlier(config, vault, run.path), DiskMap(run.path)
        with run.publish(STAGE) as output:
            output.write_records(_told(run, _records(config, vault.key(), found, earlier, seen), len(found)))
            # Before the result counts as done: killed in between, the stage would never come back for the ledger.
            vault.update_ledger(
                (ledger_row(_not_finished(record), stamp) for record in output.records()), keep_existing=True
            )
            deleted = vault.mark_missing(stamp, output.records())
            write_json(output.folder / SUMMARY, _counted(output.records(), deleted).model_dump())
    return summary(run)


def summary(run: RunFolder) -> Ingested:
    """What ingest counted."""
    return Ingested.model_validate(read_json(run.stage(STAGE) / SUMMARY))


def plan_shards(run: RunFolder) -> list[str]:
    """Cuts the photos that go on into shards and returns the shards' names.

    There is always at least one, possibly empty, so that a run without a usable photo still reaches the gate.
    """
    pending = (record for record in run.iter_records(STAGE) if record.pending)
    total = sum(record.pending for record in run.iter_records(STAGE))
    size = max(run.config.ingest.shard_size, math.ceil(total / MAX_SHARDS))
    names = [f"{number:04d}" for number in range(max(1, math.ceil(total / size)))]
    for name in names:
        group = list(islice(pending, size))
        if not run.done(SHARDS, name):
            with run.publish(SHARDS, name) as output:
                output.write_records(group)
    return names


def mark_duplicates(records: Iterable[PhotoRecord], seen: DiskMap) -> Iterator[PhotoRecord]:
    """Of files with the same content the first goes on; the others are rejected, so that nothing is published twice.

    :param seen: ids of the photos that went on so far; added to.
    """
    for record in records:
        again = record.pending and not seen.add(record.photo_id)
        yield record.stopped(Reason.DUPLICATE) if again else record


def _records(
    config: RunConfig, key: bytes, found: Iterable[Found], earlier: Earlier, seen: DiskMap
) -> Iterator[PhotoRecord]:
    """Every picture of the source, in the source's order."""
    limits, files = Limits.of(config), iter(found)

    def identify(batch: list[Found]) -> list[PhotoRecord]:
        return [record for item in batch for record in _identify(item, key, config.ingest, limits)]

    with ThreadPoolExecutor(config.workers) as pool:
        while group := list(islice(files, _BATCH * config.workers * 4)):
            batches = (group[start : start + _BATCH] for start in range(0, len(group), _BATCH))
            identified = (record for batch in pool.map(identify, batches) for record in batch)
            records = list(mark_duplicates(identified, seen))
            yield from pool.map(earlier.applied, records, [earlier.row(record.source_uri) for record in records])


def _told(run: RunFolder, records: Iterable[PhotoRecord], total: int) -> Iterator[PhotoRecord]:
    """The same records, while whoever waits is told how many files are done."""
    files = 0
    for record in records:
        files += record.frame == 0
        if files % 50 == 0 or files == total:
            run.tell(STAGE, WHOLE, files, total)
        yield record


def _identify(found: Found, key: bytes, config: IngestConfig, limits: Limits) -> list[PhotoRecord]:
    """The records of one file: one for each picture in it."""
    # A file that is never opened still gets an id, from its keyed URI.
    unread = PhotoRecord(photo_id=photo_id_of(key, found.uri.encode()), source_uri=found.uri)
    if found.problem:
        return [unread.stopped(found.problem, found.detail)]
    try:
        data = read_file(found.uri, int(config.max_file_mb * 1_000_000), limits)
    except PhotoError as error:
        return [unread.stopped(Reason(error.reason), error.detail)]
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - a damaged archive must not stop the photos beside it
        return [unread.stopped(Reason.STAGE_ERROR, where(error))]
    if not data:
        return [unread.stopped(Reason.EMPTY_FILE)]
    digest = hashlib.sha256(data).digest()
    record = unread.with_(photo_id=photo_id_of(key, digest))
    kind = kind_of(data[:HEAD_BYTES])
    if kind is None:
        return [record.stopped(Reason.NOT_A_PHOTO)]
    if kind not in ACCEPTED:
        return [record.stopped(Reason.UNSUPPORTED_FORMAT, kind)]
    return _pictures(record.with_(format=kind), key, digest, count_pictures(data), config)


def _pictures(record: PhotoRecord, key: bytes, digest: bytes, pictures: int, config: IngestConfig) -> list[PhotoRecord]:
    """A record for each picture of a file, or the whole file held: never the first picture alone."""
    if pictures > 1 and config.several_pictures == "hold":
        return [record.stopped(Reason.SEVERAL_PICTURES, f"{pictures} pictures")]
    if pictures > config.max_frames:
        return [record.stopped(Reason.SEVERAL_PICTURES, f"more than {config.max_frames} pictures")]
    further = (
        record.with_(
            photo_id=photo_id_of(key, digest, frame), source_uri=f"{record.source_uri}#frame={frame + 1}", frame=frame
        )
        for frame in range(1, pictures)
    )
    return [record, *further]


def _not_finished(record: PhotoRecord) -> PhotoRecord:
    stopped = record.status in (Status.HELD, Status.REJECTED)
    return record if stopped else record.stopped(Reason.NOT_FINISHED)


def _counted(records: Iterable[PhotoRecord], deleted: int) -> Ingested:
    photos = going_on = taken_over = carried_over = 0
    for record in records:
        photos += 1
        going_on += record.pending
        taken_over += record.taken_over
        carried_over += bool(record.published_in)
    return Ingested(
        photos=photos,
        going_on=going_on,
        taken_over=taken_over,
        carried_over=carried_over,
        deleted_at_source=deleted,
    )
