"""What many tests start from: a configuration in a temporary folder, a picture of a person, a way to save it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image
from skimage import data

from photo_anonymizer.config import RunConfig, load_config

# How long an example takes says what else the machine does, not whether the code is right.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture
def config(tmp_path) -> Callable[..., RunConfig]:
    """Makes a configuration whose source is ``tmp_path/photos`` (there, empty) and whose output ``tmp_path/out``."""

    def make(**changes: Any) -> RunConfig:
        photos = tmp_path / "photos"
        photos.mkdir(exist_ok=True)
        return load_config({"source": str(photos), "out": str(tmp_path / "out"), "workers": 2, **changes})

    return make


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """Eileen Collins, (512, 512, 3) uint8 RGB; read-only."""
    picture = np.asarray(data.astronaut())
    picture.setflags(write=False)
    return picture


@pytest.fixture
def write_photo() -> Callable[..., Path]:
    """Saves RGB pixels under a path; the format follows the name unless ``format`` says otherwise."""

    def write(path: Path, rgb: np.ndarray, **save: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(path, **save)
        return path

    return write
