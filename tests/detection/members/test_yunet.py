"""YuNet with a user's file: OpenCV's real code, with a network made here that takes bright cells for faces."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from detectorcases import from_four_threads
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.members.yunet import YuNet, usable
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.modelfile import ModelFile

CONFIG = DetectionConfig(max_enlargement=1, smallest_face_px=16)
POINTS = np.array([(0.2, 0.3), (0.8, 0.3), (0.5, 0.5), (0.3, 0.7), (0.7, 0.7)], np.float32)
"""In cells: as OpenCV orders them, the person's right eye, left of the picture, first."""


def tiny_yunet() -> bytes:
    """A network with YuNet's twelve outputs. A 32 px cell's score is its mean red (input: BGR), its box is the cell."""
    nodes, held = [], [numpy_helper.from_array(np.array([1, -1, 1], np.int64), "one")]
    held += [numpy_helper.from_array(np.array([1, -1, size], np.int64), f"rows{size}") for size in (4, 10)]
    for stride in (8, 16, 32):
        pick = np.zeros((1, 3, stride, stride), np.float32)
        pick[0, 2] = 1 / (255 * stride**2) if stride == 32 else 0
        still = np.zeros((14, 3, stride, stride), np.float32)
        bias = np.concatenate([[0.5, 0.5, 0, 0], POINTS.reshape(-1)]).astype(np.float32)
        held += [numpy_helper.from_array(pick, f"pick{stride}"), numpy_helper.from_array(still, f"still{stride}")]
        held += [numpy_helper.from_array(bias, f"bias{stride}")]
        held += [numpy_helper.from_array(np.array([4, 10], np.int64), f"split{stride}")]
        shape = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
        nodes += [
            helper.make_node("Conv", ["input", f"pick{stride}"], [f"bright{stride}"], **shape),
            helper.make_node("Reshape", [f"bright{stride}", "one"], [f"cls_{stride}"]),
            helper.make_node("Reshape", [f"bright{stride}", "one"], [f"obj_{stride}"]),
            helper.make_node("Conv", ["input", f"still{stride}", f"bias{stride}"], [f"all{stride}"], **shape),
            helper.make_node("Transpose", [f"all{stride}"], [f"last{stride}"], perm=[0, 2, 3, 1]),
            helper.make_node("Split", [f"last{stride}", f"split{stride}"], [f"b{stride}", f"k{stride}"], axis=3),
            helper.make_node("Reshape", [f"b{stride}", "rows4"], [f"bbox_{stride}"]),
            helper.make_node("Reshape", [f"k{stride}", "rows10"], [f"kps_{stride}"]),
        ]
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n", None]) for name in names],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def file_of(path: Path, data: bytes, sha256: str | None = None) -> ModelFile:
    path.write_bytes(data)
    return ModelFile(path=path, sha256=sha256 or hashlib.sha256(data).hexdigest(), licence="MIT")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    return file_of(tmp_path_factory.mktemp("yunet") / "tiny.onnx", tiny_yunet())


@pytest.fixture(scope="module")
def detector(model: ModelFile) -> YuNet:
    return YuNet(CONFIG, 1, model)


def picture_with(red: Box, width: int, height: int) -> np.ndarray:
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[int(red.y0) : int(red.y1), int(red.x0) : int(red.x1), 0] = 255
    return rgb


def test_a_red_cell_is_found_where_it_is(detector: YuNet) -> None:
    red = Box(x0=64, y0=96, x1=96, y1=128)
    best = detector.detect(picture_with(red, 256, 256))[0]
    assert intersection_over_union(best.box, red) > 0.9
    assert best.score > 0.99


def test_colours_are_not_swapped(detector: YuNet) -> None:
    blue = picture_with(Box(x0=64, y0=96, x1=96, y1=128), 256, 256)[..., ::-1]
    assert detector.detect(np.ascontiguousarray(blue)) == []


def test_eyes_are_left_and_right_as_seen(detector: YuNet) -> None:
    points = detector.detect(picture_with(Box(x0=64, y0=96, x1=96, y1=128), 256, 256))[0].landmarks
    assert points is not None
    assert points.left_eye == pytest.approx((64 + 0.2 * 32, 96 + 0.3 * 32), abs=1)
    assert points.right_eye == pytest.approx((64 + 0.8 * 32, 96 + 0.3 * 32), abs=1)
    assert points.right_mouth == pytest.approx((64 + 0.7 * 32, 96 + 0.7 * 32), abs=1)


def test_a_large_photo_is_searched_in_tiles_and_answers_in_its_own_pixels(detector: YuNet) -> None:
    red = Box(x0=3600, y0=2400, x1=3632, y1=2432)
    found = detector.detect(picture_with(red, 4000, 3000))
    assert max(intersection_over_union(item.box, red) for item in found) > 0.2
    assert all(intersection_over_union(item.box, red.scaled(3)) > 0 for item in found)


def test_a_picture_of_nothing_has_no_face(detector: YuNet) -> None:
    for shape in [(1, 1), (3, 500), (31, 33), (480, 640)]:
        assert detector.detect(np.zeros((*shape, 3), np.uint8)) == []


def test_four_threads_find_what_one_finds(detector: YuNet) -> None:
    pictures = [picture_with(Box(x0=x, y0=32, x1=x + 32, y1=64), 200 + x, 160) for x in (0, 32, 64, 96)]
    assert from_four_threads(detector, pictures) == [detector.detect(picture) for picture in pictures]


def test_without_a_file_there_is_no_detector() -> None:
    with pytest.raises(ConfigError, match="path, sha256 and licence"):
        YuNet(CONFIG, 1)


def test_a_missing_file_is_an_error_that_does_not_name_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="correct its path") as caught:
        YuNet(CONFIG, 1, ModelFile(path=tmp_path / "jane.onnx", sha256="0" * 64, licence="MIT"))
    assert "jane" not in str(caught.value)


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="SHA-256 differs"):
        YuNet(CONFIG, 1, file_of(tmp_path / "a.onnx", tiny_yunet(), "0" * 64))


def test_a_file_that_is_another_network_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["out"])],
        "other",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    data = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    for content in (data, b"no model at all"):
        with pytest.raises(ModelError, match="not a YuNet"):
            YuNet(CONFIG, 1, file_of(tmp_path / "a.onnx", content))


@pytest.mark.parametrize(("at", "value"), [(0, np.nan), (7, np.inf), (2, 0), (3, -1)])
def test_rows_without_a_real_box_are_dropped(at: int, value: float) -> None:
    row = np.ones(15, np.float32)
    assert usable(row)
    row[at] = value
    assert not usable(row)
