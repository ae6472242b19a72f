"""What stripping is asked to do: the part of a run's configuration that it needs, as it can be sent to a worker."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from photo_anonymizer.config import RunConfig

OutputFormat = Literal["same", "jpeg", "png", "webp"]


class Policy(BaseModel):
    """How a photo is stripped and in which format it is published."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_pixels: int
    """Largest width × height that is decoded."""
    max_frames: int = 100
    """Files with more pictures than this are held."""
    output_format: OutputFormat = "same"
    quality: int = 92
    """Of lossy files whose input has no setting to follow (1–100)."""
    reencode: bool = False
    """Write every file from its pixels with this project's own settings, even where it could stay as it is."""
    keep_capture_year: bool = False
    keep_exposure: bool = False

    @classmethod
    def of(cls, config: RunConfig) -> Policy:
        """The policy of a run."""
        ingest, metadata = config.ingest, config.metadata
        return cls(
            max_pixels=int(ingest.max_megapixels * 1_000_000),
            max_frames=ingest.max_frames,
            output_format=metadata.output_format,
            quality=metadata.quality,
            reencode=metadata.reencode,
            keep_capture_year=metadata.keep_capture_year,
            keep_exposure=metadata.keep_exposure,
        )
