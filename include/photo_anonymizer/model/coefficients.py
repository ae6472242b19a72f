"""A JPEG picture before the transform back to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Component:
    """One colour component of a picture."""

    across: int
    """Sampling factors (ITU-T T.81 A.1.1)."""
    down: int
    blocks: NDArray[np.int16]
    """(rows, columns, 8, 8): quantised coefficients, vertical frequency before horizontal."""
    steps: NDArray[np.uint16]
    """(8, 8): quantisation table, same order."""


@dataclass(frozen=True)
class Coefficients:
    """All components of a picture. Blocks that only fill up the last units of subsampled components are left out."""

    width: int
    """Pixels."""
    height: int
    components: tuple[Component, ...]
    is_rgb: bool = False
    """Are three components red, green and blue? Else they are luma and two colour differences (JFIF 1.02)."""

    @property
    def factors(self) -> tuple[int, int]:
        """The largest sampling factors: (across, down)."""
        return max(one.across for one in self.components), max(one.down for one in self.components)
