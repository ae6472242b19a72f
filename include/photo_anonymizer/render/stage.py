"""Render: one decode, one composition, and one encoding at most a photo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import decode, encode, profile_in
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.outside import UNCHANGED, Change, change_outside
from photo_anonymizer.model.patch import Patch, compose, load_patches
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.render import jpeg_blocks
from photo_anonymizer.runfolder import RunFolder, StageOutput

STAGE = "render"


@dataclass(frozen=True)
class Rendered:
    """A photo as it would be published."""

    data: bytes
    """The file."""
    outside: Change
    """From the stripped original, where nothing was edited."""
    decoded: float
    """When decoding had ended, monotonic seconds."""
    composed: float
    """When composing had."""


def render(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes the picture that would be published for every photo of a shard."""

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        patches = [patch for path in record.patches for patch in load_patches(run.path / path)]
        original = (run.path / record.file).read_bytes()
        started = time.monotonic()
        made = render_photo(original, patches, record)
        name = f"{record.photo_id}.{encoding_of(record).extension}"
        (output.folder / name).write_bytes(made.data)
        record = record.with_(file=output.relative(name), outside=made.outside)
        return record.timed(
            decode=made.decoded - started,
            change=made.composed - made.decoded,
            encode=time.monotonic() - made.composed,
        )

    return run_photo_stage(run, STAGE, previous, shard, work)


def encoding_of(record: PhotoRecord) -> Encoding:
    """How the photo is published.

    :raises PhotoError: STAGE_ERROR: it was never stripped.
    """
    if record.encoding is None:
        raise PhotoError(Reason.STAGE_ERROR, "not stripped yet; strip comes before render")
    return record.encoding


def render_photo(original: bytes, patches: Sequence[Patch], record: PhotoRecord) -> Rendered:
    """The published file of a photo.

    A photo without patches is its stripped original: byte for byte where that is final, else encoded now. Of a JPEG
    with patches only the blocks that they touch are computed anew, where that is possible. Everything else is encoded
    as a whole, so that its pixels are encoded lossily once at most; what that changes beside the patches is measured.

    :param original: the stripped original.
    :param record: says how the photo is published (``encoding``, ``final``).
    """
    encoding = encoding_of(record)
    if record.final and not patches:
        now = time.monotonic()
        return Rendered(original, UNCHANGED, now, now)
    rgb = decode(original)
    decoded = time.monotonic()
    if patches:
        rgb = compose(rgb, patches)
    composed = time.monotonic()
    if record.final and patches and encoding.format == "jpeg":
        data = jpeg_blocks.with_edits(original, rgb, patches)
        if data is not None:
            return Rendered(data, UNCHANGED, decoded, composed)
    data = encode(rgb, encoding, profile_in(original) if encoding.profile else b"")
    outside = UNCHANGED if encoding.is_lossless else change_outside(rgb, decode(data), patches, lossless=False)
    return Rendered(data, outside, decoded, composed)
