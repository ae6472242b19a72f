"""The faces that methods are measured on, and what a method makes of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photo_anonymizer.config import MethodName, RunConfig, load_config
from photo_anonymizer.consent import read_photo
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.region import region_of
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import Patch, compose
from photo_anonymizer.model.pixels import Pixels

SMALLEST_PX = 32
"""Lower faces have no mesh to measure by."""


@dataclass(frozen=True)
class Original:
    """One face that is beyond doubt, in its photo. ``person`` is the name of its folder."""

    rgb: Pixels
    face: Face
    person: str

    def subject(self) -> Subject:
        """With its mesh, pose and light."""
        region = region_of(self.face, (self.rgb.shape[1], self.rgb.shape[0]), scale=1.35, feather=0.08, shape="ellipse")
        if region is None:
            raise ValueError("the face lies outside its photo")
        return Subject(self.rgb, self.face, region)


@dataclass(frozen=True)
class Changed:
    """What a method makes of a face.

    :param rgb: the photo with that face changed, and no other.
    :param paint_s: seconds for the patch.
    """

    original: Original
    rgb: Pixels
    patch: Patch
    paint_s: float

    @property
    def by_another_method(self) -> bool:
        """Could the method not do this face?"""
        return "instead_of" in self.patch.parameters


def originals(folder: Path, smallest_px: int = SMALLEST_PX) -> Iterator[Original]:
    """The faces of all photos below a folder; what cannot be read is passed over."""
    config = load_config({"source": "-"})
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            rgb = read_photo(path, config)
        except PhotoError:
            continue
        for face in faces_of(rgb, config):
            if face.band == "accept" and face.box.height >= smallest_px:
                yield Original(rgb, face, path.parent.name)


def config_for(method: MethodName) -> RunConfig:
    """The default configuration with that method."""
    return load_config({"source": "-", "method": method})


def changed(faces: Sequence[Original], method: MethodName, draws: int = 1) -> Iterator[Changed]:
    """Every face as the method's first step changes it, so many times."""
    config = config_for(method)
    step = ladder(config, method)[0]
    for draw, (number, one) in itertools.product(range(draws), enumerate(faces)):
        started = time.perf_counter()
        rng = np.random.default_rng([number, draw])
        patch = patch_of(one.rgb, one.face, step, config.region.feather, rng)
        if patch is not None:
            took = time.perf_counter() - started
            yield Changed(one, compose(one.rgb, [patch]), patch, took)
