"""Where recognisers expect the five landmarks in a chip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ARCFACE_PX = 112
_ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""The template of ArcFace (Deng et al. 2019, DOI 10.1109/CVPR.2019.00482), which most recognisers since were trained
with: forehead to chin, hardly any hair or background."""


def arcface(size_px: int) -> NDArray[np.float64]:
    """The usual five points of 112 px, for chips of another size: float64 (5, 2), read-only."""
    template = np.array(_ARCFACE) * size_px / _ARCFACE_PX
    template.setflags(write=False)
    return template
