"""What an anonymization method is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from photo_anonymizer.methods.region import Region
from photo_anonymizer.model.pixels import Pixels

Parameters = Mapping[str, Any]


class Method(Protocol):
    """Makes the pixels that replace a face.

    Sizes and strengths come from the parameters (planned before, recorded after), chance from ``rng`` alone: the same
    inputs give the same pixels, so a task that is run again publishes the same picture.
    """

    name: str

    def pixels(self, rgb: Pixels, region: Region, parameters: Parameters, rng: np.random.Generator) -> Pixels:
        """New pixels for the whole region: uint8 (region height, region width, 3).

        :param rgb: uint8 (H, W, 3), the photo; not changed.
        """
