"""How hard is looked for faces: three levels, each a bound on what a photo may cost.

What a level finds, and at what price, is in ``docs/figures.md``; ``scripts/measure_detection.py --efforts`` prints it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from photo_anonymizer.config import DetectionConfig


@dataclass(frozen=True)
class Effort:
    """What one level looks at."""

    long_side_px: int
    """At which the whole photo is looked at."""
    coarse_side_px: int
    """At which it is looked at once more, for faces that fill it."""
    max_enlargement: float
    """Of small photos, at most."""
    smallest_face_px: int
    """Height in the photo from which a face must reach the network at a size that it sees: large photos are looked at
    in tiles too."""
    tiles_megapixels: float
    """That all tiles of a photo may have together, as the network gets them: in larger photos tiles are scaled down."""
    several_looks: bool
    """Is the whole looked at in two sizes, and both in the mirror too, so that chance findings are outvoted?"""
    turned: Literal["when nothing", "when little", "always"]
    """When are the other ways of holding a photo glanced at: no face found, few of the findings sure, or always."""


EFFORTS: dict[str, Effort] = {
    "fast": Effort(
        long_side_px=640,
        coarse_side_px=256,
        max_enlargement=2.5,
        smallest_face_px=48,
        tiles_megapixels=4,
        several_looks=False,
        turned="when nothing",
    ),
    "balanced": Effort(
        long_side_px=1024,
        coarse_side_px=320,
        max_enlargement=2.5,
        smallest_face_px=24,
        tiles_megapixels=12,
        several_looks=False,
        turned="when little",
    ),
    "thorough": Effort(
        long_side_px=1600,
        coarse_side_px=640,
        max_enlargement=4,
        smallest_face_px=10,
        tiles_megapixels=48,
        several_looks=True,
        turned="always",
    ),
}


def effort_of(config: DetectionConfig) -> Effort:
    """The level that the configuration asks for, with the sizes that it sets itself."""
    own = {
        name: value
        for name in ("long_side_px", "max_enlargement", "smallest_face_px")
        if (value := getattr(config, name)) is not None
    }
    return replace(EFFORTS[config.effort], **own)
