"""Any user's ONNX face recogniser, described by a YAML file.

    name: my_arcface
    path: my_arcface.onnx           # beside this file
    sha256: 4c06341c33c2ca1f86781dab0e829f88ad5b64be9fba56e56bc9ebdefc619e43
    licence: non-commercial research only
    size_px: 112
    colour: rgb                     # what the network was trained with
    mean: [127.5, 127.5, 127.5]     # (value - mean) * scale, 0 to 255, in the order of 'colour'
    scale: [0.0078431, 0.0078431, 0.0078431]
    layout: nchw
    template: arcface               # or five points [[x, y], ...] in px of the chip
    metric: cosine                  # or euclidean
    threshold: 0.3                  # same person from this cosine on, or up to this distance

Everything that can be wrong without a face is refused before the first photo. Whether the network recognises anybody,
the run's own originals tell.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.modelfile import ModelFile, read_described
from photo_anonymizer.reid.recognisers.protocol import Embeddings, check_chips
from photo_anonymizer.reid.recognisers.templates import arcface
from photo_anonymizer.users_onnx import Colour, Layout, Three, input_of, session_of, tensor_of

NAME = "user_onnx"
_BATCH = 16
_MAX_NUMBERS = 8192
_SMALL = 1e-12

Coordinate = Annotated[float, Field(allow_inf_nan=False)]
Point = tuple[Coordinate, Coordinate]


class Description(ModelFile):
    """A user's ONNX face recogniser."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="What it is called in tables and reports.")
    input: str | None = Field(None, description="Name of the input; empty: the only one.")
    output: str | None = Field(None, description="Name of the output with the embeddings; empty: the first.")
    size_px: int = Field(ge=16, le=1024, description="Side of the square picture that it is given (pixels).")
    layout: Layout = "nchw"
    colour: Colour = "rgb"
    mean: Three = Field((0.0, 0.0, 0.0), description="Taken from every channel (0–255), in the order of 'colour'.")
    scale: Three = Field((1.0, 1.0, 1.0), description="Then every channel is multiplied by this.")
    template: Literal["arcface"] | tuple[Point, Point, Point, Point, Point] = Field(
        "arcface",
        description="Where the picture shows left eye, right eye, nose, left and right mouth corner, as seen in the "
        "picture (pixels); 'arcface': the usual five points of 112 px, scaled to size_px.",
    )
    metric: Literal["cosine", "euclidean"]
    threshold: float = Field(
        allow_inf_nan=False, description="Same person: a cosine of at least this, or a distance of at most this."
    )

    @model_validator(mode="after")
    def _sensible(self) -> Description:
        if self.metric == "cosine" and not -1 < self.threshold < 1:
            raise ValueError("threshold: a cosine lies between -1 and 1")
        if self.metric == "euclidean" and self.threshold <= 0:
            raise ValueError("threshold: a distance is above 0")
        if not _is_a_face(self.points, self.size_px):
            raise ValueError(
                "template: want left eye, right eye, nose, left and right mouth corner, as seen in the picture, in "
                "pixels of the chip, y downwards"
            )
        return self

    @property
    def points(self) -> NDArray[np.float64]:
        """The template as (5, 2) in px of the chip, read-only."""
        if self.template == "arcface":
            return arcface(self.size_px)
        points = np.array(self.template, np.float64)
        points.setflags(write=False)
        return points


def _is_a_face(points: NDArray[np.float64], size_px: int) -> bool:
    """Do the five points lie in the chip, in the order and the places of an upright face's?"""
    (left_eye, right_eye, _, left_mouth, right_mouth) = points
    inside = bool(((points >= 0) & (points <= size_px)).all())
    sides = left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    return inside and bool(sides and max(left_eye[1], right_eye[1]) < min(left_mouth[1], right_mouth[1]))


def read_description(path: Path) -> Description:
    """The description in a YAML file; see :func:`~photo_anonymizer.modelfile.read_described`."""
    return read_described(path, Description, "a user's recogniser")


