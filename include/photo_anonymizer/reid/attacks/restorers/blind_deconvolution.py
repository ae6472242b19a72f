"""Deconvolution by a kernel that is estimated from the picture itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from skimage.restoration import richardson_lucy

from photo_anonymizer.reid.attacks.restorers.gaussian import SIGMAS, gaussian
from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, each_plane, strongest

TURNS = 4
"""How often picture and kernel are estimated in turn …"""
ROUNDS = 5
"""… with so many steps each time."""
_LEAST = 1e-6

Plane = NDArray[np.float64]


class BlindDeconvolution:
    """Richardson and Lucy's steps for picture and kernel in turn (Fish et al. 1995, DOI 10.1364/JOSAA.12.000058).

    The kernel is estimated from each face's brightness, starting from a Gaussian that is no narrower than the blur.
    """

    name = "blind_deconvolution"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return strongest(lesson, SIGMAS, _restored)


def _restored(stack: Stack, sigma: float) -> Stack:
    start = gaussian(sigma * stack.shape[1])
    return np.concatenate([_one(face[np.newaxis], start) for face in stack])


def _one(face: Stack, start: Plane) -> Stack:
    margin = len(start) // 2
    brightness = np.pad(face[0].mean(axis=2).astype(np.float64), margin, mode="symmetric")
    kernel = estimated_kernel(brightness, start)
    return each_plane(face, lambda plane: richardson_lucy(plane, kernel, TURNS * ROUNDS, clip=False), margin)


def estimated_kernel(blurred: Plane, start: Plane) -> Plane:
    """The kernel (k, k), sum 1, that together with some picture explains ``blurred`` best, found near ``start``."""
    side, shape = len(start), blurred.shape
    kernel, picture = np.zeros(shape), blurred + _LEAST
    kernel[:side, :side] = start
    kernel = np.roll(kernel, (-(side // 2), -(side // 2)), (0, 1))
    for _ in range(TURNS):
        for _ in range(ROUNDS):
            kernel = _only_near(_step(kernel, picture, blurred), side)
        for _ in range(ROUNDS):
            picture = _step(picture, kernel, blurred)
    return np.roll(kernel, (side // 2, side // 2), (0, 1))[:side, :side]


def _step(wanted: Plane, other: Plane, blurred: Plane) -> Plane:
    """One multiplicative step for one of the two factors of a circular convolution."""
    transform = rfft2(other)
    seen = np.maximum(irfft2(rfft2(wanted) * transform, blurred.shape), _LEAST)
    back = irfft2(rfft2(blurred / seen) * np.conj(transform), blurred.shape) / max(float(other.sum()), _LEAST)
    return np.asarray(np.maximum(wanted * back, 0))


def _only_near(kernel: Plane, side: int) -> Plane:
    """The kernel without what lies further from its middle, which is pixel (0, 0), than ``side`` allows; sum 1."""
    half = side // 2
    near = np.zeros(kernel.shape, bool)
    near[: half + 1, : half + 1] = near[: half + 1, -half:] = near[-half:, : half + 1] = near[-half:, -half:] = True
    kept = np.where(near, kernel, 0)
    return np.asarray(kept / max(float(kept.sum()), _LEAST))
