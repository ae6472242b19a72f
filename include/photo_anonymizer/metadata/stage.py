"""Strip: a clean, upright, sRGB copy of every photo, from which everything later is made."""

from __future__ import annotations

import hashlib
import time

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.worker import sandbox_of, strip_apart
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.sources import Limits, read_file
from photo_anonymizer.vault import Vault, photo_id_of

STAGE = "strip_metadata"


def strip_metadata(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes the stripped original of every photo of a shard.

    Photos are decoded in processes of their own: one that hangs, crashes or eats memory is rejected, the others go on.
    """
    config = run.config
    key = Vault.of(config).key()
    max_bytes = int(config.ingest.max_file_mb * 1_000_000)
    policy, limits = Policy.of(config), Limits.of(config)
    sandbox = sandbox_of(config)

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        started = time.monotonic()
        data = read_file(record.file_uri, max_bytes, limits)
        if photo_id_of(key, hashlib.sha256(data).digest(), record.frame) != record.photo_id:
            raise PhotoError(Reason.UNREADABLE, "changed since it was listed")
        stripped = strip_apart(sandbox, data, policy, record.frame)
        name = f"{record.photo_id}.{stripped.encoding.extension if stripped.final else 'png'}"
        (output.folder / name).write_bytes(stripped.data)
        record = record.with_(
            file=output.relative(name),
            format=stripped.encoding.format,
            encoding=stripped.encoding,
            final=stripped.final,
            width=stripped.width,
            height=stripped.height,
            removed=stripped.removed,
            kept=stripped.kept,
        )
        return record.timed(strip=time.monotonic() - started)

    return run_photo_stage(run, STAGE, previous, shard, work)
