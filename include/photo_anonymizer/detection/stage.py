"""Detect: faces in bands, doubt to a person, and photos held in which somebody shows without a face."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from photo_anonymizer import review
from photo_anonymizer.config import DetectionConfig, RunConfig
from photo_anonymizer.detection import DETECTORS, RUNTIMES, USERS_OWN
from photo_anonymizer.detection.consensus import SAME_FACE_IOU
from photo_anonymizer.detection.find import GLANCE, find_faces
from photo_anonymizer.detection.members.given_boxes import NAME as GIVEN
from photo_anonymizer.detection.members.given_boxes import GivenBoxes, read_given
from photo_anonymizer.detection.persons import persons
from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.face import Face, estimated_landmarks
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder, StageOutput
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

STAGE = "detect_faces"
RAW_FLOOR = 0.05
"""Score from which a detector's findings count: the lowest that the calibration has seen."""
Keep = Callable[[PhotoRecord, Pixels, Sequence[Face]], tuple[Face, ...]]
"""Says which faces of a photo stay as they are (``Face.kept``): (photo, rgb, faces after review) → the same faces."""


def keep_none(record: PhotoRecord, rgb: Pixels, faces: Sequence[Face]) -> tuple[Face, ...]:  # noqa: ARG001
    """Every face is anonymized."""
    return tuple(faces)


def detect_faces(run: RunFolder, shard: str, previous: str, keep: Keep = keep_none) -> list[PhotoRecord]:
    """Finds the faces of every photo of a shard, and says which of them stay as they are."""
    config = run.config
    members_of(config.detection, threads_each(config.workers))  # models load before the first photo
    decisions = review.decisions(Vault.of(config))

    def work(record: PhotoRecord, _: StageOutput) -> PhotoRecord:
        return _detect(record, run.path, config, decisions.get(record.photo_id, ()), keep)

    records = run_photo_stage(run, STAGE, previous, shard, work)
    review.queue_doubtful(Vault.of(config), records, run.run_id, lambda record: load(run.path / record.file))
    return records


def check_detectors(config: DetectionConfig) -> None:
    """Can every detector and every file of boxes that the configuration names be loaded?

    :raises ConfigError: an unknown name, or a package is missing.
    :raises ModelError: a model is missing or altered.
    """
    for name in config.detector_names:
        member = DETECTORS.load(name)
        module, package = RUNTIMES[name]
        if find_spec(module) is None:
            raise ConfigError(f"the detector {name!r} needs the package {package} (pip install -r requirements.txt)")
        # The registered weights are verified with all others; of a user's own network only trying it tells.
        if name in USERS_OWN:
            member(config, 1)
    _given(config.given_boxes)


@cache
def _given(path: str | None) -> GivenBoxes:
    return read_given(Path(path).expanduser()) if path else GivenBoxes({})


@cache
def members_of(config: DetectionConfig, threads: int) -> tuple[tuple[Detector, ...], tuple[Detector, ...]]:
    """The configured members, and the same with little effort for a glance. Models load once a process."""

    def loaded(effort: str) -> tuple[Detector, ...]:
        asked = config.model_copy(update={"doubt_score": RAW_FLOOR, "effort": effort})
        return tuple(DETECTORS.load(name)(asked, threads) for name in config.detector_names)

    return loaded(config.effort), loaded(GLANCE)


def _detect(
    record: PhotoRecord,
    root: Path,
    config: RunConfig,
    decided: Sequence[review.Decision],
    keep: Keep,
) -> PhotoRecord:
    started = time.monotonic()
    rgb = load(root / record.file)
    decoded = time.monotonic()
    given = _given(config.detection.given_boxes).of(record, (rgb.shape[1], rgb.shape[0]))
    faces = with_given(faces_of(rgb, config), given)
    judged = review.apply(faces, decided)
    reviewed = bool(decided) and all(face.band == "accept" for face in judged)
    record = record.with_(faces=keep(record, rgb, judged), reviewed=reviewed)
    record = _held_or_on(record, rgb, config.detection)
    return record.timed(decode=decoded - started, detect=time.monotonic() - decoded)


def faces_of(rgb: Pixels, config: RunConfig) -> tuple[Face, ...]:
    """The faces that the run's detectors find in a picture."""
    detectors, glancers = members_of(config.detection, threads_each(config.workers))
    return find_faces(rgb, detectors, config.detection, glancers)


def with_given(faces: Sequence[Face], given: Sequence[Detection]) -> tuple[Face, ...]:
    """The faces with those that somebody marked: a marked face is beyond doubt, whoever else saw it."""
    sure = list(faces)
    for item in given:
        same = next((at for at, face in enumerate(sure) if _same(face.box, item.box)), None)
        if same is None:
            marks = item.landmarks or estimated_landmarks(item.box)
            face_id = f"f{len(sure):04d}"
            sure.append(
                Face(face_id=face_id, box=item.box, landmarks=marks, score=1, band="accept", detectors=(GIVEN,))
            )
        else:
            seen = sure[same]
            sure[same] = seen.beyond_doubt().model_copy(update={"detectors": (*seen.detectors, GIVEN)})
    return tuple(sure)


def _same(found: Box, marked: Box) -> bool:
    """Does the found box cover the marked one, so that changing it changes what was marked?"""
    return intersection_over_union(found, marked) >= SAME_FACE_IOU


def _is_seen(face: Face) -> bool:
    """Does the face say where somebody's head is? Not a doubtful one that the face mesh denies: whoever is there may
    have another face that was not found."""
    return face.band == "accept" or face.mesh_logit is None or face.mesh_logit > 0


def _held_or_on(record: PhotoRecord, rgb: Pixels, config: DetectionConfig) -> PhotoRecord:
    if len(record.faces) > config.max_faces:
        return record.stopped(Reason.TOO_MANY_FACES, f"more than {config.max_faces}")
    doubtful = sum(face.band == "doubt" and not face.too_small_to_recognise for face in record.faces)
    if doubtful and config.uncertain == "hold":
        return record.stopped(Reason.UNCERTAIN_FACE, f"{doubtful} to review")
    if config.person_without_face == "hold":
        found = persons(rgb, [face.box for face in record.faces if _is_seen(face)])
        if hidden := sum(not person.score < config.person_score for person in found):
            return record.stopped(Reason.PERSON_WITHOUT_FACE, f"{hidden} without a face")
    return record
