"""A generated face in a photo: the user's model is loaded, asked, and its answer checked."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from photo_anonymizer.config import RunConfig
from photo_anonymizer.mesh.topology import Vertices
from photo_anonymizer.methods.generators import GENERATORS
from photo_anonymizer.methods.generators.protocol import Canvas, Generator, Scene
from photo_anonymizer.methods.generators.scene import in_photo, scene_of
from photo_anonymizer.methods.protocol import CannotPaintError
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.geometry import PixelBox

log = logging.getLogger(__name__)

FLAT = 1.0
"""Standard deviation (0–255) up to which an answer shows nothing: black pictures are how some pipelines refuse."""
_LOADED: dict[tuple[str, str], Generator] = {}
_LOADING = Lock()


def check_generator(config: RunConfig) -> None:
    """Can the model that the run will ask be loaded, and does it answer?

    :raises ConfigError, ModelError: as :class:`~photo_anonymizer.methods.generators.protocol.Generator`.
    """
    if config.chosen_method == "synthetic" and config.synthetic.generator != "none":
        load_generator(config.synthetic.generator, str(config.synthetic.generator_model))


def load_generator(name: str, description: str) -> Generator:
    """The described model, once a process: it may fill much of the memory."""
    with _LOADING:
        if (name, description) not in _LOADED:
            _LOADED[name, description] = GENERATORS.load(name)(Path(description))
        return _LOADED[name, description]


def generated(
    generator: Generator, subject: Subject, points: Vertices, box: PixelBox, rng: np.random.Generator
) -> tuple[Canvas, dict[str, Any]]:
    """A new face as a box of the photo shows it, float32 (h, w, 3), 0 to 255, and what the records say of it.

    :param points: (468, 2 or 3), where the new face's mesh is in the photo.
    :raises CannotPaintError: the generator has failed, whatever it says.
    """
    scene = scene_of(subject, points, generator.side_px, generator.margin)
    try:
        made = generator.generate(scene, rng)
    except Exception as error:  # noqa: BLE001 - another method does the face
        log.warning("the generator %s has failed on a face (%s)", generator.name, type(error).__name__)
        raise CannotPaintError("generator_failed") from None
    if not _shows_something(made, scene):
        raise CannotPaintError("generator_failed")
    made = np.clip(made, 0, 255).astype(np.float32)
    return in_photo(made, scene, box), {"source": generator.name, "model": generator.sha256[:12]}


def _shows_something(made: Canvas, scene: Scene) -> bool:
    """Is this a picture, and not one colour where the face should be?"""
    if made.ndim != 3 or made.shape[0] != made.shape[1] or made.shape[2] != 3 or not np.isfinite(made).all():
        return False
    blank = cv2.resize(scene.blank.astype(np.uint8), made.shape[:2], interpolation=cv2.INTER_NEAREST) > 0
    return bool(made[blank].std(axis=0).max() > FLAT)
