"""What a member's boxes and scores are worth: its boxes in the labels' convention, its scores as probabilities.

Members disagree about what a face's box is (dlib's is square, MediaPipe's ends at the brows, RetinaFace's reaches from
hairline to chin) and about what 0.9 means. Both are measured on labelled photos for every effort level and kept in
``calibration_<effort>.json``, which ``scripts/measure_detection.py FOLDER --fit`` writes. Without an entry a member is
taken at its word.

Scores become probabilities by Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines") of the
score's log odds: two numbers a member, monotone. On RetinaFace's 4,019 candidates in 60 street scenes isotonic
regression does no better on photos that it was not fitted on (calibration error 0.038 against 0.017, log loss 0.455
against 0.454), needs a table and makes ties. The consensus is a logistic regression on two figures of a merged
face, with weights that cannot be negative, so that it is monotone in every member's probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from photo_anonymizer.detection.reliability import ReliabilityBin, expected_calibration_error
from photo_anonymizer.errors import ModelError
from photo_anonymizer.model.geometry import Box

LEAST, MOST = 0.005, 0.995
"""Probabilities are clipped here: some hundred labelled photos cannot vouch for more."""
FEWEST_PAIRS = 20
"""Boxes matched to labels that a box correction needs; with fewer the boxes stay as they are."""
FEWEST_CANDIDATES = 40
"""Candidates that a score's calibration needs; with fewer the score stays as it is."""


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoxMap(_Fact):
    """From a member's box to the box that a labeller would draw: shifts and factors in shares of the member's box."""

    shift_x: float = Field(0.0, ge=-1, le=1)
    shift_y: float = Field(0.0, ge=-1, le=1)
    scale_x: float = Field(1.0, gt=0.2, le=5)
    scale_y: float = Field(1.0, gt=0.2, le=5)

    def apply(self, box: Box) -> Box:
        """The corrected box, in the same pixels."""
        if self == _AS_IT_IS:
            return box
        x, y = box.centre
        x, y = x + self.shift_x * box.width, y + self.shift_y * box.height
        half_width, half_height = box.width * self.scale_x / 2, box.height * self.scale_y / 2
        return Box(x0=x - half_width, y0=y - half_height, x1=x + half_width, y1=y + half_height)


_AS_IT_IS = BoxMap()


class ScoreMap(_Fact):
    """From a member's score to the probability that there is a face: a line in log odds."""

    slope: float = Field(1.0, ge=0)
    intercept: float = 0.0

    def probability(self, score: float) -> float:
        """0.005 to 0.995, never falling with the score.

        :param score: 0 to 1, as the member gives it.
        """
        return _clipped(_logistic(self.slope * log_odds(score) + self.intercept))


class ConsensusMap(_Fact):
    """From the members' probabilities to the probability that a merged face is one."""

    intercept: float = 0.0
    surest: float = Field(1.0, ge=0)
    """Weight of the log odds of the surest member's probability."""
    support: float = Field(0.0, ge=0)
    """Weight of :func:`support`."""

    def probability(self, probabilities: Sequence[float], ran: int) -> float:
        """0.005 to 0.995, never falling when a member grows surer or one more sees the face.

        :param probabilities: of the members that saw the face, 0 to 1; at least one.
        :param ran: how many members looked. With one there is nothing to agree on: its probability stands.
        """
        if ran == 1:
            return _clipped(probabilities[0])
        z = self.intercept + self.surest * log_odds(max(probabilities)) + self.support * support(probabilities, ran)
        return _clipped(_logistic(z))


class SecondLookMap(_Fact):
    """What the face mesh's logit (:mod:`.second_look`) adds to the log odds of a face that it confirms.

    It only ever adds: a mesh that does not fit denies profiles and covered faces as readily as false alarms, and on
    street scenes it cost 6 of 100 faces of 32 to 64 px to believe it. What it denies goes to a reviewer instead.
    """

    confirms: float = Field(0.0, ge=0)
    """Weight of the logit where it is above 0, cut off at 10."""

    def probability(self, before: float, mesh_logit: float) -> float:
        """0.005 to 0.995, never below ``before`` and never falling with the logit.

        :param before: probability without the second look.
        """
        return max(before, _clipped(_logistic(log_odds(before) + self.confirms * confirmation(mesh_logit))))


class MemberCalibration(_Fact):
    """What is known about one member."""

    box: BoxMap = BoxMap()
    score: ScoreMap = ScoreMap()
    candidates: int = 0
    reliability: tuple[ReliabilityBin, ...] = ()
    """Out of sample: every photo judged by a calibration fitted on others."""


class Fitting(_Fact):
    """Where a calibration comes from."""

    photos: int
    faces: int
    folds: int
    effort: str
    labels_sha256: str
    """SHA-256 of the label file, to tell whether a measurement is made on the same labels."""


class Calibration(_Fact):
    """All members and their consensus."""

    members: dict[str, MemberCalibration] = Field(default_factory=dict)
    consensus: ConsensusMap = ConsensusMap()
    second_look: SecondLookMap = SecondLookMap()
    reliability: tuple[ReliabilityBin, ...] = ()
    """Of the consensus, out of sample."""
    fitted: Fitting | None = None

    def of(self, member: str) -> MemberCalibration:
        """What is known about a member; nothing known: boxes and scores stand as they are."""
        return self.members.get(member, MemberCalibration())

    @property
    def error(self) -> float | None:
        """Expected calibration error of the consensus, out of sample, 0 to 1."""
        return expected_calibration_error(self.reliability)


