"""A restorer that learns how a kernel is undone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, each_plane, learned

MARGIN_PX = 16
PENALTIES = (1e-8, 1e-6, 1e-4, 1e-2)
"""In units of the mean power, most of which is in the lowest frequencies."""


class LearnedFilter:
    """Wiener's filter with spectra measured on pairs instead of assumed: of all linear filters that treat every place
    alike, the one with the least squared error, whatever the kernel was.
    """

    name = "learned_filter"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return learned(lesson, PENALTIES, _filter)


def _filter(lesson: Lesson, penalty: float) -> Restore:
    before, after = _spectra(lesson.original), _spectra(lesson.published)
    power = (np.abs(after) ** 2).sum(axis=0)
    lacking = (np.conj(after) * (before - after)).sum(axis=0) / (power + penalty * power.mean())

    def change(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(irfft2(rfft2(plane) * (1 + lacking), plane.shape))

    return lambda stack: each_plane(stack, change, MARGIN_PX)


def _spectra(stack: Stack) -> NDArray[np.complex128]:
    """Of every channel of every face, mirrored at the border as :func:`each_plane` does: (3 n, h, w)."""
    around = ((0, 0), (MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0))
    planes = np.moveaxis(np.pad(stack, around, mode="symmetric"), 3, 1)
    return np.asarray(rfft2(planes.reshape(-1, *planes.shape[2:])))
