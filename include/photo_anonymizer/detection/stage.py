"""Detect: faces in bands, doubt to a person, and photos held in which somebody shows without a face."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from photo_anonymizer import review
from photo_anonymizer.config import DetectionConfig, RunConfig
from photo_anonymizer.detection import DETECTORS
from photo_anonymizer.detection.persons import person_score
from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

STAGE = "detect_faces"


def detect_faces(run: RunFolder, shard: str, previous: str) -> list[PhotoRecord]:
    """Finds the faces of every photo of a shard."""
    config = run.config
    detector = _detector(config.detection, threads_each(config.workers))

    decisions = review.decisions(Vault.of(config))

    def work(record: PhotoRecord, _: StageOutput) -> PhotoRecord:
        return _detect(record, run.path, config, detector, decisions.get(record.photo_id, ()))

    records = run_photo_stage(run, STAGE, previous, shard, work)
    review.queue_doubtful(Vault.of(config), records, run.run_id)
    return records


@cache
def _detector(config: DetectionConfig, threads: int) -> Detector:
    """Models load once a process."""
    detector: Detector = DETECTORS.load("retinaface")(config, threads)
    return detector


def _detect(
    record: PhotoRecord, root: Path, config: RunConfig, detector: Detector, decided: Sequence[review.Decision]
) -> PhotoRecord:
    started = time.monotonic()
    rgb = load(root / record.file)
    decoded = time.monotonic()
    faces = to_faces(detector.detect(rgb), (rgb.shape[1], rgb.shape[0]), detector.name, config.detection)
    judged = review.apply(faces, decided)
    reviewed = bool(decided) and all(face.band == "accept" for face in judged)
    record = record.with_(faces=judged, reviewed=reviewed)
    record = _held_or_on(record, rgb, config.detection)
    return record.timed(decode=decoded - started, detect=time.monotonic() - decoded)


def to_faces(
    detections: list[Detection], size_wh: tuple[int, int], detector: str, config: DetectionConfig
) -> tuple[Face, ...]:
    """Detections as faces of the photo, surest first; what lies outside the photo altogether is dropped."""
    inside = [item for item in detections if item.box.cover(size_wh)]
    return tuple(
        Face(
            face_id=f"f{number:04d}",
            box=item.box,
            landmarks=item.landmarks,
            score=item.score,
            band="accept" if item.score >= config.accept_score else "doubt",
            detectors=(detector,),
        )
        for number, item in enumerate(inside)
    )


def _held_or_on(record: PhotoRecord, rgb: Pixels, config: DetectionConfig) -> PhotoRecord:
    if len(record.faces) > config.max_faces:
        return record.stopped(Reason.TOO_MANY_FACES, f"more than {config.max_faces}")
    doubtful = sum(face.band == "doubt" for face in record.faces)
    if doubtful and config.uncertain == "hold":
        return record.stopped(Reason.UNCERTAIN_FACE, f"{doubtful} to review")
    if not record.faces and config.person_without_face == "hold" and not person_score(rgb) < config.person_score:
        return record.stopped(Reason.PERSON_WITHOUT_FACE)
    return record
