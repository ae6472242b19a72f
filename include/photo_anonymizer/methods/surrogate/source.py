"""Where a new face comes from: drawn by this project, or averaged from donors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.texture import Texture
from photo_anonymizer.methods.protocol import Parameters
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.methods.surrogate.albedo import painted
from photo_anonymizer.methods.surrogate.looks import drawn_look, hints_of
from photo_anonymizer.methods.surrogate.shape import Moves, drawn_moves

SMALL_PX, LARGE_PX = 256, 512
"""Sides of the textures that are drawn."""


@dataclass(frozen=True)
class Surrogate:
    """A new face without light and pose.

    :param albedo: float32 (side, side, 3), 1 is plain skin.
    :param moves: how the features move.
    :param iris: (3,), 0 to 255.
    :param lashes: 0 to 1.
    :param about: what the records say of it.
    """

    albedo: Texture
    moves: Moves
    iris: NDArray[np.float64]
    lashes: float
    about: dict[str, Any] = field(default_factory=dict)


def surrogate_for(
    subject: Subject, parameters: Parameters, rng: np.random.Generator, large_from_px_a_cm: float
) -> Surrogate:
    """The face that takes the subject's place."""
    moves = drawn_moves(rng, parameters["strength"])
    look = drawn_look(hints_of(subject.texture), float(subject.light.mean.mean()), rng)
    side_px = LARGE_PX if subject.pose.scale > large_from_px_a_cm else SMALL_PX
    return Surrogate(painted(look, side_px, rng), moves, look.iris, look.lashes, {"source": "rendered"})
