"""From candidates and labels to figures; what each means is said in ``measure_detection.py --help``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection_figures.labels import Label, Labels
from photo_anonymizer.model.geometry import Box, intersection_over_union

COVERED, ENLARGED, TOUCHED = 0.6, 1.3, 0.1
SAME_IOU, FACE_IOU = 0.5, 0.3


@dataclass(frozen=True)
class Candidate:
    """A detection as it is judged: its box, and the probability, 0 to 1, that it is a face."""

    box: Box
    probability: float


Found = dict[str, list[Candidate]]
"""Photo → candidates."""


def share_inside(face: Box, region: Box) -> float:
    """Share of a face's box that lies in a region, 0 to 1."""
    width = min(face.x1, region.x1) - max(face.x0, region.x0)
    height = min(face.y1, region.y1) - max(face.y0, region.y0)
    return max(0.0, width) * max(0.0, height) / (face.width * face.height)


def coverage(labels: Labels, found: Found, threshold: float) -> list[tuple[Label, bool]]:
    """Every face asked for, and whether it is covered by a candidate of at least this probability."""
    return [
        (label, any(share_inside(label.box, region) >= COVERED for region in regions))
        for photo, faces in labels.items()
        for regions in [_regions(found[photo], threshold)]
        for label in faces
        if label.asked
    ]


def _regions(candidates: Sequence[Candidate], threshold: float) -> list[Box]:
    return [item.box.scaled(ENLARGED) for item in candidates if item.probability >= threshold]


def alarms_of(labels: Labels, found: Found) -> list[float]:
    """The probabilities of all candidates that touch no labelled face."""
    return [item.probability for _, item in alarms_in(labels, found)]


def alarms_in(labels: Labels, found: Found) -> list[tuple[str, Candidate]]:
    """The candidates that touch no labelled face, each with its photo."""
    return [
        (photo, item)
        for photo, faces in labels.items()
        for item in found[photo]
        for region in [item.box.scaled(ENLARGED)]
        if all(share_inside(label.box, region) <= TOUCHED for label in faces)
    ]


def false_alarms(alarms: Sequence[float], photos: int, threshold: float) -> float:
    """How many of the alarms are at or above a threshold, a photo."""
    return sum(alarm >= threshold for alarm in alarms) / photos


def threshold_for(alarms: Sequence[float], photos: int, budget: float) -> float:
    """The lowest probability, in steps of 0.01, from which on there are at most so many false alarms a photo."""
    steps = (step / 100 for step in range(101))
    return next((step for step in steps if false_alarms(alarms, photos, step) <= budget), 1.0)


def recall(covered: Sequence[tuple[Label, bool]], wanted: Callable[[Label], bool] = lambda _: True) -> float | None:
    """Share covered of the faces wanted, 0 to 1; none when there are none."""
    hits = [hit for label, hit in covered if wanted(label)]
    return sum(hits) / len(hits) if hits else None


def average_precision(labels: Labels, found: Found) -> float:
    """Area under the precision-recall curve, 0 to 1."""
    outcomes = sorted(
        (item for photo, faces in labels.items() for item in _outcomes(faces, found[photo])), key=lambda item: -item[0]
    )
    asked = sum(label.asked for faces in labels.values() for label in faces)
    right: NDArray[np.float64] = np.cumsum([hit for _, hit in outcomes], dtype=float)
    if not asked or not len(right):
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float((best_from_here * np.diff(right, prepend=0)).sum() / asked)


def _outcomes(faces: Sequence[Label], candidates: Sequence[Candidate]) -> list[tuple[float, bool]]:
    """(probability, is it right?) of a photo's candidates, each face given to the surest that overlaps it best."""
    taken: set[int] = set()
    outcomes = []
    for item in sorted(candidates, key=lambda item: -item.probability):
        overlaps = [intersection_over_union(item.box, label.box) for label in faces]
        best = int(np.argmax(overlaps)) if overlaps else -1
        overlapping = best >= 0 and overlaps[best] >= SAME_IOU
        if overlapping and not faces[best].asked:
            continue
        outcomes.append((item.probability, overlapping and best not in taken))
        if overlapping:
            taken.add(best)
    return outcomes


def is_face(box: Box, faces: Sequence[Label]) -> bool:
    """Does a box overlap a labelled face, asked for or not?"""
    return any(intersection_over_union(box, label.box) >= FACE_IOU for label in faces)


def judged(labels: Labels, found: Found) -> tuple[list[float], list[bool]]:
    """The candidates' probabilities, and whether each is a face."""
    pairs = [(item.probability, is_face(item.box, faces)) for photo, faces in labels.items() for item in found[photo]]
    return [probability for probability, _ in pairs], [truth for _, truth in pairs]
