"""What members and their consensus say of the photos, and the calibration fitted on that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from detection_figures.figures import FACE_IOU, Candidate, Found, is_face, judged
from detection_figures.labels import Labels, large
from detection_figures.looks import Look, read_photo
from photo_anonymizer.detection import calibration
from photo_anonymizer.detection.calibration import Calibration, Fitting, MemberCalibration
from photo_anonymizer.detection.consensus import MergedFace, merge
from photo_anonymizer.detection.find import SECOND_LOOK_FROM_PX
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.reliability import reliability
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.mesh.network import mesh_logit
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels

FOLDS = 5
CONSENSUS = "consensus"


class Photos:
    """The photos of a folder, decoded once, and what the face mesh says of places in them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pixels: dict[str, Pixels] = {}
        self._logits: dict[tuple[str, Box], float] = {}

    def rgb(self, name: str) -> Pixels:
        """The photo as the stages see it."""
        if name not in self._pixels:
            self._pixels[name] = read_photo(self._folder / name)
        return self._pixels[name]

    def mesh_logit(self, name: str, face: MergedFace) -> float:
        """See :mod:`photo_anonymizer.mesh.network`."""
        place = name, face.seen_by[0].box
        if place not in self._logits:
            self._logits[place] = mesh_logit(self.rgb(name), face.box, face.landmarks)
        return self._logits[place]


def candidates_of(member: str, look_: Look, known: Calibration) -> Found:
    """A member's detections, boxes and scores corrected."""
    fitted = known.of(member)
    return {
        photo: [Candidate(fitted.box.apply(item.box), fitted.score.probability(item.score)) for item in items]
        for photo, items in look_.found.items()
    }


def merged(looks: Mapping[str, Look], photos: Iterable[str], known: Calibration) -> dict[str, list[MergedFace]]:
    """Photo → its merged faces."""
    return {photo: merge({name: item.found[photo] for name, item in looks.items()}, known) for photo in photos}


def consensus_of(looks: Mapping[str, Look], names: Iterable[str], known: Calibration, photos: Photos) -> Found:
    """The merged faces as candidates, after the second look."""

    def judged_(photo: str, face: MergedFace) -> float:
        if face.box.height < SECOND_LOOK_FROM_PX:
            return face.score
        return known.second_look.probability(face.score, photos.mesh_logit(photo, face))

    return {
        photo: [Candidate(face.box, judged_(photo, face)) for face in faces]
        for photo, faces in merged(looks, names, known).items()
    }


# fitting


def fit(labels: Labels, looks: Mapping[str, Look], photos: Photos) -> Calibration:
    """The calibration of all members and their consensus on these photos, without the facts about it."""
    members = {name: _fit_member(labels, look_.found) for name, look_ in looks.items()}
    known = Calibration(members=members)
    faces = [(face, photo) for photo, group in merged(looks, labels, known).items() for face in group]
    consensus = calibration.fit_consensus(
        [[sighting.probability for sighting in face.seen_by] for face, _ in faces],
        len(looks),
        [is_face(face.box, labels[photo]) for face, photo in faces],
    )
    known = known.model_copy(update={"consensus": consensus})
    rated = [
        (face, photo)
        for photo, group in merged(looks, labels, known).items()
        for face in group
        if face.box.height >= SECOND_LOOK_FROM_PX
    ]
    second_look = calibration.fit_second_look(
        [(face.score, photos.mesh_logit(photo, face)) for face, photo in rated],
        [is_face(face.box, labels[photo]) for face, photo in rated],
    )
    return known.model_copy(update={"second_look": second_look})


def _fit_member(labels: Labels, found: Mapping[str, Sequence[Detection]]) -> MemberCalibration:
    box_map = calibration.fit_box(list(_pairs(labels, found)))
    rated = [
        (item.score, is_face(box_map.apply(item.box), faces))
        for photo, faces in labels.items()
        for item in found[photo]
    ]
    score_map = calibration.fit_score([score for score, _ in rated], [truth for _, truth in rated])
    return MemberCalibration(box=box_map, score=score_map, candidates=len(rated))


def _pairs(labels: Labels, found: Mapping[str, Sequence[Detection]]) -> Iterable[tuple[Box, Box]]:
    """(a member's box, the label it overlaps best) where both clearly mean the same face."""
    for photo, faces in labels.items():
        boxes = [label.box for label in faces if large(label)]
        for item in found[photo]:
            overlaps = [intersection_over_union(item.box, box) for box in boxes]
            if overlaps and max(overlaps) >= FACE_IOU:
                yield item.box, boxes[int(np.argmax(overlaps))]


def out_of_sample(labels: Labels, looks: Mapping[str, Look], photos: Photos) -> dict[str, Found]:
    """Member (and consensus) → candidates, each photo judged by a calibration that was fitted on other photos.

    :raises ConfigError: fewer photos than folds.
    """
    if len(labels) < FOLDS:
        raise ConfigError(f"fitting needs at least {FOLDS} photos")
    found: dict[str, Found] = {name: {} for name in [*looks, CONSENSUS]}
    for fold in range(FOLDS):
        test = [photo for place, photo in enumerate(labels) if place % FOLDS == fold]
        known = fit({photo: faces for photo, faces in labels.items() if photo not in test}, looks, photos)
        for name, look_ in looks.items():
            judged_ = candidates_of(name, look_, known)
            found[name].update({photo: judged_[photo] for photo in test})
        found[CONSENSUS].update(consensus_of(looks, test, known, photos))
    return found


def with_facts(
    fitted: Calibration, labels: Labels, found: Mapping[str, Found], effort: str, sha256: str
) -> Calibration:
    """The calibration with its reliability on photos that it did not see, and where it comes from."""
    tables = {name: reliability(*judged(labels, item)) for name, item in found.items()}
    members = {name: item.model_copy(update={"reliability": tables[name]}) for name, item in fitted.members.items()}
    facts = Fitting(
        photos=len(labels),
        faces=sum(label.asked for faces in labels.values() for label in faces),
        folds=FOLDS,
        effort=effort,
        labels_sha256=sha256,
    )
    return fitted.model_copy(update={"members": members, "reliability": tables[CONSENSUS], "fitted": facts})
