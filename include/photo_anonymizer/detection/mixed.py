"""Findings that mix two neighbours: where two heads touch, a detector gives, as surely as the two faces, a third one
between them, with an eye of the one and the mouth of the other. Covered, it hides half of both behind one large plate.

Nobody is dropped by that alone. It has to be large enough for the face mesh, which has to find no face there, or one
that lies elsewhere: on a neighbour. It has to find the neighbours where they are. And of its box nearly all has to lie
on their heads, which are anonymized: whoever is there, too, is hidden by them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.detection.consensus import MergedFace, corners_of, overlaps
from photo_anonymizer.mesh.network import OFF_LANDMARKS, Mesh, off_landmarks
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box

Rows = NDArray[Any]
SeenMesh = Callable[[Box, Landmarks | None], Mesh]
"""What the face mesh sees at a place in the photo."""
FROM_PX = 32
"""Height from which the face mesh can tell; smaller findings all stay."""
NEIGHBOUR_IOU, APART_IOU = 0.1, 0.15
"""A neighbour overlaps the finding by at least so much; and two neighbours are two faces, which overlap by less."""
HEAD = 1.25
"""The neighbours' heads, in boxes of their faces."""
COVERED = 0.85
"""Share of the box that has to lie on the neighbours' heads."""
_SAMPLES = 24


def without_mixed(faces: Sequence[MergedFace], seen: SeenMesh, accept_score: float) -> list[MergedFace]:
    """The faces without those that mix two others.

    :param seen: asked only where a large finding lies on two neighbours.
    :param accept_score: from which a neighbour is sure.
    """
    boxes = np.array([corners_of(face.box) for face in faces]).reshape(-1, 4)
    sure = np.array([face.score >= accept_score for face in faces], bool)

    @cache
    def is_seen(number: int) -> bool:
        return _agree(faces[number], seen(faces[number].box, faces[number].landmarks))

    def is_mixed(number: int) -> bool:
        pairs = _neighbours(number, boxes, sure) if faces[number].box.height >= FROM_PX else []
        return any(is_seen(one) and is_seen(other) and not is_seen(number) for one, other in pairs)

    return [face for number, face in enumerate(faces) if not is_mixed(number)]


def _neighbours(number: int, boxes: Rows, sure: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pairs of sure findings beside a box that are two faces and cover it together."""
    shares = overlaps(boxes[number], boxes)
    near = [int(other) for other in np.flatnonzero((shares >= NEIGHBOUR_IOU) & sure) if other != number]
    return [
        (one, other)
        for one, other in combinations(near, 2)
        if overlaps(boxes[one], boxes[[other]])[0] < APART_IOU
        and _covered(boxes[number], boxes[[one, other]]) >= COVERED
    ]


def _covered(box: Rows, neighbours: Rows) -> float:
    """Share of a box, (4,), that lies on the heads of faces, (n, 4)."""
    steps = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    x, y = np.meshgrid(box[0] + steps * (box[2] - box[0]), box[1] + steps * (box[3] - box[1]))
    on = np.zeros(x.shape, bool)
    for x0, y0, x1, y1 in neighbours:
        on |= (np.abs(x - (x0 + x1) / 2) <= HEAD * (x1 - x0) / 2) & (np.abs(y - (y0 + y1) / 2) <= HEAD * (y1 - y0) / 2)
    return float(on.mean())


def _agree(face: MergedFace, mesh: Mesh) -> bool:
    """Does the face mesh find a face where the finding says that it is?"""
    if mesh.logit <= 0:
        return False
    return face.landmarks is None or off_landmarks(mesh, face.box, face.landmarks) <= OFF_LANDMARKS
