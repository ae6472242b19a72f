"""Chips as restorers want them, and back."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.attacks.protocol import Chips
from photo_anonymizer.reid.attacks.restorers.protocol import Stack

WORK_PX = 96
"""Side at which faces are restored: what is worth restoring is coarser, and it takes less than half of the time."""


def to_stack(chips: NDArray[np.uint8], side_px: int) -> Stack:
    """uint8 (n, S, S, 3) to float32 (n, side, side, 3), 0 to 1."""
    small = [cv2.resize(chip, (side_px, side_px), interpolation=cv2.INTER_AREA) for chip in chips]
    return np.asarray(np.array(small, np.float32) / 255, np.float32)


def to_chips(stack: Stack, side_px: int) -> Chips:
    """float32 (n, s, s, 3), 0 to 1, to uint8 (n, side, side, 3)."""
    how = cv2.INTER_CUBIC if side_px > stack.shape[1] else cv2.INTER_AREA
    large = [cv2.resize(face, (side_px, side_px), interpolation=how) for face in stack]
    return np.asarray(np.clip(np.rint(np.array(large) * 255), 0, 255), np.uint8)
