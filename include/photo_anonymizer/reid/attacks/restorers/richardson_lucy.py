"""Richardson's and Lucy's deconvolution."""

from __future__ import annotations

from skimage.restoration import richardson_lucy

from photo_anonymizer.reid.attacks.restorers.gaussian import SIGMAS, gaussian
from photo_anonymizer.reid.attacks.restorers.protocol import Lesson, Restore, Stack, each_plane, strongest

ROUNDS = 15


class RichardsonLucy:
    """The likeliest picture under Poisson noise and a known kernel (Richardson 1972; Lucy 1974; scikit-image)."""

    name = "richardson_lucy"

    def fit(self, lesson: Lesson) -> Restore:
        """See :class:`~photo_anonymizer.reid.attacks.restorers.protocol.Restorer`."""
        return strongest(lesson, SIGMAS, _restored)


def _restored(stack: Stack, sigma: float) -> Stack:
    kernel = gaussian(sigma * stack.shape[1])
    return each_plane(stack, lambda plane: richardson_lucy(plane, kernel, ROUNDS, clip=False), len(kernel) // 2)
