"""Boxes in a photo's own upright pixel frame, and maps between pictures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator


class Box(BaseModel):
    """A half-open rectangle ``[x0, x1) × [y0, y1)`` in pixels; the origin is the photo's top left corner.

    :raises ValueError: a side is not positive or a value is not finite.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    x0: float
    y0: float
    x1: float
    y1: float

    @model_validator(mode="after")
    def _check(self) -> Box:
        if not all(map(math.isfinite, (self.x0, self.y0, self.x1, self.y1))):
            raise ValueError("a box needs finite sides")
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError(f"a box needs x0 < x1 and y0 < y1, got {self.x0, self.y0, self.x1, self.y1}")
        return self

    @property
    def width(self) -> float:
        """Width in px."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Height in px."""
        return self.y1 - self.y0

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y) in px."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def scaled(self, factor_x: float, factor_y: float | None = None) -> Box:
        """The box enlarged about its centre by the given factors."""
        half_width = self.width * factor_x / 2
        half_height = self.height * (factor_x if factor_y is None else factor_y) / 2
        x, y = self.centre
        return Box(x0=x - half_width, y0=y - half_height, x1=x + half_width, y1=y + half_height)

    def shifted(self, right_px: float, down_px: float) -> Box:
        """The box elsewhere."""
        return Box(x0=self.x0 + right_px, y0=self.y0 + down_px, x1=self.x1 + right_px, y1=self.y1 + down_px)

    def cover(self, size_wh: tuple[int, int]) -> PixelBox | None:
        """The smallest whole-pixel box that contains every touched pixel inside a photo of ``size_wh``.

        Near edges are floored and far edges are ceiled, so that no strip of a face stays clear. None when the box
        lies outside the photo.
        """
        x0, y0 = max(0, math.floor(self.x0)), max(0, math.floor(self.y0))
        x1, y1 = min(size_wh[0], math.ceil(self.x1)), min(size_wh[1], math.ceil(self.y1))
        return PixelBox(x0=x0, y0=y0, x1=x1, y1=y1) if x0 < x1 and y0 < y1 else None


class PixelBox(BaseModel):
    """A non-empty, half-open rectangle of whole pixels inside a photo."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x0: int
    y0: int
    x1: int
    y1: int

    @model_validator(mode="after")
    def _check(self) -> PixelBox:
        if self.x0 < 0 or self.y0 < 0 or self.x1 <= self.x0 or self.y1 <= self.y0:
            raise ValueError(f"want 0 ≤ x0 < x1 and 0 ≤ y0 < y1, got {self.x0, self.y0, self.x1, self.y1}")
        return self

    @property
    def width(self) -> int:
        """Width in px."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in px."""
        return self.y1 - self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns), to index an array of shape (H, W, …)."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


def intersection_over_union(a: Box, b: Box) -> float:
    """IoU of two boxes, 0 to 1 (Jaccard index)."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    if width <= 0 or height <= 0:
        return 0.0
    overlap = width * height
    return overlap / (a.width * a.height + b.width * b.height - overlap)


def for_opencv(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A map of places, (2, 3), as OpenCV wants it, which maps pixels' numbers: their middles lie half a pixel further.

    In a face of 40 px half a pixel is 3 % of the eyes' distance.
    """
    linear = matrix[:, :2]
    return np.column_stack([linear, linear @ np.full(2, 0.5) + matrix[:, 2] - 0.5])
