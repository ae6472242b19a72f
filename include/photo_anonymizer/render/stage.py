"""Render: one decode, one composition, one encode a photo."""

from __future__ import annotations

import time
from collections.abc import Sequence

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import decode, encode, profile_in
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.patch import Patch, compose, load_patches
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput

STAGE = "render"


def render(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes the picture that would be published for every photo of a shard."""

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        patches = [patch for path in record.patches for patch in load_patches(run.path / path)]
        original = (run.path / record.file).read_bytes()
        started = time.monotonic()
        data, decoded, composed = render_photo(original, patches, record)
        name = f"{record.photo_id}.{encoding_of(record).extension}"
        (output.folder / name).write_bytes(data)
        record = record.with_(file=output.relative(name))
        return record.timed(decode=decoded - started, change=composed - decoded, encode=time.monotonic() - composed)

    return run_photo_stage(run, STAGE, previous, shard, work)


def encoding_of(record: PhotoRecord) -> Encoding:
    """How the photo is published.

    :raises PhotoError: STAGE_ERROR: it was never stripped.
    """
    if record.encoding is None:
        raise PhotoError(Reason.STAGE_ERROR, "not stripped yet; strip comes before render")
    return record.encoding


def render_photo(original: bytes, patches: Sequence[Patch], record: PhotoRecord) -> tuple[bytes, float, float]:
    """The published file of a photo, and when (monotonic seconds) decoding and composing had ended.

    A photo without patches is its stripped original: byte for byte where that is final, else encoded now. Either
    way its pixels are encoded lossily once at most.

    :param original: the stripped original.
    :param record: says how the photo is published (``encoding``, ``final``).
    """
    encoding = encoding_of(record)
    if record.final and not patches:
        now = time.monotonic()
        return original, now, now
    rgb = decode(original)
    decoded = time.monotonic()
    changed = compose(rgb, patches) if patches else rgb
    composed = time.monotonic()
    profile = profile_in(original) if encoding.profile else b""
    return encode(changed, encoding, profile), decoded, composed
