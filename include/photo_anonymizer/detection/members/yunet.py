"""YuNet (Wu et al. 2023, Machine Intelligence Research, DOI 10.1007/s11633-023-1423-y) through OpenCV, with a file
that the user brings: no package ships one.
"""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.members._scaled import best, moved, parts, resized, scaled_size
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import stretched
from photo_anonymizer.detection.rows import SUPPRESSION_IOU, landmarks_of
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.modelfile import ModelFile, read_model_file

SEEN_FACE_PX = 16
"""Height from which the network finds faces; its authors give 10 to 300 px."""
FILLING_FACE_PX = 300
"""Height above which it does not: photos larger than this are looked at small as well."""
CANDIDATES_AT_MOST = 5000


def _configured(config: DetectionConfig) -> ModelFile:
    if not config.yunet_model:
        raise ConfigError("the detector 'yunet' needs detection.yunet_model: a YAML file with path, sha256 and licence")
    return read_model_file(Path(config.yunet_model))


class YuNet:
    """Boxes and five landmarks; the photo as a whole, small, and in tiles when its faces may be too small."""

    name = "yunet"

    def __init__(self, config: DetectionConfig, threads: int, model: ModelFile | None = None) -> None:  # noqa: ARG002
        model = model or _configured(config)
        self._config, self._effort = config, effort_of(config)
        self._model = np.frombuffer(model.read("YuNet"), np.uint8)
        self._of_thread = threading.local()  # an OpenCV network is not thread-safe
        try:
            self._look_at(np.zeros((64, 64, 3), np.uint8))
        except cv2.error:
            raise ModelError("the file of YuNet is not a YuNet ONNX model that this OpenCV can run") from None

    def detect(self, rgb: Pixels) -> list[Detection]:
        """See :class:`~photo_anonymizer.detection.protocol.Detector`."""
        seen, size_wh = stretched(rgb), (rgb.shape[1], rgb.shape[0])
        whole, *rest = parts(size_wh, self._effort.long_side_px, SEEN_FACE_PX, self._effort)
        found = self._look(seen, whole, self._effort.long_side_px)
        if max(size_wh) > FILLING_FACE_PX:
            found += self._look(seen, whole, FILLING_FACE_PX)
        for part in rest:
            found += self._look(seen, part, self._effort.long_side_px)
        return best(found)

    def _look(self, rgb: Pixels, part: PixelBox, long_side_px: int) -> list[Detection]:
        """Candidates in one part, looked at with that long side (px), in the photo's pixels."""
        picture = rgb[part.slices]
        scale = min(long_side_px / max(picture.shape[:2]), self._effort.max_enlargement)
        size_wh = scaled_size(picture, scale)
        back = part.width / size_wh[0], part.height / size_wh[1]
        return [moved(item, back, (part.x0, part.y0)) for item in self._look_at(resized(picture, size_wh))]

    def _look_at(self, rgb: Pixels) -> list[Detection]:
        network = self._network()
        network.setInputSize((rgb.shape[1], rgb.shape[0]))
        rows = network.detect(np.ascontiguousarray(rgb[..., ::-1]))[1]
        return [] if rows is None else [_detection(row) for row in rows if usable(row)]

    def _network(self) -> cv2.FaceDetectorYN:
        held: cv2.FaceDetectorYN | None = getattr(self._of_thread, "network", None)
        if held is None:
            held = cv2.FaceDetectorYN.create(
                "onnx",
                self._model,
                np.empty(0, np.uint8),
                (64, 64),
                self._config.doubt_score,
                SUPPRESSION_IOU,
                CANDIDATES_AT_MOST,
            )
            self._of_thread.network = held
        return held


def usable(row: NDArray[np.float32]) -> bool:
    """Are all numbers of OpenCV's row (15,) finite, and is the box not empty?"""
    return bool(np.isfinite(row).all() and row[2] > 0 and row[3] > 0)


def _detection(row: NDArray[np.float32]) -> Detection:
    """OpenCV's row: x, y, width, height, five points, score. Its right eye is the person's: left as seen."""
    x, y, width, height = map(float, row[:4])
    points = landmarks_of(row[4:14].reshape(5, 2))
    return Detection(Box(x0=x, y0=y, x1=x + width, y1=y + height), points, min(1.0, max(0.0, float(row[14]))))
