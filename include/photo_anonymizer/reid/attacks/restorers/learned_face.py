"""A restorer that learns what faces look like."""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.reid.attacks.learning import ridge
from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, learned

SIDE_PX = 64
PENALTIES = (1e-2, 1e-1, 1.0, 10.0)


class LearnedFace:
    """Ridge regression from all pixels of an anonymized face, 64 × 64, to what each lacks of the original.

    The best linear guess of a whole face: mosaic and surroundings are understood without being told. Networks restore
    more where there are many thousands of pairs; where a few noisy numbers are all that is left of a face, there is
    nothing more for them either.
    """

    name = "learned_face"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return learned(lesson, PENALTIES, _regression)


def _regression(lesson: Lesson, penalty: float) -> Restore:
    seen = _flat(lesson.published)
    lacking = ridge(seen, _flat(lesson.original) - seen, penalty)

    def restore(stack: Stack) -> Stack:
        size = stack.shape[2], stack.shape[1]
        added = lacking(_flat(stack)).astype(np.float32).reshape(-1, SIDE_PX, SIDE_PX, 3)
        whole = [face + cv2.resize(more, size) for face, more in zip(stack, added, strict=True)]
        return np.asarray(np.clip(whole, 0, 1), np.float32)

    return restore


def _flat(stack: Stack) -> Stack:
    size = SIDE_PX, SIDE_PX
    small = [cv2.resize(face, size, interpolation=cv2.INTER_AREA) for face in stack]
    return np.array(small, np.float32).reshape(len(stack), -1)
