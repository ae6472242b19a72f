"""A user's ONNX detector: real ONNX Runtime, networks made here, descriptions as a user would write them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from detectorcases import from_four_threads
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.members._onnx_description import Boxes, Head, Input, Scores, read_description
from photo_anonymizer.detection.members.user_onnx import UserOnnx, canvas, corners, decoded, tensor
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.model.geometry import Box, intersection_over_union

SIDE = 128
RED = Box(x0=32, y0=48, x1=48, y1=64)
CONFIG = DetectionConfig(max_enlargement=1, doubt_score=0.2)
EFFORT = effort_of(CONFIG)
Describe = Callable[..., Path]


def red_cells() -> bytes:
    """NCHW, any size of 128 px: 16 px cells. ``score`` (1, 64, 1): mean red, 0 to 1; ``sides`` (1, 64, 4): half a cell
    in each direction, in strides; ``points`` (1, 64, 10): all in the cell's centre."""
    pick = np.zeros((1, 3, 16, 16), np.float32)
    pick[0, 0] = 1 / (255 * 256)
    held = {
        "pick": pick,
        "rows": np.array([1, -1, 1], np.int64),
        "half": np.full((1, 64, 4), 0.5, np.float32),
        "middle": np.zeros((1, 64, 10), np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["x", "pick"], ["red"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Reshape", ["red", "rows"], ["score"]),
        helper.make_node("Identity", ["half"], ["sides"]),
        helper.make_node("Identity", ["middle"], ["points"]),
    ]
    return model_of(nodes, held, [1, 3, SIDE, SIDE], {"score": 1, "sides": 4, "points": 10})


def fixed_answer(values: np.ndarray, shape: list[Any] | None = None, kind: int = TensorProto.FLOAT) -> bytes:
    """A network whose output ``out`` is always the same."""
    nodes = [helper.make_node("Identity", ["answer"], ["out"])]
    return model_of(nodes, {"answer": values}, shape or [1, 3, SIDE, SIDE], {"out": None}, kind)


def model_of(
    nodes: list[Any],
    held: dict[str, np.ndarray],
    shape: list[Any],
    outputs: dict[str, int | None],
    kind: int = TensorProto.FLOAT,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.fixture
def described(tmp_path: Path) -> Describe:
    """Writes a model and its description; returns the description's path."""

    def write(model: bytes, heads: list[dict[str, Any]], **more: Any) -> Path:
        (tmp_path / "model.onnx").write_bytes(model)
        values = {
            "name": "tiny",
            "path": "model.onnx",
            "sha256": hashlib.sha256(model).hexdigest(),
            "licence": "MIT",
            "input": {"size": [SIDE, SIDE]},
            "heads": heads,
            **more,
        }
        path = tmp_path / "tiny.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


GRID_HEAD = {
    "boxes": {"output": "sides", "format": "ltrb"},
    "scores": {"output": "score"},
    "landmarks": {"output": "points"},
    "grid": {"stride": 16, "offset": 0.5},
}


def head(format: str = "xyxy", **changes: Any) -> dict[str, Any]:
    """A head whose boxes and score are columns of ``out``."""
    boxes = {"output": "out", "format": format, **changes.pop("boxes", {})}
    return {"boxes": boxes, "scores": {"output": "out", "column": 4, **changes.pop("scores", {})}, **changes}


def table(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array([rows], np.float32)


def picture(width: int = SIDE, height: int = SIDE, red: Box = RED) -> np.ndarray:
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[int(red.y0) : int(red.y1), int(red.x0) : int(red.x1), 0] = 255
    return rgb


def test_an_anchor_free_network_finds_the_red_cell(described: Describe) -> None:
    found = UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD])).detect(picture())
    assert [item.box for item in found] == [RED]
    assert found[0].score == pytest.approx(1)
    assert found[0].landmarks is not None
    assert found[0].landmarks.nose == (40, 56)


def test_it_is_called_by_the_name_in_its_description(described: Describe) -> None:
    assert UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD])).name == "user_onnx.tiny"
    assert UserOnnx.name == "user_onnx"


def test_colours_come_in_the_described_order(described: Describe) -> None:
    bgr = described(red_cells(), [GRID_HEAD], input={"size": [SIDE, SIDE], "colour": "bgr"})
    detector = UserOnnx(CONFIG, 1, bgr)
    assert detector.detect(picture()) == []
    assert len(detector.detect(np.ascontiguousarray(picture()[..., ::-1]))) == 1


