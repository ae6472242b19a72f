"""Strip: a clean, upright, sRGB copy of every photo, from which everything later is made."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.worker import sandbox_of, strip_apart
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.sources import Limits, read_file
from photo_anonymizer.vault import Vault, photo_id_of

STAGE = "strip_metadata"


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    digest: bytes
    """SHA-256."""


@dataclass(slots=True)
class _Shared:
    """A file that several photos of the shard are frames of."""

    wanted: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    file: _File | None = None


class _Files:
    """The files of a shard. One with many frames is read once for all of them, and let go with the last.

    Frames are neighbours in a shard, so that there are rarely more files in memory than there are threads.
    """

    def __init__(self, records: Iterable[PhotoRecord], read: Callable[[str], bytes]) -> None:
        self._read_bytes = read
        photos = Counter(record.file_uri for record in records if record.pending)
        self._shared = {uri: _Shared(count) for uri, count in photos.items() if count > 1}

    @contextmanager
    def of(self, record: PhotoRecord) -> Iterator[_File]:
        """The file that a photo is in. To be asked for once a photo.

        :raises PhotoError, OSError: as :func:`photo_anonymizer.sources.read_file`.
        """
        shared = self._shared.get(record.file_uri)
        if shared is None:
            yield self._read(record.file_uri)
            return
        try:
            with shared.lock:  # held while the file is read: the other frames would only read it as well
                if shared.file is None:
                    shared.file = self._read(record.file_uri)
                file = shared.file
            yield file
        finally:
            with shared.lock:
                shared.wanted -= 1
                if not shared.wanted:
                    shared.file = None

    def _read(self, uri: str) -> _File:
        data = self._read_bytes(uri)
        return _File(data, hashlib.sha256(data).digest())


def strip_metadata(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes the stripped original of every photo of a shard.

    Photos are decoded in processes of their own: one that hangs, crashes or eats memory is rejected, the others go on.
    """
    config = run.config
    key = Vault.of(config).key()
    max_bytes = int(config.ingest.max_file_mb * 1_000_000)
    policy, limits = Policy.of(config), Limits.of(config)
    sandbox = sandbox_of(config)
    files = _Files(run.iter_records(previous, shard), lambda uri: read_file(uri, max_bytes, limits))

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        started = time.monotonic()
        with files.of(record) as file:
            if photo_id_of(key, file.digest, record.frame) != record.photo_id:
                raise PhotoError(Reason.UNREADABLE, "changed since it was listed")
            stripped = strip_apart(sandbox, file.data, policy, record.frame)
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
