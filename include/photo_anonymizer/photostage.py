"""What every stage that works photo by photo has in common: threads, progress, per-photo failures, publishing."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.runfolder import RunFolder, StageOutput

log = logging.getLogger(__name__)

Work = Callable[[PhotoRecord, StageOutput], PhotoRecord]


def run_photo_stage(run: RunFolder, stage: str, previous: str, shard: str, work: Work) -> list[PhotoRecord]:
    """Applies ``work`` to every photo of a shard that is still on its way and publishes the result.

    A :class:`PhotoError` stops that photo with its reason. An unforeseen error holds that photo (``stage_error``)
    and is never taken for a success. Errors of the machine (disk, memory of the models, configuration) stop the
    task, because they would stop every photo.

    Done again after it was done, it only returns what it did.
    """
    if run.done(stage, shard):
        return run.records(stage, shard)
    records = run.records(previous, shard)
    started, told = time.monotonic(), 0.0
    results: list[PhotoRecord] = []
    run.tell(stage, shard, 0, len(records))
    with run.publish(stage, shard) as output:
        with ThreadPoolExecutor(run.config.workers) as pool:
            for result in pool.map(lambda record: _guarded(record, output, work), records):
                results.append(result)
                if time.monotonic() - told > 0.3:
                    told = time.monotonic()
                    run.tell(stage, shard, len(results), len(records))
        output.write_records(results)
    run.tell(stage, shard, len(results), len(records))
    stopped = sum(before.pending and not after.pending for before, after in zip(records, results, strict=True))
    log.info("%s: %d photos, %d stopped, %.1f s", stage, len(results), stopped, time.monotonic() - started)
    return results


def _guarded(record: PhotoRecord, output: StageOutput, work: Work) -> PhotoRecord:
    if not record.pending:
        return record
    try:
        return work(record, output)
    except PhotoError as error:
        return record.stopped(Reason(error.reason), error.detail)
    except (PhotoAnonymizerError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a hostile photo causes must not stop the others
        return record.stopped(Reason.STAGE_ERROR, where(error))


def where(error: Exception) -> str:
    """Class and place of an error, without its message: messages may quote what a photo contains."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
