"""What the descriptions of all generators say, and how they are read."""

from __future__ import annotations

from pydantic import Field

from photo_anonymizer.modelfile import ModelFile


class Description(ModelFile):
    """A user's generator: its file or folder, hash, licence, and the squares that it works on."""

    size_px: int = Field(ge=32, le=2048, multiple_of=8, description="Side of the square that it works on (pixels).")
    margin: float = Field(
        1.6, ge=1.1, le=4, description="Side of the square in heights of the face: how much around it is shown."
    )
