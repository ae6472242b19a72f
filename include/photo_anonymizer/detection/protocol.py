"""What a face detector is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels


@dataclass(frozen=True)
class Detection:
    """A candidate in the photo's own pixels; ``score`` is 0 to 1. ``None``: the detector gives no landmarks."""

    box: Box
    landmarks: Landmarks | None
    score: float


class Detector(Protocol):
    """Finds faces in a picture."""

    name: str

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        """Loads the model.

        :raises ModelError: its file is missing or altered.
        """

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Candidates at or above the lower threshold.

        :param rgb: uint8 (H, W, 3), upright; not changed.
        :returns: in falling order of score, duplicates suppressed; boxes may reach beyond the picture.
        """
