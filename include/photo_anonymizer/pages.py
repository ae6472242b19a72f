"""What all pages that a person opens have in common: strict templates, and pictures inside the page."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from photo_anonymizer.model.pixels import Pixels


def templates_in(folder: Path) -> Environment:
    """The templates of a folder. What HTML gets is escaped, and a name that is not there is an error."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=lambda name: name is None or name.endswith("html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def jpeg_uri(jpeg: bytes) -> str:
    """A JPEG file as a ``data:`` URI."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")


def as_jpeg(rgb: Pixels, quality: int) -> bytes:
    """A picture, uint8 (H, W, 3), as a JPEG file."""
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
