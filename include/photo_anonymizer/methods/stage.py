"""Anonymize: a patch for every face of every photo."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from functools import cache

import numpy as np

from photo_anonymizer.config import MethodName
from photo_anonymizer.imagefile import decode, sha256_of
from photo_anonymizer.methods import METHODS
from photo_anonymizer.methods.ladder import Step, ladder
from photo_anonymizer.methods.protocol import CannotPaintError, Method
from photo_anonymizer.methods.region import region_of
from photo_anonymizer.methods.subject import OfferedDonors, Subject
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import FACE_LAYER, Patch, save_patches
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.vault import Vault

STAGE = "anonymize"


Offer = Callable[[str, str], OfferedDonors | None]
"""(photo_id, face_id) → the donors that the run offers to that face."""


def nobody(photo_id: str, face_id: str) -> None:
    """An :data:`Offer` of nothing."""


def anonymize(
    run: RunFolder, shard: str, previous: str, method: MethodName, offer: Offer = nobody
) -> list[PhotoRecord]:
    """Writes a patch for every face of a shard that is not kept, with the run's method. Faces are not told apart by
    their score: a doubtful one is anonymized like any other."""
    config = run.config
    step = ladder(config, method)[0]
    key = Vault.of(config).key()

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        if not record.anonymized_faces:
            return record.with_(method=method)
        started = time.monotonic()
        original = (run.path / record.file).read_bytes()
        rgb = decode(original)
        decoded = time.monotonic()
        picture = sha256_of(original)
        patches = [
            patch_of(
                rgb,
                face,
                step,
                config.region.feather,
                noise_source(key, picture, face.face_id, step),
                offer(record.photo_id, face.face_id),
            )
            for face in reversed(record.anonymized_faces)
        ]
        name = f"{record.photo_id}.npz"
        save_patches(output.folder / name, [patch for patch in patches if patch])
        record = record.with_(method=method, patches=(*record.patches, output.relative(name)))
        return record.timed(decode=decoded - started, change=time.monotonic() - decoded)

    return run_photo_stage(run, STAGE, previous, shard, work)


def patch_of(
    rgb: Pixels,
    face: Face,
    step: Step,
    feather: float,
    rng: np.random.Generator,
    donors: OfferedDonors | None = None,
) -> Patch | None:
    """The edit that replaces one face; None when the face lies outside the photo.

    Where the step's method cannot do this face, the step that it names instead does, and the edit says so.

    :param rgb: uint8 (H, W, 3), the untouched photo.
    """
    size_wh = rgb.shape[1], rgb.shape[0]
    why: dict[str, str] = {}
    while True:
        region = region_of(face, size_wh, scale=step.scale, feather=feather, shape=step.shape, hair=step.hair)
        if region is None:
            return None
        try:
            painted = _method(step.method).paint(Subject(rgb, face, region, donors), step.parameters, rng)
        except CannotPaintError as error:
            if step.otherwise is None:
                raise
            why = {"instead_of": step.method, "because": str(error)}
            step = step.otherwise
            continue
        author, about = f"methods.{step.method}", {**step.about(), **painted.about, **why}
        return Patch(region.box, painted.pixels, painted.alpha, FACE_LAYER, author, about, face.face_id)


def noise_source(key: bytes, picture_sha256: str, face_id: str, step: Step) -> np.random.Generator:
    """Chance for one face on one rung: anew for every face and every setting, the same when a task is run again, and
    not to be repeated without the vault's key.

    Drawn from the picture, not from the file: copies that differ in their metadata only get the same noise, which
    therefore cannot be averaged away; and settings do not share it, so it cannot be subtracted.

    :param picture_sha256: of the stripped original.
    """
    message = f"noise/{picture_sha256}/{face_id}/{step.method}/{json.dumps(step.about(), sort_keys=True)}".encode()
    return np.random.default_rng(int.from_bytes(hmac.new(key, message, hashlib.sha256).digest(), "big"))


@cache
def _method(name: str) -> Method:
    method: Method = METHODS.load(name)()
    return method
