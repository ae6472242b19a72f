"""A face as the detection stage found it."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from photo_anonymizer.model.geometry import Box

Point = tuple[float, float]
Band = Literal["accept", "doubt"]
Kept = Literal["", "region", "person"]
"""Why a face stays as it is: somebody marked its region, or it is that of a person who agreed; "": it does not stay."""


class Doubt(StrEnum):
    """What speaks against a face, or makes it matter less; :mod:`photo_anonymizer.detection.doubt` has the rules.

    The review queue and a release's ``qa.json`` hold exactly these words.
    """

    SCORE_BETWEEN_THRESHOLDS = "score_between_thresholds"
    SECOND_LOOK_DISAGREES = "second_look_disagrees"
    DETECTORS_DISAGREE = "detectors_disagree"
    BELOW_RECOGNISABLE_SIZE = "below_recognisable_size"

    @property
    def meaning(self) -> str:
        """The same for people who do not know the words."""
        return _MEANINGS[self]


_MEANINGS = {
    Doubt.SCORE_BETWEEN_THRESHOLDS: "The probability lies between the two thresholds.",
    Doubt.SECOND_LOOK_DISAGREES: "The detectors and the face mesh that looked again are of different minds.",
    Doubt.DETECTORS_DISAGREE: "Some detectors see a face here, others that could see it do not.",
    Doubt.BELOW_RECOGNISABLE_SIZE: "So small that nobody could be recognised by it.",
}


class Landmarks(BaseModel):
    """Five points (x, y) in the photo's pixels; left and right as seen in the picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left_eye: Point
    right_eye: Point
    nose: Point
    left_mouth: Point
    right_mouth: Point

    @property
    def points(self) -> tuple[Point, Point, Point, Point, Point]:
        """In the order of the fields."""
        return self.left_eye, self.right_eye, self.nose, self.left_mouth, self.right_mouth

    @property
    def roll_rad(self) -> float:
        """In-plane turn of the head in radians: 0 upright, positive clockwise as seen in the picture."""
        (x0, y0), (x1, y1) = self.left_eye, self.right_eye
        return math.atan2(y1 - y0, x1 - x0)


def estimated_landmarks(box: Box) -> Landmarks:
    """Where the five points of an upright frontal face in this box would be: for detectors that give boxes only.

    Proportions: means over RetinaFace's boxes and points on 50 portraits of 10 people, standard deviation 0.02 to 0.15.
    """

    def at(x: float, y: float) -> Point:
        return box.x0 + x * box.width, box.y0 + y * box.height

    return Landmarks(
        left_eye=at(0.29, 0.4),
        right_eye=at(0.71, 0.4),
        nose=at(0.5, 0.59),
        left_mouth=at(0.32, 0.74),
        right_mouth=at(0.68, 0.74),
    )


class Face(BaseModel):
    """One detected face.

    ``band`` is ``accept`` for a face beyond doubt and ``doubt`` for one that a person should look at; both are
    anonymized, unless ``kept`` says why the face stays as it is (:mod:`photo_anonymizer.consent`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    face_id: str
    box: Box
    landmarks: Landmarks
    score: float = Field(ge=0, le=1)
    band: Band
    detectors: tuple[str, ...]
    kept: Kept = ""
    doubts: tuple[Doubt, ...] = ()
    """In the order of :class:`Doubt`. A face beyond doubt may be below the recognisable size, and nothing else."""
    scores: dict[str, float] = Field(default_factory=dict)
    """Detector → probability, 0 to 1, that it gives the face by itself; 0: it looked and did not see it."""
    mesh_logit: float | None = None
    """What the face mesh says: above 0 it takes this for a face; ``None``: it was not asked."""

    @property
    def too_small_to_recognise(self) -> bool:
        """Is this face so small that nobody could be recognised by it?"""
        return Doubt.BELOW_RECOGNISABLE_SIZE in self.doubts

    def beyond_doubt(self) -> Face:
        """This face after somebody said that it is one."""
        return self.model_copy(update={"band": "accept", "doubts": ()})
