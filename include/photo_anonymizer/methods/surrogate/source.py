"""Where a new face comes from: averaged from donors, or drawn by this project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.texture import Texture
from photo_anonymizer.methods.protocol import CannotPaintError, Parameters
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.methods.surrogate.albedo import painted
from photo_anonymizer.methods.surrogate.donors import FITTING, Mean, mean_of
from photo_anonymizer.methods.surrogate.looks import drawn_look, hints_of, traits_of
from photo_anonymizer.methods.surrogate.shape import Moves, drawn_moves, of_nobody, plus, towards

SMALL_PX, LARGE_PX = 256, 512
"""Sides of the textures that are drawn."""
LARGE_FROM_PX_A_CM = 17.0
"""Resolution of the photo from which the texture is drawn at the larger size."""
_OWN_MOVES = 0.5
"""Part of the chance moves that an averaged face gets besides those towards its donors: the mean of many is near the
mean of all, and somebody of average proportions must change too."""


@dataclass(frozen=True)
class Surrogate:
    """A new face without light and pose.

    :param albedo: float32 (side, side, 3), 1 is plain skin.
    :param moves: how the features move.
    :param iris: (3,), 0 to 255.
    :param lashes: 0 to 1.
    :param about: what the records say of it.
    :param has_eyes: does the albedo show them, so that none are drawn?
    """

    albedo: Texture
    moves: Moves
    iris: NDArray[np.float64]
    lashes: float
    about: dict[str, Any] = field(default_factory=dict)
    has_eyes: bool = False


def surrogate_for(subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Surrogate:
    """The face that takes the subject's place: averaged from the donors that the run offers, drawn where it offers none
    or, with ``donors: auto``, too few that suit this face.

    Parameters: ``donors``, ``k``, ``strength``; see :class:`~photo_anonymizer.config.SyntheticConfig`.
    """
    person = subject.donors.person if subject.donors else None
    if person:  # the same chance for all faces of the person, and the same traits
        rng = np.random.default_rng(person.seed)
    traits = np.array(person.traits) if person else traits_of(subject.texture)
    look = drawn_look(hints_of(traits, subject.face.box.height), float(subject.light.mean.mean()), rng)
    strength = parameters["strength"]
    own = subject.pose.unplaced(subject.mesh.points.astype(np.float64))
    moves = of_nobody(own, rng, strength)
    if (averaged := _averaged(subject, traits, parameters, rng)) is None:
        side_px = LARGE_PX if subject.pose.scale > LARGE_FROM_PX_A_CM else SMALL_PX
        about = {"source": "rendered"}
        return Surrogate(painted(look, side_px, rng), moves, look.iris, look.lashes, about)
    source, mean = averaged
    moves = plus(towards(own, mean.shape), drawn_moves(rng, strength * _OWN_MOVES))
    return Surrogate(mean.albedo, moves, look.iris, look.lashes, {"source": source, "k": mean.k})


def _averaged(
    subject: Subject, traits: NDArray[np.float64], parameters: Parameters, rng: np.random.Generator
) -> tuple[str, Mean] | None:
    offered, k, donors = subject.donors, parameters["k"], parameters["donors"]
    if donors == "rendered" or offered is None or offered.pool is None:
        return None
    pool = offered.pool
    fitting = pool.suiting(traits, offered.excluded)
    if donors == "auto":
        fitting = [row for row in fitting if pool.misfit(row, traits) <= FITTING]
    if len(fitting) < k:
        if donors == "auto":
            return None
        raise CannotPaintError("too_few_donors")
    others = frozenset(range(len(pool))) - frozenset(fitting)
    return pool.source, mean_of(pool, traits, others, k, rng)
