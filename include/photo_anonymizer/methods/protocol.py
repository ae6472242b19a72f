"""What an anonymization method is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.pixels import Alpha, Pixels

Parameters = Mapping[str, Any]


class CannotPaintError(Exception):
    """A method cannot do this face well: a weaker promise or another method must take its place, never nothing.

    The message is one of a few fixed words for the records, such as ``profile_view``; nothing about the photo.
    """


@dataclass(frozen=True)
class Painted:
    """What takes a face's place.

    :param pixels: uint8 (h, w, 3), for the whole of the subject's region box.
    :param alpha: uint8 (h, w), 0 keeps the photo, 255 replaces it.
    :param about: what the method found out and the records should say, JSON values, nothing identifying.
    """

    pixels: Pixels
    alpha: Alpha
    about: Mapping[str, Any] = field(default_factory=dict)


class Method(Protocol):
    """Makes the pixels that replace a face.

    Sizes and strengths come from the parameters (planned before, recorded after), chance from ``rng`` alone: the same
    inputs give the same pixels, so a task that is run again publishes the same picture.
    """

    name: str

    def paint(self, subject: Subject, parameters: Parameters, rng: np.random.Generator) -> Painted:
        """What takes the face's place.

        :raises CannotPaintError: the method cannot do this face; the next method that can takes its place.
        """
