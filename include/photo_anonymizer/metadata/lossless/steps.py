"""Which quantisation tables may be published: those that an encoder would choose, and no text.

A table is 64 free numbers. Text in one is read byte for byte in the published file, so tables are only taken over if
they are close to what encoders write:

- a multiple of the tables of ITU-T T.81 Annex K (K.1 luma, K.2 chroma), as libjpeg and most cameras have them, or
- equal in both directions, which Photoshop's, the flat ones and those of most other cameras are. Stored in zigzag
  order such a table is a row of palindromes.

Whoever wants to can still hide numbers in such tables: 36 of them, or small deviations. Words are none of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LUMA = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float64,
)
"""T.81 table K.1."""
CHROMA = np.full((8, 8), 99.0)
"""T.81 table K.2."""
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
_ROUNDING = 1.5
"""How far a step may be from the exact multiple: programs round (0.5) or cut off (1), some of them twice."""
_LOPSIDED = 1
"""By how much the two steps of a pair may differ in a table that is equal in both directions."""
_FINEST, _COARSEST = 1, 255
"""Of baseline (T.81 table B.4): multiples beyond are cut off there."""


def is_usual(steps: Sequence[int]) -> bool:
    """Would an encoder choose these steps?

    :param steps: 64 of them, row by row (not zigzag).
    """
    table = np.reshape(np.asarray(steps, np.float64), (8, 8))
    if np.abs(table - table.T).max() <= _LOPSIDED:
        return True
    return any(_is_multiple(table, base) for base in (LUMA, LUMA.T, CHROMA))


def _is_multiple(table: NDArray[np.float64], base: NDArray[np.float64]) -> bool:
    """Is there one factor for all steps? Each step allows for a range of factors."""
    least = np.where(table <= _FINEST, 0, (table - _ROUNDING) / base)
    most = np.where(table == _COARSEST, np.inf, (table + _ROUNDING) / base)
    return bool(least.max() <= most.min())


def usual(steps: Sequence[int], *, chroma: bool) -> tuple[int, ...]:
    """The steps themselves if an encoder would choose them, else the multiple of Annex K that is nearest on average.

    :param steps: 64 of at least 1, row by row (not zigzag).
    :param chroma: are they those of a colour difference?
    """
    if is_usual(steps):
        return tuple(steps)
    base = (CHROMA if chroma else LUMA).ravel()
    factor = np.exp(np.mean(np.log(np.asarray(steps, np.float64) / base)))
    nearest = np.clip(np.rint(factor * base), _FINEST, _COARSEST)
    return tuple(int(step) for step in nearest)
