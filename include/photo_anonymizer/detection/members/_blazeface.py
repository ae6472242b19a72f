"""BlazeFace (Bazarevsky et al. 2019, arXiv 1907.05047): what MediaPipe's two face networks have in common.

A network sees one small square, so a photo is looked at as a whole and then in ever smaller overlapping tiles, until
the smallest wanted face is large enough in its tile.

Anchors, input range and the layout of the output are MediaPipe's (``SsdAnchorsCalculator`` and
``TensorsToDetectionsCalculator`` in its graphs ``face_detection_short_range`` and ``face_detection_full_range``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import tflite, weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.anchors import anchor_centres
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import stretched, tiles
from photo_anonymizer.detection.rows import Rows, detections, rows_of
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Pixels

CALLS_AT_MOST = 400
"""Squares looked at in one photo: half a second at 1.3 ms a call. A level of tiles that does not fit is left out whole,
so that every part of a photo is looked at equally well."""
MOUTH_WIDTH = 0.84
"""Of the distance between the eyes, median of 57 faces: the network gives only the mouth's centre."""
_LOGIT_LIMIT = 80.0
"""Beyond it the exponential leaves float32."""


@dataclass(frozen=True)
class Network:
    """A registered network with a square input of ``side_px``, values −1 to 1.

    ``anchors_per_cell`` of each ``stride``: how many boxes the network proposes at each cell of that grid.
    ``smallest_px``: height in the input from which it finds faces. The network's own square boxes end at the brows;
    RetinaFace's boxes of the same faces lie ``up`` sides further up the head and are ``wide`` and ``high`` sides large
    (medians of 57 portraits and small groups), and that is what is given out.
    """

    name: str
    side_px: int
    anchors_per_cell: tuple[tuple[int, int], ...]
    smallest_px: float
    up: float
    wide: float
    high: float


class BlazeFace:
    """Boxes and landmarks; eyes and nose from the network, the mouth's corners estimated from its centre."""

    network: Network

    def __init__(self, config: DetectionConfig, threads: int) -> None:  # noqa: ARG002 -- a call is too short to share
        weights.path_of(self.network.name)
        self._config, self._effort = config, effort_of(config)
        self._anchors = anchors(self.network)

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        seen = stretched(rgb)
        parts = self.parts((rgb.shape[1], rgb.shape[0]))
        return detections(np.concatenate([self._look(seen, part) for part in parts]))

    def parts(self, size_wh: tuple[int, int]) -> list[PixelBox]:
        """The whole, then tiles of half the side, a quarter … until the smallest wanted face is seen.

        What a level sees too small is as high as ``2 × smallest_px`` in the next, and fits into its tiles' overlap.
        """
        side, smallest = max(size_wh), self.network.smallest_px / self.network.side_px
        finest = max(self._effort.smallest_face_px / smallest, self.network.side_px / self._effort.max_enlargement)
        parts = [PixelBox(x0=0, y0=0, x1=size_wh[0], y1=size_wh[1])]
        while side > finest:
            side = max(round(side / 2), round(finest))
            level = tiles(size_wh, side, round(3 * smallest * side))
            if len(parts) + len(level) > CALLS_AT_MOST:
                break
            parts += level
        return parts

    def _look(self, rgb: Pixels, part: PixelBox) -> Rows:
        """Candidates in one part, in the photo's pixels."""
        picture, pixel = self._input(rgb[part.slices])
        values, logits = tflite.run(self.network.name, picture[np.newaxis])
        clipped = np.clip(logits.reshape(-1), -_LOGIT_LIMIT, _LOGIT_LIMIT)
        scores = (1 / (1 + np.exp(-clipped))).astype(np.float32)
        chosen = scores >= self._config.doubt_score
        boxes, points = decoded(values.reshape(-1, 8, 2)[chosen], self._anchors[chosen], self.network)
        corner = np.array([part.x0, part.y0], np.float32)
        boxes, points = boxes * pixel + corner, points * pixel + corner
        return rows_of(boxes.reshape(-1, 4), points, scores[chosen])

    def _input(self, rgb: Pixels) -> tuple[NDArray[np.float32], float]:
        """The part in the top left corner of the network's square, black elsewhere, and its px for one px of that."""
        side, longest = self.network.side_px, max(rgb.shape[:2])
        size_wh = [max(1, round(length * side / longest)) for length in rgb.shape[1::-1]]
        interpolation = cv2.INTER_AREA if longest > side else cv2.INTER_LINEAR
        square = np.full((side, side, 3), -1, np.float32)
        square[: size_wh[1], : size_wh[0]] = cv2.resize(rgb, size_wh, interpolation=interpolation) / 127.5 - 1
        return square, longest / side


def anchors(network: Network) -> Rows:
    """Centres of the proposals (n, 2) in the network's input, px, row by row of every grid."""
    return anchor_centres(network.side_px, network.anchors_per_cell)


def decoded(values: Rows, centres: Rows, network: Network) -> tuple[Rows, Rows]:
    """Boxes (n, 2, 2), corners, and the five landmarks (n, 5, 2), px of the network's input.

    :param values: (n, 8, 2): the box's centre and the six points as distances from the anchor, the box's size second.
    """
    centre, size = values[:, 0] + centres, np.abs(values[:, 1])
    left_eye, right_eye, nose, mouth = np.moveaxis(values[:, 2:6] + centres[:, np.newaxis], 1, 0)
    boxes = _whole_face(centre, size, right_eye - left_eye, network)
    half = (right_eye - left_eye) * (MOUTH_WIDTH / 2)
    return boxes, np.stack([left_eye, right_eye, nose, mouth - half, mouth + half], axis=1)


def _whole_face(centre: Rows, size: Rows, across: Rows, network: Network) -> Rows:
    """Boxes (n, 2, 2) of the whole faces, turned with the heads: ``across`` (n, 2) leads from eye to eye."""
    length = np.maximum(np.hypot(across[:, :1], across[:, 1:]), np.finfo(np.float32).tiny)
    cosine, sine = np.split(across / length, 2, axis=1)
    middle = centre + network.up * size * np.hstack([sine, -cosine])
    wide, high = np.float32(network.wide), np.float32(network.high)
    turned = np.hstack([wide * cosine**2 + high * sine**2, high * cosine**2 + wide * sine**2])
    half = size * turned / 2
    return np.stack([middle - half, middle + half], axis=1)