@pytest.mark.parametrize("fit", ["centre", "top_left", "stretch"])
@pytest.mark.parametrize("size_wh", [(256, 128), (128, 256), (96, 100)])
def test_boxes_are_in_the_photos_own_pixels(described: Describe, fit: str, size_wh: tuple[int, int]) -> None:
    everything = fixed_answer(table((32, 32, 96, 96, 0.9)))
    detector = UserOnnx(CONFIG, 1, described(everything, [head()], input={"size": [SIDE, SIDE], "fit": fit}))
    box = detector.detect(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))[0].box
    scale = min(1, SIDE / max(size_wh))
    if fit == "stretch":
        wanted = (size_wh[0] / 4, size_wh[1] / 4, size_wh[0] * 3 / 4, size_wh[1] * 3 / 4)
    elif fit == "top_left":
        wanted = (32 / scale, 32 / scale, 96 / scale, 96 / scale)
    else:
        dx, dy = ((SIDE - round(length * scale)) // 2 for length in size_wh)
        wanted = tuple((value - shift) / scale for value, shift in zip((32, 32, 96, 96), (dx, dy) * 2, strict=True))
    assert (box.x0, box.y0, box.x1, box.y1) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("format", "values"),
    [("xyxy", (32, 48, 48, 64)), ("xywh", (32, 48, 16, 16)), ("cxcywh", (40, 56, 16, 16))],
)
@pytest.mark.parametrize("unit", ["pixels", "relative"])
def test_every_way_to_write_a_box_is_read(
    described: Describe, format: str, values: tuple[float, ...], unit: str
) -> None:
    divided = tuple(value / SIDE for value in values) if unit == "relative" else values
    path = described(fixed_answer(table((*divided, 0.8))), [head(format, boxes={"unit": unit})])
    found = UserOnnx(CONFIG, 1, path).detect(picture())
    assert [item.box for item in found] == [RED]


def test_a_box_read_in_the_wrong_way_is_another_box() -> None:
    values = np.array([[40.0, 56, 16, 16]])
    right = corners(values, np.zeros((1, 2)), Boxes(output="out", format="cxcywh"))
    wrong = corners(values, np.zeros((1, 2)), Boxes(output="out", format="xywh"))
    assert right.tolist() == [[32, 48, 48, 64]]
    assert wrong.tolist() != right.tolist()


def test_a_transposed_table_with_logits_is_read(described: Describe) -> None:
    answer = table((40, 56, 16, 16, 2.0), (100, 100, 16, 16, -9.0)).transpose(0, 2, 1)
    path = described(
        fixed_answer(np.ascontiguousarray(answer)),
        [head("cxcywh", boxes={"transposed": True}, scores={"transposed": True, "sigmoid": True})],
    )
    found = UserOnnx(CONFIG, 1, path).detect(picture())
    assert [item.box for item in found] == [RED]
    assert found[0].score == pytest.approx(1 / (1 + np.exp(-2)))


def test_relative_landmarks_are_scaled(described: Describe) -> None:
    points = (0.25, 0.5, 0.375, 0.5, 0.3, 0.6, 0.25, 0.75, 0.375, 0.75)
    path = described(
        fixed_answer(table((32, 48, 48, 64, 0.8, *points))),
        [head(landmarks={"output": "out", "columns": list(range(5, 15)), "unit": "relative"})],
    )
    found = UserOnnx(CONFIG, 1, path).detect(picture())[0]
    assert found.landmarks is not None
    assert found.landmarks.left_eye == (32, 64)
    assert found.landmarks.right_mouth == (48, 96)


def test_without_described_landmarks_there_are_none(described: Describe) -> None:
    path = described(fixed_answer(table((32, 48, 48, 64, 0.8))), [head()])
    assert UserOnnx(CONFIG, 1, path).detect(picture())[0].landmarks is None


def test_the_threshold_is_the_descriptions_or_else_the_configurations(described: Describe) -> None:
    answer = fixed_answer(table((0, 0, 9, 9, 0.1), (20, 20, 29, 29, 0.3), (40, 40, 49, 49, 0.6)))
    for more, wanted in (({}, [0.6, 0.3]), ({"threshold": 0.5}, [0.6]), ({"threshold": 0.05}, [0.6, 0.3, 0.1])):
        found = UserOnnx(CONFIG, 1, described(answer, [head()], **more)).detect(picture())
        assert [item.score for item in found] == pytest.approx(wanted)


def test_of_boxes_that_overlap_the_surest_stays(described: Describe) -> None:
    answer = fixed_answer(table((30, 48, 46, 64, 0.6), (32, 48, 48, 64, 0.8)))
    assert [item.box for item in UserOnnx(CONFIG, 1, described(answer, [head()])).detect(picture())] == [RED]
    apart = UserOnnx(CONFIG, 1, described(answer, [head()], overlap=0.99)).detect(picture())
    assert len(apart) == 2


def test_rows_without_a_real_box_are_dropped() -> None:
    rows = table(
        (5, 5, 5, 9, 0.9), (np.nan, 0, 9, 9, 0.9), (0, 0, 9, 9, np.nan), (0, 0, np.inf, 9, 0.9), (1, 1, 2, 2, 1.5)
    )
    only = decoded(Head.model_validate(head()), {"out": rows}, (SIDE, SIDE), 0.2)
    assert [item.box for item in only] == [Box(x0=1, y0=1, x1=2, y1=2)]
    assert only[0].score == 1


def test_mean_scale_and_layout_are_applied() -> None:
    rgb = np.zeros((2, 3, 3), np.uint8)
    rgb[..., 0] = 255
    given = Input(mean=(127.5, 0, 0), scale=(1 / 127.5, 1, 1))
    assert tensor(rgb, given, np.float32).shape == (1, 3, 2, 3)
    assert tensor(rgb, given, np.float32)[0, 0] == pytest.approx(1)
    assert tensor(rgb, given.model_copy(update={"layout": "nhwc"}), np.float32).shape == (1, 2, 3, 3)