def read(path: Path) -> Calibration:
    """A calibration file.

    :raises ModelError: it is missing or not a calibration.
    """
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(
            f"the calibration of the detectors cannot be read ({type(error).__name__}); install the package again "
            "or write one with scripts/measure_detection.py FOLDER --fit"
        ) from None


@cache
def shipped(effort: str) -> Calibration:
    """The calibration of an effort level that comes with the package.

    :raises ModelError: as :func:`read`.
    """
    return read(file_of(effort))


def file_of(effort: str) -> Path:
    """Where the calibration of an effort level lies in the package."""
    return Path(str(resources.files("photo_anonymizer.detection") / f"calibration_{effort}.json"))


def confirmation(mesh_logit: float) -> float:
    """The face mesh's logit within 0 and 10: beyond that it is as sure as it ever means to be."""
    return max(0.0, min(10.0, mesh_logit))


def log_odds(probability: float) -> float:
    """ln(p / (1 − p)) of a probability or score, kept within 0.0005 and 0.9995 so that the result is finite."""
    p = min(1 - 5e-4, max(5e-4, probability))
    return math.log(p / (1 - p))


def support(probabilities: Sequence[float], ran: int) -> float:
    """How far the others back the surest member: their probabilities' sum by how many others looked, 0 to 1."""
    return (sum(probabilities) - max(probabilities)) / (ran - 1)


def _logistic(z: float) -> float:
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, z))))


def _clipped(probability: float) -> float:
    return min(MOST, max(LEAST, probability))


# fitting


def fit_box(pairs: Sequence[tuple[Box, Box]]) -> BoxMap:
    """The correction that takes a member's boxes to the labels': medians, so that a wrong pair does not matter.

    :param pairs: (the member's box, the label's box) of the same face; with fewer than 20 nothing is corrected.
    """
    if len(pairs) < FEWEST_PAIRS:
        return BoxMap()

    def median(values: list[float], low: float, high: float) -> float:
        return round(float(np.clip(np.median(values), low, high)), 4)

    return BoxMap(
        shift_x=median([(label.centre[0] - box.centre[0]) / box.width for box, label in pairs], -1, 1),
        shift_y=median([(label.centre[1] - box.centre[1]) / box.height for box, label in pairs], -1, 1),
        scale_x=median([label.width / box.width for box, label in pairs], 0.25, 5),
        scale_y=median([label.height / box.height for box, label in pairs], 0.25, 5),
    )


def fit_score(scores: Sequence[float], is_face: Sequence[bool]) -> ScoreMap:
    """Platt scaling of a member's scores (0 to 1); with fewer than 40 candidates, or of one kind only, none."""
    if not _enough(is_face):
        return ScoreMap()
    intercept, (slope,) = _fit_logistic([[log_odds(score)] for score in scores], is_face)
    return ScoreMap(slope=slope, intercept=intercept)


def fit_consensus(seen: Sequence[Sequence[float]], ran: int, is_face: Sequence[bool]) -> ConsensusMap:
    """The consensus of ``ran`` members.

    :param seen: per merged face the probabilities of the members that saw it.
    :param is_face: what each merged face turned out to be.
    """
    if ran < 2 or not _enough(is_face):
        return ConsensusMap()
    features = [[log_odds(max(item)), support(item, ran)] for item in seen]
    intercept, (surest, backed) = _fit_logistic(features, is_face)
    return ConsensusMap(intercept=intercept, surest=surest, support=backed)


def fit_second_look(seen: Sequence[tuple[float, float]], is_face: Sequence[bool]) -> SecondLookMap:
    """What the second look is worth.

    :param seen: per face (probability before, the mesh's logit).
    """
    if not _enough(is_face):
        return SecondLookMap()
    _, (_, confirms) = _fit_logistic([[log_odds(before), confirmation(logit)] for before, logit in seen], is_face)
    return SecondLookMap(confirms=confirms)


def _enough(is_face: Sequence[bool]) -> bool:
    return len(is_face) >= FEWEST_CANDIDATES and any(is_face) and not all(is_face)


def _fit_logistic(features: ArrayLike, is_face: Sequence[bool]) -> tuple[float, list[float]]:
    """Intercept and weights ≥ 0 of the logistic regression of least log loss, with Platt's softened targets.

    :param features: (n, k).
    """
    from scipy.optimize import minimize  # a second to import, needed by the fitting command alone

    x, truth = np.asarray(features, float), np.asarray(is_face, bool)
    faces = int(truth.sum())
    target = np.where(truth, (faces + 1) / (faces + 2), 1 / (len(truth) - faces + 2))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = weights[0] + x @ weights[1:]
        residual = 1 / (1 + np.exp(-np.clip(z, -50, 50))) - target
        gradient = np.concatenate([[residual.mean()], x.T @ residual / len(x)])
        return float((np.logaddexp(0, z) - target * z).mean()), gradient

    start = np.concatenate([[0.0], np.ones(x.shape[1])])
    bounds = [(None, None), *[(0, None)] * x.shape[1]]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    intercept, *weights = (round(float(value), 4) for value in found.x)
    return intercept, weights
