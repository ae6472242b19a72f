"""Where a new face comes from: averaged from donors, or drawn by this project."""

from __future__ import annotations

import math
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

_SIDES_PX, _UP_TO_PX_A_CM = (192, 224, 256, 512), (10.0, 12.0, 17.0, math.inf)
"""Sides of the textures that are drawn, and the photo's resolution up to which each will do: a texture is some 15 cm
wide on the face, so the photo has fewer pixels there. With 192 px the eyes that a face keeps are softer above 10."""
_OWN_MOVES = 0.75
"""Part of the chance moves that an averaged face gets besides those towards its donors: the mean of many is near the
mean of all, and somebody of average proportions must change too."""


def drawn_side_px(px_a_cm: float) -> int:
    """Side of the texture that a face is drawn in, for a photo of that resolution."""
    return next(side for side, up_to in zip(_SIDES_PX, _UP_TO_PX_A_CM, strict=True) if px_a_cm <= up_to)


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
    moves = of_nobody(subject.shape, rng, strength)
    if (averaged := _averaged(subject, traits, parameters, rng)) is None:
        drawn = painted(look, drawn_side_px(subject.pose.scale), rng)
        return Surrogate(drawn, moves, look.iris, look.lashes, {"source": "rendered"})
    source, mean = averaged
    moves = plus(towards(subject.shape, mean.shape), drawn_moves(rng, strength * _OWN_MOVES))
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
