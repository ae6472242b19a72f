"""Mask: an opaque shape, or an icon on one."""

from __future__ import annotations

import math

import numpy as np

from photo_anonymizer.methods.icons import icon_of_side
from photo_anonymizer.methods.outline import mesh_alpha
from photo_anonymizer.methods.overlay import laid_over
from photo_anonymizer.methods.protocol import Painted, Parameters
from photo_anonymizer.methods.region import Region
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.methods.surroundings import surroundings_of
from photo_anonymizer.model.pixels import Pixels


class Mask:
    """One colour, or an icon on that colour, over the whole region.

    It cannot be undone because nothing of the face enters it but place, size and turn, and for the mesh's outline its
    contour: the same pixels cover everybody. The colour ``local`` is the mean of what surrounds the region.

    Parameters: ``colour``, ``#rrggbb`` or ``local``; ``icon``, None for a plain shape, else its name or file; and where
    the face mesh gives the shape, ``outline``, how many times that is enlarged, and ``feather``, the soft edge's width
    as a share of the face's.
    """

    name = "mask"

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:  # noqa: ARG002
        """See :class:`~photo_anonymizer.methods.protocol.Method`. For the mesh's outline ``about`` says whether the
        shape became that or, where the mesh is not sure, stayed the ellipse."""
        region = subject.region
        plain = np.empty((region.box.height, region.box.width, 3), np.uint8)
        plain[:] = _colour(subject, parameters["colour"])
        if parameters["icon"] is not None:
            return Painted(_with_icon(plain, parameters["icon"], region), region.alpha)
        if "outline" not in parameters:
            return Painted(plain, region.alpha)
        alpha = mesh_alpha(subject, parameters["outline"], parameters["feather"])
        if alpha is None:
            return Painted(plain, region.alpha, {"shape": "ellipse"})
        return Painted(plain, alpha, {"shape": "outline"})


def _colour(subject: Subject, colour: str) -> tuple[int, int, int]:
    if colour == "local":
        return surroundings_of(subject.rgb, subject.region).mean
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def _with_icon(plain: Pixels, name: str, region: Region) -> Pixels:
    """The icon turned with the head and scaled to the core, over the plain colour."""
    wanted = max(region.core.width, region.core.height)
    picture = icon_of_side(name, round(wanted))
    scale, middle = wanted / picture.shape[0], picture.shape[0] / 2
    cosine, sine = scale * math.cos(region.roll_rad), scale * math.sin(region.roll_rad)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array(region.core.centre) - (region.box.x0, region.box.y0)
    return laid_over(plain, picture, np.column_stack([linear, centre - linear @ (middle, middle)]))
