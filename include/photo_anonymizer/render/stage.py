"""Render: one decode, one composition, one encode a photo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from photo_anonymizer.imagefile import decode, encode
from photo_anonymizer.model.patch import Patch, compose, load_patches
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput

STAGE = "render"


def render(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes the picture that would be published for every photo of a shard."""

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        name = Path(record.file).name
        patches = [patch for path in record.patches for patch in load_patches(run.path / path)]
        original = (run.path / record.file).read_bytes()
        started = time.monotonic()
        data, decoded, composed = render_photo(original, patches, record.format)
        (output.folder / name).write_bytes(data)
        record = record.with_(file=output.relative(name))
        return record.timed(decode=decoded - started, change=composed - decoded, encode=time.monotonic() - composed)

    return run_photo_stage(run, STAGE, previous, shard, work)


def render_photo(original: bytes, patches: Sequence[Patch], picture_format: str) -> tuple[bytes, float, float]:
    """The published file of a photo, and when (monotonic seconds) decoding and composing had ended.

    A photo without patches is its stripped original, byte for byte.

    :param original: the stripped original.
    """
    if not patches:
        now = time.monotonic()
        return original, now, now
    rgb, alpha = decode(original)
    decoded = time.monotonic()
    changed = compose(rgb, patches)
    composed = time.monotonic()
    return encode(changed, alpha, original, picture_format), decoded, composed