def test_a_network_of_any_size_gets_sides_that_are_multiples() -> None:
    shown = canvas(np.zeros((100, 333, 3), np.uint8), Input(multiple_of=32), EFFORT)
    assert shown.picture.shape == (128, 352, 3)
    assert shown.factor_xy == (1, 1)


def test_around_the_photo_lies_the_described_grey() -> None:
    shown = canvas(np.zeros((64, 128, 3), np.uint8), Input(size=(128, 128), fill=114), EFFORT)
    assert set(shown.picture[:32].ravel()) == {114}
    assert set(shown.picture[32:96].ravel()) == {0}


def test_a_large_photo_is_searched_in_tiles(described: Describe) -> None:
    red = Box(x0=900, y0=700, x1=964, y1=764)
    detector = UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD], threshold=0.05))
    found = detector.detect(picture(1200, 900, red))
    assert max(intersection_over_union(item.box, red) for item in found) > 0.3


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1)])
def test_a_tiny_picture_of_nothing_has_no_face(described: Describe, shape: tuple[int, int]) -> None:
    assert UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD])).detect(np.zeros((*shape, 3), np.uint8)) == []


def test_four_threads_find_what_one_finds(described: Describe) -> None:
    detector = UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD]))
    pictures = [picture(red=Box(x0=x, y0=16, x1=x + 16, y1=32)) for x in (0, 16, 32, 48)]
    assert from_four_threads(detector, pictures) == [detector.detect(item) for item in pictures]


def test_a_network_that_takes_bytes_gets_bytes(described: Describe) -> None:
    answer = fixed_answer(table((32, 48, 48, 64, 0.8)), kind=TensorProto.UINT8)
    assert [item.box for item in UserOnnx(CONFIG, 1, described(answer, [head()])).detect(picture())] == [RED]


def test_without_a_description_there_is_no_detector() -> None:
    with pytest.raises(ConfigError, match="YAML"):
        UserOnnx(CONFIG, 1)


@pytest.mark.parametrize(
    ("heads", "more", "words"),
    [
        ([], {}, "heads"),
        ([head("yxyx")], {}, "heads.0.boxes.format"),
        ([head("ltrb")], {}, "need a grid"),
        ([head(grid={"stride": 8})], {}, "need a grid"),
        ([{**GRID_HEAD, "boxes": {"output": "sides", "format": "ltrb", "unit": "relative"}}], {}, "strides"),
        ([head(landmarks={"output": "out", "columns": [1, 2]})], {}, "columns"),
        ([head()], {"sha256": "abc"}, "sha256"),
        ([head()], {"colour": "rgb"}, "colour"),
        ([head()], {"threshold": 2}, "threshold"),
        ([head()], {"licence": ""}, "licence"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused_by_field(
    described: Describe, heads: list[Any], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read_description(described(fixed_answer(table((0, 0, 9, 9, 1))), heads, **more))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (head(boxes={"output": "nothing"}), "no output 'nothing'; it has: out"),
        (head(scores={"column": 9}), "does not run as it is described"),
        (head(scores={"transposed": True}), "does not run as it is described"),
        ({**head("ltrb"), "grid": {"stride": 16}}, "does not run as it is described"),
    ],
)
def test_a_description_that_does_not_fit_the_network_is_refused_at_the_start(
    described: Describe, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        UserOnnx(CONFIG, 1, described(fixed_answer(table((0, 0, 9, 9, 1), (0, 0, 9, 9, 1))), [wrong]))


def test_a_size_that_the_network_does_not_take_is_refused(described: Describe) -> None:
    with pytest.raises(ConfigError, match="check size"):
        UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD], input={"size": [64, 64]}))


def test_an_input_that_is_not_there_is_refused(described: Describe) -> None:
    with pytest.raises(ConfigError, match=r"'data'.*it has: x"):
        UserOnnx(CONFIG, 1, described(red_cells(), [GRID_HEAD], input={"name": "data", "size": [SIDE, SIDE]}))


def test_an_altered_model_is_refused(described: Describe) -> None:
    path = described(red_cells(), [GRID_HEAD])
    (path.parent / "model.onnx").write_bytes(red_cells() + b" ")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        UserOnnx(CONFIG, 1, path)


def test_a_file_that_is_no_model_is_refused(described: Describe) -> None:
    with pytest.raises(ModelError, match="no ONNX model"):
        UserOnnx(CONFIG, 1, described(b"no model", [GRID_HEAD]))


def test_boxes_and_scores_come_from_different_outputs() -> None:
    outputs = {"b": table((1, 1, 9, 9)), "s": np.array([0.7], np.float32)}
    described_head = Head(boxes=Boxes(output="b", format="xyxy"), scores=Scores(output="s"))
    assert decoded(described_head, outputs, (SIDE, SIDE), 0.5)[0].score == pytest.approx(0.7)
