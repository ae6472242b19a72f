"""Chance, pixel by pixel, for pores, blotches, stubble and grain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def white_noise(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Independent values of mean 0 and deviation 1, uniformly distributed: float32 of that shape.

    What is drawn with them is faint and mostly blurred, so nobody sees their distribution, and bytes are drawn twenty
    times as fast as normal values, which took a tenth of a face's time.
    """
    values = rng.integers(0, 256, shape, dtype=np.uint8).astype(np.float32)
    return (values - np.float32(127.5)) * np.float32((12 / (256**2 - 1)) ** 0.5)
