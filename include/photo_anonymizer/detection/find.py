"""From what the members see to the faces of a photo: all ways of holding it, consensus, second look, bands."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.calibration import Calibration, shipped
from photo_anonymizer.detection.consensus import SAME_FACE_IOU, MergedFace, merge
from photo_anonymizer.detection.doubt import band_of, doubts_about
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.members._scaled import best
from photo_anonymizer.detection.mixed import without_mixed
from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.detection.turned import QUARTERS, turned, turned_back
from photo_anonymizer.mesh.network import look, mesh_logit
from photo_anonymizer.model.face import Face, Landmarks, estimated_landmarks
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels

Found = Mapping[str, Sequence[Detection]]
"""Member → what it found."""
MeshLogit = Callable[[Box, Landmarks | None], float]
"""What the face mesh says of a place in the photo, asked once for each."""
GLANCE = "fast"
"""Effort with which the other ways of holding a photo are glanced at."""
LIKELY = 0.5
"""Probability from which a finding speaks for a way of holding the photo."""
MOSTLY_SURE = 2 / 3
"""Share of the findings that are beyond doubt in photos held the right way. Of street scenes held the wrong way three
to four of five show less, and so do half of those held the right way, which costs them three glances."""
SEVERAL = 3
"""So many sure faces tell which way is up. One or two are found in crowds that stand on their head, too, where only the
face mesh knows better."""
LIES_RAD = math.radians(50)
"""Roll beyond which a face lies on its side, as all do in a photo held the wrong way."""
SECOND_LOOK_FROM_PX = 32
"""Height from which the face mesh has something to say: of smaller sure faces it fails to confirm too many."""
REFUTED_FROM_PX = 96
"""Height from which the face mesh's denial is believed against findings that are in doubt anyway."""


def find_faces(
    rgb: Pixels, detectors: Sequence[Detector], config: DetectionConfig, glancers: Sequence[Detector] = ()
) -> tuple[Face, ...]:
    """The faces that the members see together, at or above the lower threshold, surest first.

    :param rgb: uint8 (H, W, 3).
    :param glancers: the same members with little effort; without them the photo is only looked at as it is.
    """
    size_wh, known = (rgb.shape[1], rgb.shape[0]), shipped(config.effort)
    asked: MeshLogit = cache(partial(mesh_logit, rgb))
    merged = merge(_in_all_ways(rgb, detectors, config, glancers, asked), known)
    possible = [face for face in merged if known.second_look.probability(face.score, math.inf) >= config.doubt_score]
    judged = [_looked_at_again(face, known, asked) for face in possible]
    chosen = [
        face
        for face in judged
        if face.score >= config.doubt_score and face.box.cover(size_wh) and not _refuted(face, config)
    ]
    chosen = without_mixed(chosen, partial(look, rgb), config.accept_score)
    chosen.sort(key=lambda face: -face.score)
    ran = tuple(detector.name for detector in detectors)
    return tuple(_face(number, face, ran, config) for number, face in enumerate(chosen))


def _in_all_ways(
    rgb: Pixels,
    detectors: Sequence[Detector],
    config: DetectionConfig,
    glancers: Sequence[Detector],
    asked: MeshLogit,
) -> Found:
    """What the members find in the photo as it is and, where that promises something, turned."""
    found = {detector.name: detector.detect(rgb) for detector in detectors}
    if not glancers:
        return found
    upright = merge(found, shipped(config.effort))
    if _wants_turning(upright, config, asked):
        for quarters, lowest in _promising(rgb, upright, glancers, config):
            other = turned(rgb, quarters)
            for detector in detectors:
                there = _in_way(detector, other, quarters, lowest, config)
                found[detector.name] = best([*found[detector.name], *there])
    return found


def _in_way(
    detector: Detector, other: Pixels, quarters: int, lowest: float, config: DetectionConfig
) -> list[Detection]:
    """What a member finds in the turned photo, from that probability on, where it is in the photo as it is."""
    size_wh = (other.shape[1], other.shape[0]) if quarters == 2 else (other.shape[0], other.shape[1])
    known = shipped(config.effort).of(detector.name).score
    sure = [item for item in detector.detect(other) if known.probability(item.score) >= lowest]
    return [turned_back(item, quarters, size_wh) for item in sure]


