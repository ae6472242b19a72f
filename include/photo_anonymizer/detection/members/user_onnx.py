"""Any user's ONNX face detector, described by a YAML file (:mod:`…members._onnx_description`).

SCRFD-like networks (one head a stride, distances from cells), YOLO-like ones (one transposed table) and those that
decode their boxes themselves can be described. Other anchors than cells cannot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.effort import Effort, effort_of
from photo_anonymizer.detection.members._onnx_description import (
    Boxes,
    Grid,
    Head,
    Input,
    Values,
    read_description,
)
from photo_anonymizer.detection.members._scaled import best, moved, parts, resized, scaled_size
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import stretched
from photo_anonymizer.detection.rows import landmarks_of
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.users_onnx import input_of, session_of, tensor_of

Floats = NDArray[np.float64]
Outputs = Mapping[str, NDArray[Any]]
_LOGIT_LIMIT = 80.0


@dataclass(frozen=True)
class Canvas:
    """A part of a photo as the network sees it: ``picture`` uint8 (H, W, 3) RGB; photo px = (x − offset) · factor."""

    picture: Pixels
    offset_xy: tuple[int, int]
    factor_xy: tuple[float, float]


class UserOnnx:
    """One described network; ``name`` becomes ``user_onnx.`` and the description's name."""

    name = "user_onnx"

    def __init__(self, config: DetectionConfig, threads: int, description: Path | None = None) -> None:
        """Loads the network and runs it once on black.

        :raises ConfigError: no description, an unusable one, or one that does not fit the network.
        :raises ModelError: the model's file is missing, altered or no ONNX model.
        """
        if description is None and not config.user_model:
            raise ConfigError("the detector 'user_onnx' needs detection.user_model: a YAML file that describes it")
        self._described = read_description(description or Path(str(config.user_model)).expanduser())
        self.name = f"user_onnx.{self._described.name}"
        self._config, self._effort = config, effort_of(config)
        model = self._described.read(f"the user's detector {self._described.name!r}")
        self._session = session_of(model, threads, "a user's detector")
        self._input_name, self._type = input_of(self._session, self._described.input.name, "the user's detector")
        _check_outputs(self._session, self._described.heads)
        try:
            self._look(np.zeros((64, 64, 3), np.uint8))
        except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime or NumPy say, it does not fit
            raise ConfigError(
                f"{self.name}: the network does not run as it is described ({type(error).__name__}); "
                "check size, layout, columns, transposed and grid"
            ) from None

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        seen, given = stretched(rgb), self._described.input
        side = min(given.size) if given.size else self._effort.long_side_px
        found = []
        for part in parts((rgb.shape[1], rgb.shape[0]), side, given.seen_face_px, self._effort):
            found += [moved(item, (1, 1), (part.x0, part.y0)) for item in self._look(seen[part.slices])]
        return best(found, self._described.overlap)

    def _look(self, rgb: Pixels) -> list[Detection]:
        """Candidates at or above the threshold in one part, in its own pixels; not suppressed."""
        shown = canvas(rgb, self._described.input, self._effort)
        names = [output.name for output in self._session.get_outputs()]
        values = self._session.run(names, {self._input_name: tensor(shown.picture, self._described.input, self._type)})
        outputs = dict(zip(names, values, strict=True))
        lowest = self._described.threshold or self._config.doubt_score
        size_wh = shown.picture.shape[1], shown.picture.shape[0]
        dx, dy = (-offset * factor for offset, factor in zip(shown.offset_xy, shown.factor_xy, strict=True))
        found = [item for head in self._described.heads for item in decoded(head, outputs, size_wh, lowest)]
        return [moved(item, shown.factor_xy, (dx, dy)) for item in found]


