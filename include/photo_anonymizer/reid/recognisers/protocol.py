"""What a face recogniser offers to the attack."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Recogniser(Protocol):
    """Turns aligned faces into embeddings: the nearer two of them, the more likely they show one person.

    The distance is Euclidean. A recogniser that is meant for cosine similarity divides its embeddings by
    their length and gives its threshold as ``sqrt(2 - 2 * cosine)``, which orders pairs in the same way.
    """

    name: str
    """The name in the registry."""
    threshold: float
    """Two faces at this distance or nearer are called the same person."""
    chip_size_px: int
    """Side of the square picture of one face."""
    template: NDArray[np.float64]
    """Where a chip shows the five landmarks, (5, 2) in px: centres of the left and the right eye, tip of the
    nose, left and right corner of the mouth; left and right as seen in the picture."""

    def embed(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings (N, D) of chips (N, ``chip_size_px``, ``chip_size_px``, 3), RGB.

        :raises ValueError: the chips have another shape or type.
        """
        ...


def check_chips(chips: NDArray[Any], size_px: int) -> None:
    """Refuse what is not a stack of RGB chips.

    :raises ValueError: another shape or type than uint8 (N, size_px, size_px, 3).
    """
    want = (size_px, size_px, 3)
    if chips.dtype != np.uint8 or chips.ndim != 4 or chips.shape[1:] != want:
        raise ValueError(f"want chips as uint8 (N, {size_px}, {size_px}, 3), got {chips.dtype} {chips.shape}")
