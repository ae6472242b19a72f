"""The kernels that deconvolution tries."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIGMAS = (0.01, 0.02, 0.04, 0.08)
"""Gaussians, as shares of the chip's side, which is about as wide as the head: from hardly visible to hardly a face."""


def gaussian(sigma_px: float) -> NDArray[np.float64]:
    """A kernel (k, k) of sum 1, k odd, cut off at three sigma."""
    reach = max(1, round(3 * sigma_px))
    line = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma_px**2))
    kernel = np.outer(line, line)
    return np.asarray(kernel / kernel.sum())
