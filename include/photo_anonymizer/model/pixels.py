"""Names for the arrays that pictures are held in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""uint8 (H, W, 3), RGB, upright, sRGB."""

Alpha = NDArray[np.uint8]
"""uint8 (H, W): opacity of a photo, or coverage of a patch."""
