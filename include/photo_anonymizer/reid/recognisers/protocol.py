"""What a face recogniser offers to the attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""One face a row: float32 (n, D)."""
Comparison = Callable[[Embeddings], Embeddings]
"""Turns rows (n, D) into the rows (n, K) whose distances are compared."""


class Recogniser(Protocol):
    """Turns aligned faces into embeddings: the nearer two of them, the more likely they show one person.

    The distance is Euclidean. A recogniser that is meant for cosine similarity divides its embeddings by
    their length and gives its threshold as ``sqrt(2 - 2 * cosine)``, which orders pairs in the same way.

    Distances should lie about between 0 and 2: an empty picture is told from a face by hundredths of that.
    """

    name: str
    """The name in the registry; a user's own are called ``user_onnx.`` and the name in their description."""
    threshold: float
    """Two faces at this distance or nearer are called the same person."""
    chip_size_px: int
    """Side of the square picture of one face."""
    template: NDArray[np.float64]
    """Where a chip shows the five landmarks, (5, 2) in px: centres of the left and the right eye, tip of the
    nose, left and right corner of the mouth; left and right as seen in the picture."""

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Embeddings (N, D) of chips (N, ``chip_size_px``, ``chip_size_px``, 3), RGB.

        :raises ValueError: the chips have another shape or type.
        """
        ...


@runtime_checkable
class FittedRecogniser(Recogniser, Protocol):
    """A recogniser that first learns from the run's own originals how faces differ.

    Its ``embed`` gives what it learns from. Shards are embedded apart, so that it learns when all of them are done;
    the chips are gone by then, their rows are not.
    """

    def fit(self, originals: Embeddings) -> Comparison:
        """What rows become before their distances mean anything. The same rows give the same comparison.

        :param originals: float32 (n, D), of ``embed``, one row for every original face of the run.
        """
        ...


def comparison_of(recogniser: Recogniser, originals: Embeddings) -> Comparison:
    """How a recogniser's rows are compared: as they are, unless it learns from the originals."""
    return recogniser.fit(originals) if isinstance(recogniser, FittedRecogniser) else lambda rows: rows


def check_chips(chips: NDArray[Any], size_px: int) -> None:
    """Refuse what is not a stack of RGB chips.

    :raises ValueError: another shape or type than uint8 (N, size_px, size_px, 3).
    """
    want = (size_px, size_px, 3)
    if chips.dtype != np.uint8 or chips.ndim != 4 or chips.shape[1:] != want:
        raise ValueError(f"want chips as uint8 (N, {size_px}, {size_px}, 3), got {chips.dtype} {chips.shape}")