def _wants_turning(upright: Sequence[MergedFace], config: DetectionConfig, asked: MeshLogit) -> bool:
    when = effort_of(config).turned
    if when == "always":
        return True
    scores = [face.score for face in upright if face.score >= config.doubt_score]
    if when == "when nothing" or not scores:
        return not scores
    sure = [face for face in upright if face.score >= config.accept_score]
    if len(sure) < MOSTLY_SURE * len(scores) or any(_lies(face) for face in sure):
        return True
    return len(sure) < SEVERAL and not any(_is_upright(face, asked) for face in sure)


def _is_upright(face: MergedFace, asked: MeshLogit) -> bool:
    """Is the face large enough for the face mesh, and does that find it as it was found?"""
    return face.box.height >= SECOND_LOOK_FROM_PX and asked(face.box, face.landmarks) > 0


def _lies(face: MergedFace) -> bool:
    return face.landmarks is not None and abs(face.landmarks.roll_rad) > LIES_RAD


def _promising(
    rgb: Pixels, upright: Sequence[MergedFace], glancers: Sequence[Detector], config: DetectionConfig
) -> list[tuple[int, float]]:
    """The quarter turns in which a glance shows more faces than one upright, or a sure one that is not known yet; each
    with the probability from which its findings count: where upright shows more, only what is beyond doubt. All of them
    where neither upright nor a glance shows anybody surely."""
    known = [face for face in upright if face.score >= config.doubt_score]
    glances = {quarters: _glance(rgb, quarters, glancers) for quarters in QUARTERS}
    somebody_is_sure = any(face.score >= config.accept_score for seen in (known, *glances.values()) for face in seen)
    if not somebody_is_sure and config.effort != GLANCE:
        # Nobody, or faces that are too small for a glance: no way of holding the photo is better than another.
        return [(quarters, 0.0) for quarters in QUARTERS]

    @cache
    def as_it_is() -> float:
        # Like is compared with like: what was seen upright was looked for harder, and wins where it should not.
        return _evidence(_glance(rgb, 0, glancers)) if _evidence(upright) else 0.0

    promising = []
    for quarters, seen in glances.items():
        evidence = _evidence(seen)
        if evidence and (evidence > _evidence(upright) or evidence > as_it_is()):
            promising.append((quarters, 0.0))
        elif any(face.score >= config.accept_score and not _among(face, known) for face in seen):
            promising.append((quarters, config.accept_score))
    return promising


def _glance(rgb: Pixels, quarters: int, glancers: Sequence[Detector]) -> list[MergedFace]:
    """What a glance at the turned photo shows, in the pixels of the photo as it is."""
    size_wh, other = (rgb.shape[1], rgb.shape[0]), turned(rgb, quarters)
    found = {one.name: [turned_back(item, quarters, size_wh) for item in one.detect(other)] for one in glancers}
    return merge(found, shipped(GLANCE))


def _evidence(seen: Sequence[MergedFace]) -> float:
    return sum(face.score for face in seen if face.score >= LIKELY)


def _among(face: MergedFace, known: Sequence[MergedFace]) -> bool:
    return any(intersection_over_union(face.box, other.box) >= SAME_FACE_IOU for other in known)


def _looked_at_again(face: MergedFace, known: Calibration, asked: MeshLogit) -> MergedFace:
    """The face with the probability that it has after the face mesh has looked too."""
    if face.box.height < SECOND_LOOK_FROM_PX:
        return face
    logit = asked(face.box, face.landmarks)
    score = known.second_look.probability(face.score, logit)
    return replace(face, score=score, mesh_logit=logit, score_before_mesh=face.score)


def _refuted(face: MergedFace, config: DetectionConfig) -> bool:
    """Is this something large that the members doubt and the face mesh denies? Cloth, walls and dogs are; the mesh
    denied none of 135 large faces in portraits and scenes. Where somebody shows behind it, the photo is held for it."""
    denied = face.mesh_logit is not None and face.mesh_logit < 0
    return denied and face.box.height >= REFUTED_FROM_PX and face.score < config.accept_score


def _face(number: int, seen: MergedFace, ran: Sequence[str], config: DetectionConfig) -> Face:
    doubts = doubts_about(seen, ran, config)
    return Face(
        face_id=f"f{number:04d}",
        box=seen.box,
        landmarks=seen.landmarks or estimated_landmarks(seen.box),
        score=seen.score,
        band=band_of(doubts),
        detectors=tuple(seen.detectors),
        doubts=doubts,
        scores={**dict.fromkeys(ran, 0.0), **{one.detector: one.probability for one in seen.seen_by}},
        mesh_logit=seen.mesh_logit,
    )
