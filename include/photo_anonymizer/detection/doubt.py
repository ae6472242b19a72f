"""What speaks against a face that was found, and whether that is enough for a person to look at it.

A doubtful face is anonymized like any other; doubt only decides who hears of it. The first three reasons make a face
doubtful, each by itself:

``score_between_thresholds``
    The probability is below ``detection.accept_score``.
``second_look_disagrees``
    The detectors and the face mesh are of different minds: it denies (logit below 0) what they are sure of (at or above
    ``accept_score``), or takes for a face (logit above 0) what they rather do not (below even odds).
``detectors_disagree``
    Several detectors looked at a face that all of them can see (from :data:`ALL_SEE_FROM_PX` or the smallest face of
    the effort on), some count it as a finding (at or above ``detection.doubt_score``) and some do not.

The last two count only where nobody is very sure (:data:`VERY_SURE`): not the probability in the end and, between
detectors, not one of them by itself. So no face becomes doubtful because a detector of frontal faces cannot see it.

``below_recognisable_size``
    The box is lower than ``detection.min_recognisable_px``. That makes no face doubtful; of a doubtful one it says that
    little depends on it: it is the last to be reviewed and holds no photo.

How small is too small? 10 px is the height of the smallest faces by which people were shown to recognise somebody: more
than half of faces that they know well, at 7 × 10 px (Sinha et al. 2006, Proc. IEEE 94:1948, result 1). Strangers and
machines need more; ``docs/detection.md`` says how much.
"""

from __future__ import annotations

from collections.abc import Sequence

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.consensus import MergedFace
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.model.face import Band, Doubt

VERY_SURE = 0.95
"""Probability from which a disagreement does not matter: nineteen of twenty such findings are faces."""
EVEN = 0.5
ALL_SEE_FROM_PX = 80
"""Height from which every detector sees a face as it lies in the photo; dlib's window is the largest."""
DOUBTING = frozenset({Doubt.SCORE_BETWEEN_THRESHOLDS, Doubt.SECOND_LOOK_DISAGREES, Doubt.DETECTORS_DISAGREE})
"""Reasons that make a face doubtful."""


def doubts_about(face: MergedFace, ran: Sequence[str], config: DetectionConfig) -> tuple[Doubt, ...]:
    """Everything that is to be said against a face, in the order of :class:`Doubt`.

    :param ran: names of the detectors that looked, those that did not see it included.
    """
    found = {
        Doubt.SCORE_BETWEEN_THRESHOLDS: face.score < config.accept_score,
        Doubt.SECOND_LOOK_DISAGREES: second_look_disagrees(face, config.accept_score),
        Doubt.DETECTORS_DISAGREE: detectors_disagree(face, ran, config),
        Doubt.BELOW_RECOGNISABLE_SIZE: face.box.height < config.min_recognisable_px,
    }
    return tuple(doubt for doubt, holds in found.items() if holds)


def band_of(doubts: Sequence[Doubt]) -> Band:
    """Does a person have to look at a face with these doubts?"""
    return "doubt" if DOUBTING.intersection(doubts) else "accept"


def second_look_disagrees(face: MergedFace, accept_score: float) -> bool:
    """Are the detectors and the face mesh of different minds, and is nobody very sure in the end?"""
    before, logit = face.score_before_mesh, face.mesh_logit
    if before is None or logit is None or face.score >= VERY_SURE:
        return False
    return (before >= accept_score and logit < 0) or (before < EVEN and logit > 0)


def detectors_disagree(face: MergedFace, ran: Sequence[str], config: DetectionConfig) -> bool:
    """Do some detectors count a face as a finding that others could see and do not, and is nobody very sure?"""
    surest = max(face.score, *(sighting.probability for sighting in face.seen_by))
    if surest >= VERY_SURE or face.box.height < max(ALL_SEE_FROM_PX, effort_of(config).smallest_face_px):
        return False
    finding = {sighting.detector for sighting in face.seen_by if sighting.probability >= config.doubt_score}
    return bool(finding) and bool(set(ran) - finding)