def canvas(rgb: Pixels, given: Input, effort: Effort) -> Canvas:
    """A part of a photo, scaled and placed in a picture of the network's input size."""
    long_side = max(rgb.shape[:2])
    if given.size and given.fit == "stretch":
        factor_xy = rgb.shape[1] / given.size[0], rgb.shape[0] / given.size[1]
        return Canvas(resized(rgb, given.size), (0, 0), factor_xy)
    if given.size:
        scale = min(given.size[0] / rgb.shape[1], given.size[1] / rgb.shape[0])
    else:
        scale = effort.long_side_px / long_side
    scaled = resized(rgb, scaled_size(rgb, min(scale, effort.max_enlargement)))
    height, width = scaled.shape[:2]
    size_wh = given.size or tuple(length + -length % given.multiple_of for length in (width, height))
    left, top = ((size_wh[0] - width) // 2, (size_wh[1] - height) // 2) if given.fit == "centre" else (0, 0)
    picture = np.full((size_wh[1], size_wh[0], 3), given.fill, np.uint8)
    picture[top : top + height, left : left + width] = scaled
    return Canvas(picture, (left, top), (rgb.shape[1] / width, rgb.shape[0] / height))


def tensor(rgb: Pixels, given: Input, kind: type[np.generic]) -> NDArray[Any]:
    """The network's input, a batch of one: (value − mean) · scale in the described colour order and layout."""
    return tensor_of(rgb[np.newaxis], given.colour, given.mean, given.scale, given.layout, kind)


def decoded(head: Head, outputs: Outputs, size_wh: tuple[int, int], lowest: float) -> list[Detection]:
    """Candidates of one head with at least that score, in pixels of the input; unusable boxes are dropped.

    :param size_wh: of the network's input.
    """
    scores = table(outputs, head.scores)[:, head.scores.column]
    if head.scores.sigmoid:
        scores = 1 / (1 + np.exp(-np.clip(scores, -_LOGIT_LIMIT, _LOGIT_LIMIT)))
    centres = _centres(head.grid, size_wh) if head.grid else np.zeros((len(scores), 2))
    stride = head.grid.stride if head.grid else 1
    chosen = scores >= lowest
    boxes = corners(table(outputs, head.boxes)[:, head.boxes.columns][chosen] * stride, centres[chosen], head.boxes)
    if head.boxes.unit == "relative":
        boxes = boxes * np.array(size_wh * 2)
    points = _points(head, outputs, chosen, centres, size_wh)
    return [
        Detection(
            Box(x0=box[0], y0=box[1], x1=box[2], y1=box[3]),
            landmarks_of(five) if np.isfinite(five).all() else None,
            min(1.0, float(score)),
        )
        for box, five, score in zip(boxes.tolist(), points, scores[chosen], strict=True)
        if all(map(math.isfinite, box)) and box[0] < box[2] and box[1] < box[3]
    ]


def table(outputs: Outputs, values: Values) -> Floats:
    """An output as float64 (candidates, columns), without the batch's axis.

    :raises ValueError: it is no table.
    """
    raw = np.asarray(outputs[values.output], np.float64)
    if raw.ndim == 1:
        raw = raw[:, np.newaxis]
    while raw.ndim > 2 and raw.shape[0] == 1:
        raw = raw[0]
    if raw.ndim != 2:
        raise ValueError("an output is no table of candidates")
    return raw.T if values.transposed else raw


def corners(values: Floats, centres: Floats, boxes: Boxes) -> Floats:
    """Boxes (n, 4) as x0, y0, x1, y1 in their own unit.

    :param centres: (n, 2), used by the format ``ltrb`` alone.
    """
    first, second = values[:, :2], values[:, 2:]
    if boxes.format == "xyxy":
        pair = first, second
    elif boxes.format == "xywh":
        pair = first, first + second
    elif boxes.format == "cxcywh":
        pair = first - second / 2, first + second / 2
    else:
        pair = centres - first, centres + second
    return np.concatenate(pair, axis=1)


def _points(
    head: Head, outputs: Outputs, chosen: NDArray[np.bool_], centres: Floats, size_wh: tuple[int, int]
) -> Floats:
    """Landmarks (n, 5, 2) of the chosen candidates in pixels of the input; not a number where there are none."""
    if head.landmarks is None:
        return np.full((int(chosen.sum()), 5, 2), np.nan)
    points = table(outputs, head.landmarks)[:, head.landmarks.columns][chosen].reshape(-1, 5, 2)
    if head.landmarks.unit == "relative":
        points = points * np.array(size_wh)
    stride = head.grid.stride if head.grid else 1
    return np.asarray(points * stride + centres[chosen][:, np.newaxis])


def _centres(grid: Grid, size_wh: tuple[int, int]) -> Floats:
    """Centres (n, 2) of a grid's candidates in pixels of the input, row by row."""
    columns, rows = (math.ceil(length / grid.stride) for length in size_wh)
    y, x = np.mgrid[0:rows, 0:columns]
    cells = np.stack([x, y], axis=-1).reshape(-1, 2)
    return np.repeat((cells + grid.offset) * grid.stride, grid.per_cell, axis=0)


def _check_outputs(session: Any, heads: tuple[Head, ...]) -> None:
    there = [item.name for item in session.get_outputs()]
    named = {part.output for head in heads for part in (head.boxes, head.scores, head.landmarks) if part}
    if wrong := sorted(named - set(there)):
        raise ConfigError(
            f"the user's detector has no output {', '.join(map(repr, wrong))}; it has: {', '.join(there)}"
        )
