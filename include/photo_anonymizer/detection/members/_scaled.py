"""What members share that look at a photo scaled, or part by part: from there back into the photo's own pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np

from photo_anonymizer.detection.effort import Effort
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import tiles
from photo_anonymizer.detection.rows import SUPPRESSION_IOU, landmarks_of
from photo_anonymizer.model.face import Point
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.shrink import shrunk


def parts(size_wh: tuple[int, int], input_px: int, seen_face_px: int, effort: Effort) -> list[PixelBox]:
    """The parts of a photo to look at: the whole, and tiles where faces of ``smallest_face_px`` would be too small.

    :param input_px: long side of what the network sees.
    :param seen_face_px: height in the network's input from which it finds faces.
    """
    whole, long_side = PixelBox(x0=0, y0=0, x1=size_wh[0], y1=size_wh[1]), max(size_wh)
    # A face that the whole shows too small fits into the overlap, so that it is whole in one tile at least.
    overlap_px = math.ceil(1.5 * seen_face_px * long_side / input_px)
    side_px = max(round(input_px * effort.smallest_face_px / seen_face_px), 2 * overlap_px)
    return [whole] if side_px >= long_side else [whole, *tiles(size_wh, side_px, overlap_px)]


def resized(rgb: Pixels, size_wh: tuple[int, int]) -> Pixels:
    """The picture at another size; pixels are averaged where it shrinks."""
    if size_wh == (rgb.shape[1], rgb.shape[0]):
        return rgb
    shrinks = size_wh[0] * size_wh[1] < rgb.shape[0] * rgb.shape[1]
    return shrunk(rgb, size_wh) if shrinks else np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_LINEAR))


def scaled_size(rgb: Pixels, scale: float) -> tuple[int, int]:
    """Width and height of the picture times ``scale``, at least 1 px each."""
    return max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale))


def moved(found: Detection, factor_xy: Point, offset_xy: Point) -> Detection:
    """The detection with every x and y times a factor (above 0) and then moved."""

    def at(x: float, y: float) -> Point:
        return x * factor_xy[0] + offset_xy[0], y * factor_xy[1] + offset_xy[1]

    (x0, y0), (x1, y1) = at(found.box.x0, found.box.y0), at(found.box.x1, found.box.y1)
    landmarks = found.landmarks and landmarks_of(at(*point) for point in found.landmarks.points)
    return Detection(Box(x0=x0, y0=y0, x1=x1, y1=y1), landmarks, found.score)


def best(found: list[Detection], iou: float = SUPPRESSION_IOU) -> list[Detection]:
    """Greedy non-maximum suppression: in falling order of score, nothing that overlaps a better one by more."""
    boxes = [[item.box.x0, item.box.y0, item.box.width, item.box.height] for item in found]
    kept = cv2.dnn.NMSBoxes(boxes, [item.score for item in found], 0.0, iou) if found else []
    return [found[int(number)] for number in kept]
