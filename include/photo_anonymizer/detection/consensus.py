"""Several detectors look at a photo; this is what they saw together.

After weighted boxes fusion (Solovyev et al. 2021, DOI 10.1016/j.imavis.2021.104117): boxes that mean the same face
become one box, the mean of theirs weighted by how sure they are, instead of the best one alone. It differs where that
loses faces or certainty:

- boxes are brought into one convention and scores to probabilities first; both are in each member's own units before;
- a box is compared with the surest box of a group, not with the group's moving mean, so that a row of faces cannot
  drift into one, and every box overlaps the face it was merged into;
- a member speaks once a face: two boxes of one member are two faces, however close together;
- the score is not the mean times the share of members (which makes a face that only one can see look false, and whose
  scale changes with every member added) but a fitted probability. Agreement counts as far as labels show that it tells
  faces from false alarms; between members that err alike it does not.

Nothing is dropped here: what is too doubtful is decided by the bands of the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.detection import calibration as calibrations
from photo_anonymizer.detection.calibration import Calibration
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box

SAME_FACE_IOU = 0.4
"""Overlap from which two members mean one face. Also keeps apart a face and one in it of less than 0.4 its area."""


@dataclass(frozen=True)
class Sighting:
    """What one member saw of a face."""

    detector: str
    box: Box
    """In the labels' convention, photo pixels."""
    landmarks: Landmarks | None
    score: float
    """As the member gave it, 0 to 1."""
    probability: float
    """The same, calibrated, 0 to 1."""


@dataclass(frozen=True)
class MergedFace:
    """A face that at least one member saw; ``score`` is the probability, 0 to 1, that it is one."""

    box: Box
    landmarks: Landmarks | None
    score: float
    seen_by: tuple[Sighting, ...]
    """Surest first; one a member."""
    mesh_logit: float | None = None
    """What the face mesh says (:mod:`.second_look`); ``None``: it was not asked."""
    score_before_mesh: float | None = None
    """``score`` as it was before the face mesh was asked."""

    @property
    def detectors(self) -> tuple[str, ...]:
        """Names of the members that saw it, surest first."""
        return tuple(sighting.detector for sighting in self.seen_by)


def merge(found: Mapping[str, Sequence[Detection]], calibration: Calibration | None = None) -> list[MergedFace]:
    """The faces that the members saw, each once, surest first; the order of the members does not matter.

    :param found: member → what it found; members that looked and found nothing belong in here too.
    :param calibration: without one, that of the effort ``balanced``.
    :raises ModelError: that one cannot be read.
    """
    known = calibrations.shipped("balanced") if calibration is None else calibration
    sightings = [_sighting(name, item, known) for name, items in found.items() for item in items]
    faces = [_merged(group, len(found), known) for group in _groups(sorted(sightings, key=_rank))]
    return sorted(faces, key=lambda face: (-face.score, _rank(face.seen_by[0])))


def _sighting(name: str, item: Detection, known: Calibration) -> Sighting:
    member = known.of(name)
    return Sighting(name, member.box.apply(item.box), item.landmarks, item.score, member.score.probability(item.score))


def _rank(sighting: Sighting) -> tuple[Any, ...]:
    """Surest first, with landmarks first, and the same order whatever order the members came in."""
    marks = sighting.landmarks
    points = marks.points if marks else ()
    return -sighting.probability, -sighting.score, sighting.detector, *corners_of(sighting.box), marks is None, points


def _groups(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """Sightings of one face each; every sighting is in exactly one group.

    :param sightings: surest first.
    """
    groups: list[list[Sighting]] = []
    surest = np.empty((len(sightings), 4))
    for sighting in sightings:
        shares = overlaps(np.asarray(corners_of(sighting.box)), surest[: len(groups)])
        near = [int(place) for place in np.flatnonzero(shares >= SAME_FACE_IOU)]
        free = [place for place in near if all(other.detector != sighting.detector for other in groups[place])]
        if free:
            groups[max(free, key=lambda place: shares[place])].append(sighting)
        else:
            surest[len(groups)] = corners_of(sighting.box)
            groups.append([sighting])
    return groups


def overlaps(corners: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """IoU (0 to 1) of one box with n others: (n,). In one go, because thousands of faces meet thousands."""
    size = np.minimum(corners[2:], others[:, 2:]) - np.maximum(corners[:2], others[:, :2])
    shared = np.clip(size, 0, None).prod(axis=1)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1) + (corners[2:] - corners[:2]).prod()
    share: NDArray[np.float64] = shared / (areas - shared)
    return share


def _merged(group: Sequence[Sighting], ran: int, known: Calibration) -> MergedFace:
    probabilities = [sighting.probability for sighting in group]
    corners = np.average([corners_of(sighting.box) for sighting in group], axis=0, weights=probabilities)
    x0, y0, x1, y1 = (float(value) for value in corners)
    return MergedFace(
        box=Box(x0=x0, y0=y0, x1=x1, y1=y1),
        landmarks=next((sighting.landmarks for sighting in group if sighting.landmarks is not None), None),
        score=known.consensus.probability(probabilities, ran),
        seen_by=tuple(group),
    )


def corners_of(box: Box) -> tuple[float, float, float, float]:
    """Left, top, right and bottom."""
    return box.x0, box.y0, box.x1, box.y1
