"""Where the proposals of MediaPipe's detection networks lie (``SsdAnchorsCalculator`` in its graphs)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def anchor_centres(side_px: int, anchors_per_cell: Sequence[tuple[int, int]]) -> NDArray[np.float32]:
    """Centres (n, 2) of the proposals in a network's square input, px, row by row of every grid.

    :param anchors_per_cell: (stride in px, proposals at each cell of that grid), finest grid first.
    """
    grids = []
    for stride, count in anchors_per_cell:
        places = (np.arange(side_px // stride, dtype=np.float32) + 0.5) * stride
        y, x = np.meshgrid(places, places, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), count, axis=0))
    return np.concatenate(grids)
