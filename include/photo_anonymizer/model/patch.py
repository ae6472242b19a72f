"""Edits, not pictures: a stage that changes pixels writes patches, and one stage composes them.

A patch says which region changes, how strongly at every pixel (its mask), what the new pixels are, who made it and
with what parameters. A photo is therefore encoded once, and the audit can say which pixels changed and why.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Alpha, Pixels

CUE_LAYER = 0
"""Residual cues lie below …"""
FACE_LAYER = 1
"""… the faces, so that nothing that is drawn later can bring back a face's pixels."""
_one_reader = threading.Lock()
"""NumPy parses the header of every array as Python, and CPython 3.11 counts the depth of that for all threads together:
of several that read at once one fails now and then ("AST constructor recursion depth mismatch")."""


@dataclass(frozen=True)
class Patch:
    """One edit of one photo.

    :param region: where, in the photo's pixels.
    :param pixels: uint8 (h, w, 3), the new colours of the whole region.
    :param alpha: uint8 (h, w), 0 keeps the photo, 255 replaces it entirely.
    :param layer: lower layers are composed first; within a layer, in the order of the list.
    :param author: ``family.member`` that made it, such as ``methods.blur``.
    :param parameters: every number the pixels depend on, JSON values only.
    :param face_id: the face this is about, or "".
    :raises ValueError: shapes or types do not fit.
    """

    region: PixelBox
    pixels: Pixels
    alpha: Alpha
    layer: int
    author: str
    parameters: dict[str, Any] = field(default_factory=dict)
    face_id: str = ""

    def __post_init__(self) -> None:
        shape = self.region.height, self.region.width
        if self.alpha.shape != shape or self.alpha.dtype != np.uint8:
            raise ValueError(f"want alpha uint8 {shape}, got {self.alpha.dtype} {self.alpha.shape}")
        if self.pixels.shape != (*shape, 3) or self.pixels.dtype != np.uint8:
            raise ValueError(f"want pixels uint8 {(*shape, 3)}, got {self.pixels.dtype} {self.pixels.shape}")

    def about(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON values."""
        return {
            "region": self.region.model_dump(),
            "layer": self.layer,
            "author": self.author,
            "parameters": self.parameters,
            "face_id": self.face_id,
        }


def compose(rgb: Pixels, patches: Sequence[Patch]) -> Pixels:
    """The photo with all patches applied; the input is not changed, and nothing outside the masks is.

    :param rgb: uint8 (H, W, 3).
    :raises ValueError: a patch reaches beyond the photo.
    """
    result = rgb.copy()
    for patch in sorted(patches, key=lambda item: item.layer):
        if patch.region.x1 > rgb.shape[1] or patch.region.y1 > rgb.shape[0]:
            raise ValueError(f"a patch at {patch.region} reaches beyond a photo of {rgb.shape[1]} × {rgb.shape[0]} px")
        place = patch.region.slices
        alpha = patch.alpha[..., np.newaxis].astype(np.uint16)
        blended = result[place] * (255 - alpha) + patch.pixels * alpha
        result[place] = ((blended + 127) // 255).astype(np.uint8)
    return result


def save_patches(path: Path, patches: Sequence[Patch]) -> None:
    """Writes the patches of one photo into one uncompressed ``.npz`` file."""
    about = json.dumps([patch.about() for patch in patches])
    arrays: dict[str, npt.NDArray[Any]] = {"about": np.frombuffer(about.encode(), np.uint8)}
    for number, patch in enumerate(patches):
        arrays[f"pixels_{number}"] = patch.pixels
        arrays[f"alpha_{number}"] = patch.alpha
    with path.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def load_patches(path: Path) -> list[Patch]:
    """The patches that :func:`save_patches` wrote."""
    with _one_reader, np.load(path, allow_pickle=False) as stored:
        about = json.loads(stored["about"].tobytes().decode())
        return [
            Patch(
                region=PixelBox.model_validate(entry["region"]),
                pixels=stored[f"pixels_{number}"],
                alpha=stored[f"alpha_{number}"],
                layer=entry["layer"],
                author=entry["author"],
                parameters=entry["parameters"],
                face_id=entry["face_id"],
            )
            for number, entry in enumerate(about)
        ]


def load_edits(path: Path) -> list[dict[str, Any]]:
    """What :meth:`Patch.about` said of every patch in a file, without reading the pixels."""
    with _one_reader, np.load(path, allow_pickle=False) as stored:
        edits: list[dict[str, Any]] = json.loads(stored["about"].tobytes().decode())
        return edits
