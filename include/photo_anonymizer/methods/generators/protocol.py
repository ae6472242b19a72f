"""What a generator is, and what it is told of the face that it replaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.pixels import Pixels

Canvas = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """An upright square about a face that is blanked: of the face a generator sees one colour, outline and pose.

    :param picture: uint8 (side, side, 3), RGB; what was blanked is the face's mean colour, what lies beyond the photo
        repeats its border.
    :param blank: bool (side, side), where a face is wanted.
    :param points: float32 (468, 2), the face mesh in px of the square: the outline as it is, eyes, brows, nose and
        mouth where the new face shall have them (:mod:`photo_anonymizer.methods.surrogate.shape`).
    :param yaw_rad: turn to the side, 0 looks at the camera, positive to the right of the picture.
    :param pitch_rad: nod, 0 looks at the camera, positive down. There is no roll: the square is turned with the head.
    :param matrix: float64 (2, 3), from the photo's pixels to those of the square.
    """

    picture: Pixels
    blank: NDArray[np.bool_]
    points: NDArray[np.float32]
    yaw_rad: float
    pitch_rad: float
    matrix: NDArray[np.float64]

    @property
    def side_px(self) -> int:
        """Side of the square."""
        return len(self.picture)


class Generator(Protocol):
    """Makes faces. Chance comes from ``rng`` alone: the same scene and chance give the same face.

    ``sha256`` is the model's, ``side_px`` and ``margin`` (in heights of the face) say which squares it works on.
    """

    name: str
    sha256: str
    side_px: int
    margin: float

    def __init__(self, description: Path) -> None:
        """Loads the described model, verified, and tries it once.

        :raises ConfigError: the description is unusable or does not fit the model, or a package is missing.
        :raises ModelError: the model is missing, altered or none.
        """

    def generate(self, scene: Scene, rng: np.random.Generator) -> Canvas:
        """The square with a new face, float32 (s, s, 3), RGB, 0 to 255, of any side.

        May raise anything: whatever it is, another method does the face.
        """
