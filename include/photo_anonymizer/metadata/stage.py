"""Strip: a clean, upright, sRGB copy of every photo, from which everything later is made."""

from __future__ import annotations

import hashlib
import time

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.sources import read_file
from photo_anonymizer.vault import Vault, photo_id_of

STAGE = "strip_metadata"
EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp", "tiff": "tiff"}


def strip_metadata(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes the stripped original of every photo of a shard."""
    config = run.config
    key = Vault.of(config).key()
    max_bytes = int(config.ingest.max_file_mb * 1_000_000)
    max_pixels = int(config.ingest.max_megapixels * 1_000_000)

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        started = time.monotonic()
        data = read_file(record.source_uri, max_bytes)
        if photo_id_of(key, hashlib.sha256(data).digest()) != record.photo_id:
            raise PhotoError(Reason.UNREADABLE, "changed since it was listed")
        stripped = strip(data, max_pixels=max_pixels)
        name = f"{record.photo_id}.{EXTENSIONS[stripped.format]}"
        (output.folder / name).write_bytes(stripped.data)
        record = record.with_(
            file=output.relative(name),
            format=stripped.format,
            width=stripped.width,
            height=stripped.height,
            removed=stripped.removed,
        )
        return record.timed(strip=time.monotonic() - started)

    return run_photo_stage(run, STAGE, previous, shard, work)
