"""Drawn people, photos of them, and a recogniser that compares thumbnails: attacks in seconds, without a model."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from photo_anonymizer.reid.attacks.prints import BITS, Prints
from photo_anonymizer.reid.attacks.protocol import Chips, Probes, Setting

SIDE_PX = 48
PEOPLE, PHOTOS = 8, 5


class Thumbnails:
    """A recogniser whose embedding is the face's brightness in 8 × 8 cells."""

    name = "thumbnails"
    threshold = 0.6
    chip_size_px = SIDE_PX
    template = np.array([[15, 15], [33, 15], [24, 25], [16, 34], [32, 34]], np.float64)

    def embed(self, chips: np.ndarray) -> np.ndarray:
        cells = [cv2.resize(chip, (8, 8), interpolation=cv2.INTER_AREA).mean(axis=2) for chip in chips]
        return (np.array(cells, np.float32).reshape(len(chips), 64) - 128) / 255


class Constant(Thumbnails):
    """A recogniser that sees nothing."""

    name = "constant"

    def embed(self, chips: np.ndarray) -> np.ndarray:
        return np.ones((len(chips), 64), np.float32)


SETTING = Setting(Thumbnails())
BLIND = Setting(Constant())


def photos_of_people(people: int = PEOPLE, photos: int = PHOTOS, light: float = 8, seed: int = 0) -> Chips:
    """Faces person by person: each an 8 × 8 pattern of their own, in another light in every photo.

    :param light: how strong the light of a photo differs, from side to side and from top to bottom.
    """
    rng = np.random.default_rng(seed)
    ramp = np.linspace(-1, 1, SIDE_PX)
    faces = []
    for _ in range(people):
        pattern = cv2.resize(rng.uniform(60, 195, (8, 8, 3)), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
        for _ in range(photos):
            across, down, level = rng.normal(0, light, 3)
            lit = pattern + (across * ramp + down * ramp[:, np.newaxis] + level)[..., np.newaxis]
            faces.append(lit + rng.normal(0, 2, lit.shape))
    return np.clip(np.rint(faces), 0, 255).astype(np.uint8)


def noise(seed: int, count: int = PEOPLE * PHOTOS) -> Chips:
    """Faces that have nothing to do with anybody."""
    return np.random.default_rng(seed).integers(0, 256, (count, SIDE_PX, SIDE_PX, 3), np.uint8)


def blurred(chips: Chips, sigma_px: float = 3) -> Chips:
    """The filter that leaves the face to whoever turns it back."""
    return np.stack([cv2.GaussianBlur(chip, (0, 0), sigma_px) for chip in chips])


def probes(
    original: Chips,
    published: Chips,
    enrolled: list[Chips] | None = None,
    *,
    photos_each: int = PHOTOS,
    **changes: object,
) -> Probes:
    """Probes of people with equally many photos each; the attacker's own draws are the published ones unless given."""
    count = len(original)
    given: dict[str, object] = {
        "original": original,
        "published": published,
        "enrolled": np.stack(enrolled or [published]),
        "context": np.zeros((count, 160, 160, 3), np.uint8),
        "people": np.arange(count) // photos_each,
        "photos": np.arange(count),
        "prints": Prints(np.zeros((count, BITS), bool), np.zeros((count, BITS), bool)),
        "treatments": ("methods.blur",) * count,
    }
    return Probes(**{**given, **changes})  # type: ignore[arg-type]


def by_draws(change: Callable[[int], Chips], draws: int = 3) -> tuple[Chips, list[Chips]]:
    """What is published, and what the attacker makes himself with other chance."""
    return change(0), [change(draw + 1) for draw in range(draws)]
