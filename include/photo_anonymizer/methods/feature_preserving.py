"""Feature-preserving: the person's own face with what makes it theirs moved, reshaped and smoothed.

Pose, gaze, expression and light stay, and so do hair, ears and neck. What changes: where eyes, brows, nose and
mouth are and how large, each forced away from where it was within what adults differ by; marks, freckles and scars are
smoothed away; skin and brows give way to drawn ones. ``strength`` scales all of it, and the gate may raise it.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from photo_anonymizer.mesh.texture import Texture, in_colour
from photo_anonymizer.mesh.topology import LEFT_EYE, RIGHT_EYE, texture_points
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.subject import EVERYWHERE, TEXTURE_PX, Place, Subject
from photo_anonymizer.methods.surrogate.albedo import Mark, painted
from photo_anonymizer.methods.surrogate.curves import closed_curve, filled
from photo_anonymizer.methods.surrogate.looks import drawn_look, hints_of, traits_of
from photo_anonymizer.methods.surrogate.shape import unlike
from photo_anonymizer.methods.surrogate.source import Surrogate, drawn_side_px
from photo_anonymizer.methods.synthetic import check, replaced

SKIN_SHARE = 1.0
"""How much of skin, brows and lips is drawn at strength 1. What an open mouth shows is drawn, as the mesh seldom meets
the edge of the teeth."""
OWN_EYES_FROM_PX_A_CM = 9.0
"""Resolution of the photo from which on the eyes stay the person's own: those of faces above some 180 px. On smaller
ones the mesh often misses the lids: what is kept of the eyes looks half shut (correlation of their openings 0.5 on 92
press faces, of drawn ones 0.8)."""
MARKS_PX, MARKS_CONTRAST = 9, 0.12
"""Size of the neighbourhood, in px of a texture of TEXTURE_PX, and contrast, relative to the skin, of what counts as a
mark on the skin and is smoothed away; features have more."""


class FeaturePreserving:
    """The person's own face with other proportions and another skin.

    Parameters: ``strength``, 0 to 2: 0 leaves features where they are, 1 moves them as far as adults differ.
    """

    name = "feature_preserving"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
        """See :class:`~photo_anonymizer.methods.protocol.Method`."""
        check(subject)
        strength = float(parameters["strength"])
        side_px = drawn_side_px(subject.pose.scale)
        hints = hints_of(traits_of(subject.texture), subject.face.box.height)
        look = drawn_look(hints, float(subject.light.mean.mean()), rng)
        moves = unlike(subject.shape, rng, strength)
        own_eyes = subject.pose.scale >= OWN_EYES_FROM_PX_A_CM and not subject.wears_dark_glasses
        albedo = painted(look, side_px, rng)
        if strength < 1:
            give_skin(albedo, own_albedo(subject, side_px), strength)
        if own_eyes:
            give_eyes(albedo, own_albedo(subject, side_px, eyes_place(side_px)))
        made = Surrogate(albedo, moves, look.iris, look.lashes, has_eyes=own_eyes)
        return replaced(subject, made, rng)


def own_albedo(subject: Subject, side_px: int, place: Place = EVERYWHERE) -> Texture:
    """The face's own colours without light, 1 is plain skin, in a part of its texture: float32 (rows, columns, 3)."""
    return np.clip(subject.unlit(side_px, place), 0.03, 1.8)


def give_skin(drawn: Texture, own: Texture, strength: float) -> None:
    """Gives a drawn face, the less the strength, a person's own skin without marks."""
    drawn += np.float32(1 - SKIN_SHARE * strength) * (without_marks(own, len(drawn)) - drawn)


def give_eyes(drawn: Texture, own: Texture) -> None:
    """Gives a drawn face a person's own eyes without marks.

    :param own: of :func:`eyes_place`; filtering all of the face takes a fifth of its time.
    """
    mark = _eyes(len(drawn))
    drawn[mark.place] += in_colour(mark.where) * (without_marks(own, len(drawn)) - drawn[mark.place])


def eyes_place(side_px: int) -> Place:
    """The rows and columns of a texture that the eyes take."""
    return _eyes(side_px).place


def without_marks(albedo: Texture, side_px: int) -> Texture:
    """A part of a texture of that size without what is small and faint: smoothed by a bilateral filter (Tomasi &
    Manduchi, ICCV 1998)."""
    size = MARKS_PX * side_px / TEXTURE_PX
    return np.asarray(cv2.bilateralFilter(albedo, round(size), MARKS_CONTRAST, size / 2))


@lru_cache(maxsize=4)
def _eyes(side_px: int) -> Mark:
    """The openings of the eyes with their rims, 1 inside."""
    width = max(3, 2 * round(0.02 * side_px) + 1)
    insides = [
        filled((side_px, side_px), closed_curve(texture_points()[list(loop)] * side_px))
        for loop in (LEFT_EYE, RIGHT_EYE)
    ]
    return Mark.of(cv2.GaussianBlur(cv2.dilate(cv2.max(*insides), np.ones((width, width))), (0, 0), 0.008 * side_px))
