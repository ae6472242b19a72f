"""How the published file of a photo is written from its pixels."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

PictureFormat = Literal["jpeg", "png", "webp", "tiff", "avif"]
"""What a release can hold."""

EXTENSIONS: dict[PictureFormat, str] = {"jpeg": "jpg", "png": "png", "webp": "webp", "tiff": "tiff", "avif": "avif"}


class Encoding(BaseModel):
    """A photo's published format and what its encoder is told, taken from the input so that the result resembles it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: PictureFormat
    grey: bool = False
    """Is one channel written?"""
    lossless: bool = False
    """WebP only; PNG and TIFF always are."""
    quality: int = Field(0, ge=0, le=100)
    """JPEG without tables of its own, lossy WebP and AVIF: the encoder's quality."""
    tables: tuple[tuple[int, ...], ...] = ()
    """JPEG: up to two quantisation tables (luma, chroma) of 64 steps, 1–255, row by row (not zigzag)."""
    subsampling: Literal[0, 1, 2] = 0
    """JPEG and AVIF: 0 is 4:4:4, 1 is 4:2:2, 2 is 4:2:0."""
    progressive: bool = False
    """JPEG only."""
    profile: str = ""
    """Name of the well-known colour profile that the pixels are in; empty: sRGB, without a profile."""

    @property
    def is_lossless(self) -> bool:
        """Does the published file hold the very pixels that its encoder is given?"""
        return self.lossless or self.format in ("png", "tiff")

    @property
    def extension(self) -> str:
        """File name extension, without the dot."""
        return EXTENSIONS[self.format]