class UserOnnx:
    """One described network; ``name`` is ``user_onnx.`` and the description's name.

    *Cosine*: embeddings are divided by their length, and a cosine of c is a distance of ``sqrt(2 - 2c)``. A row of
    length 0 stays 0. *Euclidean*: embeddings are divided by the threshold, so that 1 is the threshold and distances of
    all recognisers are of one order.

    :param description: the YAML file.
    :param threads: threads of ONNX Runtime for one batch.
    :raises ConfigError: the description is not usable or does not fit the network.
    :raises ModelError: the model's file is missing, altered or no ONNX model.
    """

    def __init__(self, description: Path, threads: int = 2) -> None:
        self.described = read_description(description)
        given = self.described
        self.name = f"{NAME}.{given.name}"
        self.threshold = math.sqrt(2 - 2 * given.threshold) if given.metric == "cosine" else 1.0
        self.chip_size_px = given.size_px
        self.template = given.points
        self._session = session_of(given.read(f"the user's recogniser {given.name!r}"), threads, "a user's recogniser")
        self._input, self._type = input_of(self._session, given.input, "the user's recogniser")
        self._output = self._output_of()
        self._batch = self._fixed_batch()
        self._check_runs()

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Embeddings (N, D) of chips (N, ``size_px``, ``size_px``, 3), RGB.

        :raises ValueError: the chips have another shape or type.
        """
        check_chips(chips, self.chip_size_px)
        batch = self._batch or _BATCH
        found = [self._run(chips[start : start + batch]) for start in range(0, len(chips), batch)]
        rows = np.concatenate(found) if found else self._run(np.zeros((1, *chips.shape[1:]), np.uint8))[:0]
        if self.described.metric == "euclidean":
            return np.asarray(rows / self.described.threshold, np.float32)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(np.where(lengths > _SMALL, rows / np.maximum(lengths, _SMALL), rows), np.float32)

    def _run(self, chips: NDArray[np.uint8]) -> NDArray[np.float64]:
        """What the network says of at most one batch: (N, D)."""
        given, n = self.described, len(chips)
        if self._batch:  # a network for a fixed number of pictures gets black ones besides
            chips = np.concatenate([chips, np.zeros((self._batch - n, *chips.shape[1:]), np.uint8)])
        values = tensor_of(chips, given.colour, given.mean, given.scale, given.layout, self._type)
        (rows,) = self._session.run([self._output], {self._input: values})
        found = np.asarray(rows, np.float64)
        if found.ndim < 2 or len(found) != len(chips):
            raise ValueError(f"want one row for each of {len(chips)} pictures, got {found.shape}")
        return found.reshape(len(chips), -1)[:n]

    def _output_of(self) -> str:
        there = [item.name for item in self._session.get_outputs()]
        name = self.described.output or there[0]
        if name not in there:
            raise ConfigError(f"the user's recogniser has no output {name!r}; it has: {', '.join(there)}")
        return name

    def _fixed_batch(self) -> int | None:
        """How many pictures the network takes at once, if it does not take any number."""
        first: Any = (*self._session.get_inputs()[0].shape, None)[0]
        return first if isinstance(first, int) and first > 0 else None

    def _check_runs(self) -> None:
        """Lets the network look at noise.

        :raises ConfigError: it fails, or does not answer with a row of finite numbers for each picture.
        """
        side = self.chip_size_px
        noise = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
        try:
            rows = self.embed(noise)
        except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime or NumPy say, it does not fit
            raise ConfigError(
                f"{self.name}: the network does not run as it is described ({type(error).__name__}); "
                "check size_px, layout, input and output"
            ) from None
        if not 2 <= rows.shape[1] <= _MAX_NUMBERS or not np.isfinite(rows).all():
            raise ConfigError(
                f"{self.name}: want 2 to {_MAX_NUMBERS} finite numbers a face, got {rows.shape[1]} for noise; "
                "check output, mean and scale"
            )
