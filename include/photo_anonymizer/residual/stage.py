"""Remove residual cues: patches for what still identifies somebody beside the face. Photos are not touched."""

from __future__ import annotations

import time

from photo_anonymizer.config import RunConfig
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import Patch, save_patches
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.residual import CUES
from photo_anonymizer.residual.protocol import ResidualCue
from photo_anonymizer.runfolder import RunFolder, StageOutput

STAGE = "remove_residual_cues"


def remove_residual_cues(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Writes patches for the residual cues of a shard; where the configuration has it off, photos only pass.

    Every face of at least ``residual.min_face_px`` that is not kept is looked at, however many there are.
    """
    config = run.config
    cues = cues_of(config)

    def work(record: PhotoRecord, output: StageOutput) -> PhotoRecord:
        wanted = [face for face in record.anonymized_faces if face.box.height >= config.residual.min_face_px]
        if not cues or not wanted:
            return record
        started = time.monotonic()
        rgb = load(run.path / record.file)
        decoded = time.monotonic()
        patches = cue_patches(rgb, wanted, record.faces, cues)
        if patches:
            name = f"{record.photo_id}.npz"
            save_patches(output.folder / name, patches)
            record = record.with_(patches=(*record.patches, output.relative(name)))
        return record.timed(decode=decoded - started, cues=time.monotonic() - decoded)

    return run_photo_stage(run, STAGE, previous, shard, work)


def cues_of(config: RunConfig) -> list[ResidualCue]:
    """The cues that this run removes: all or none."""
    if not config.residual_enabled:
        return []
    return [CUES.load(name)(config.residual.strength) for name in CUES]


def cue_patches(rgb: Pixels, wanted: list[Face], faces: tuple[Face, ...], cues: list[ResidualCue]) -> list[Patch]:
    """The edits of all cues for the wanted faces of one photo, least sure face first, like the faces' own.

    :param faces: all faces of the photo.
    """
    return [patch for cue in cues for face in reversed(wanted) for patch in cue.patches(rgb, face, faces)]
