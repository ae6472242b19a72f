"""A user's ONNX generator: it gets what its description says, in the form that it says, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from generatorcases import FLOAT, PICTURE, SIDE_PX, SPECKLED, SPECKLED_INPUTS, described, network
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.mesh.topology import five_points
from photo_anonymizer.methods.generators import GENERATORS
from photo_anonymizer.methods.generators.onnx import Onnx, OnnxDescription, feeds
from photo_anonymizer.methods.generators.protocol import Scene
from photo_anonymizer.methods.generators.scene import scene_of, trial_scene
from photo_anonymizer.onnx_graph import Graph
from subjects import subject

ROWS_FIRST = [1, SIDE_PX, SIDE_PX, 3]


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene() -> Scene:
    someone = subject(90, yaw=0.2)
    return scene_of(someone, someone.mesh.points.astype(np.float64), SIDE_PX, 1.6)


def as_described(**fields: Any) -> OnnxDescription:
    values = {"path": "x", "sha256": "0" * 64, "licence": "CC0-1.0", "size_px": SIDE_PX, "range": "0..1", "output": "o"}
    return OnnxDescription.model_validate({**values, **fields})


def given(inputs: dict[str, Any], seed: int = 0, **fields: Any) -> dict[str, np.ndarray]:
    return feeds(scene(), as_described(inputs=inputs, **fields), chance(seed))


def same(graph: Graph) -> str:
    return graph.node("Identity", "picture")


def refused(folder: Path, model: bytes, **fields: Any) -> str:
    with pytest.raises((ConfigError, ModelError)) as caught:
        Onnx(described(folder, model, **{"inputs": SPECKLED_INPUTS, **fields}))
    assert str(folder) not in str(caught.value)
    return str(caught.value)


# what it is given


@pytest.mark.parametrize(("range", "black", "white"), [("-1..1", -1, 1), ("0..1", 0, 1), ("0..255", 0, 255)])
def test_the_picture_is_in_the_range_that_is_asked_for(range: str, black: float, white: float) -> None:
    shown = given({"image": "x"}, range=range)["x"]
    assert shown.shape == tuple(PICTURE)
    back = (shown - black) / (white - black) * 255
    assert np.allclose(back[0].transpose(1, 2, 0), scene().picture, atol=1e-3)


def test_layout_and_order_of_colours_are_those_that_are_asked_for() -> None:
    shown = given({"image": "x", "mask": {"name": "m"}}, layout="nhwc", colour="bgr")
    assert np.allclose(shown["x"][0, ..., ::-1] * 255, scene().picture, atol=1e-3)
    assert shown["m"].shape == (1, SIDE_PX, SIDE_PX, 1)


@pytest.mark.parametrize("wanted", [0, 1])
def test_the_mask_says_where_a_face_is_wanted(wanted: int) -> None:
    mask = given({"mask": {"name": "m", "wanted": wanted}})["m"]
    assert mask.shape == (1, 1, SIDE_PX, SIDE_PX)
    assert np.array_equal(mask[0, 0] == wanted, scene().blank)


def test_landmarks_are_the_mesh_or_five_points_in_the_unit_that_is_asked_for() -> None:
    mesh = given({"landmarks": {"name": "p", "form": "mesh", "unit": "pixels"}})["p"]
    five = given({"landmarks": {"name": "p", "form": "five"}})["p"]
    assert np.array_equal(mesh[0], scene().points)
    assert np.allclose(five[0] * SIDE_PX, five_points(scene().points))
    left, right, nose, mouth_left, mouth_right = five[0]
    assert left[0] < nose[0] < right[0]
    assert left[1] < nose[1] < mouth_left[1]
    assert mouth_left[0] < mouth_right[0]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_heatmap_is_highest_at_the_landmarks(layout: str) -> None:
    heat = given({"landmarks": {"name": "p", "form": "heatmap"}}, layout=layout)["p"][0]
    planes = heat if layout == "nchw" else heat.transpose(2, 0, 1)
    assert planes.shape == (5, SIDE_PX, SIDE_PX)
    tops = np.array([np.unravel_index(plane.argmax(), plane.shape)[::-1] for plane in planes]) + 0.5
    assert np.abs(tops - five_points(scene().points)).max() <= 1


def test_the_pose_is_yaw_pitch_and_no_roll() -> None:
    pose = given({"pose": "a"})["a"]
    assert pose.shape == (1, 3)
    assert pose[0].tolist() == [scene().yaw_rad, scene().pitch_rad, 0.0]
    assert pose[0, 0] == pytest.approx(0.2, abs=0.02)


def test_noise_and_seed_are_chances_alone() -> None:
    asked = {"noise": {"name": "z", "shape": [1, 40]}, "seed": "s"}
    first, again, other = given(asked, 1), given(asked, 1), given(asked, 2)
    assert first["z"].shape == (1, 40)
    assert first["s"].shape == (1,)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not any(np.array_equal(first[name], other[name]) for name in first)


def test_what_is_not_named_is_not_given() -> None:
    assert set(given({"pose": "a", "mask": {"name": "m"}})) == {"a", "m"}


# what it makes


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("colour", ["rgb", "bgr"])
@pytest.mark.parametrize("range", ["-1..1", "0..1", "0..255"])
def test_a_network_that_changes_nothing_gives_back_the_square(
    tmp_path: Path, layout: str, colour: str, range: str
) -> None:
    shape = PICTURE if layout == "nchw" else ROWS_FIRST
    model = network({"picture": (FLOAT, shape)}, same, shape)
    form = {"layout": layout, "colour": colour, "range": range, "inputs": {"image": "picture"}}
    made = Onnx(described(tmp_path, model, **form)).generate(scene(), chance())
    assert made.dtype == np.float32
    assert np.allclose(made, scene().picture, atol=0.01)


def test_the_output_may_have_a_range_and_a_size_of_its_own(tmp_path: Path) -> None:
    def larger(graph: Graph) -> str:
        sizes = graph.constant(np.array([1, 3, 2 * SIDE_PX, 2 * SIDE_PX], np.int64))
        grown = graph.node("Resize", "picture", "", "", sizes, mode="nearest")
        return graph.node("Mul", grown, graph.constant(np.float32(255)))

    model = network({"picture": (FLOAT, PICTURE)}, larger, [1, 3, 2 * SIDE_PX, 2 * SIDE_PX])
    path = described(tmp_path, model, range="0..1", output_range="0..255", inputs={"image": "picture"})
    made = Onnx(path).generate(scene(), chance())
    assert made.shape == (2 * SIDE_PX, 2 * SIDE_PX, 3)
    assert np.allclose(made[::2, ::2], scene().picture, atol=0.01)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_values_are_of_the_networks_type(tmp_path: Path, kind: int) -> None:
    model = network({"picture": (kind, PICTURE)}, lambda graph: graph.node("Cast", "picture", to=FLOAT))
    made = Onnx(described(tmp_path, model, inputs={"image": "picture"})).generate(scene(), chance())
    assert np.allclose(made, scene().picture, atol=0.5)


def test_a_whole_number_reaches_the_network(tmp_path: Path) -> None:
    def graded(graph: Graph) -> str:
        number = graph.node("Mul", graph.node("Cast", "seed", to=FLOAT), graph.constant(np.float32(2.0**-31)))
        return graph.node("Expand", number, graph.constant(np.array(PICTURE, np.int64)))

    model = network({"seed": (TensorProto.INT64, [1])}, graded)
    generator = Onnx(described(tmp_path, model, range="0..1", inputs={"seed": "seed"}))
    made = [generator.generate(scene(), chance(seed)).mean() for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]
    assert 0 <= min(made) <= max(made) <= 255


def test_the_same_chance_makes_the_same_face_and_another_another(tmp_path: Path) -> None:
    generator = Onnx(described(tmp_path, SPECKLED, inputs=SPECKLED_INPUTS))
    first, again, other = (generator.generate(scene(), chance(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other)[scene().blank].mean() > 10
    assert np.allclose(first[~scene().blank], scene().picture[~scene().blank], atol=0.01)


# what is refused before the first photo


def test_the_registry_knows_it_and_a_description_says_which_squares_it_works_on(tmp_path: Path) -> None:
    path = described(tmp_path, SPECKLED, inputs=SPECKLED_INPUTS, margin=2.0)
    generator = GENERATORS.load("onnx")(path)
    assert (generator.name, generator.side_px, generator.margin) == ("onnx", SIDE_PX, 2.0)
    assert len(generator.sha256) == 64


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    assert "SHA-256 differs" in refused(tmp_path, SPECKLED, sha256="0" * 64)


def test_a_missing_model_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path, SPECKLED, path="other.onnx")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    assert "no ONNX model" in refused(tmp_path, b"nothing")


def test_inputs_that_the_description_does_not_name_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, SPECKLED, inputs={"image": "picture"})
    assert "has the inputs mask, noise, picture, and its description names picture" in message


def test_an_output_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no output 'face'; it has: made" in refused(tmp_path, SPECKLED, output="face")


def test_another_size_than_the_networks_is_refused(tmp_path: Path) -> None:
    assert "check size_px" in refused(tmp_path, SPECKLED, size_px=128)


def test_an_output_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    model = network({"picture": (FLOAT, PICTURE)}, lambda graph: graph.node("GlobalMaxPool", "picture"), [1, 3, 1, 1])
    assert Onnx(described(tmp_path, model, inputs={"image": "picture"})).generate(scene(), chance()).shape == (1, 1, 3)
    grey = network(
        {"picture": (FLOAT, PICTURE)}, lambda graph: graph.node("ReduceMax", "picture", axes=[1]), [1, 1, *PICTURE[2:]]
    )
    assert "check size_px" in refused(tmp_path, grey, inputs={"image": "picture"})


def test_an_output_that_is_no_number_is_refused(tmp_path: Path) -> None:
    model = network(
        {"picture": (FLOAT, PICTURE)}, lambda graph: graph.node("Mul", "picture", graph.constant(np.float32(np.nan)))
    )
    assert "does not run as it is described" in refused(tmp_path, model, inputs={"image": "picture"})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"range": "0..2"}, "range"),
        ({"size_px": 60}, "size_px"),
        ({"licence": ""}, "licence"),
        ({"inputs": {}}, "name one at least"),
        ({"inputs": {"image": "x", "depth": "d"}}, "inputs.depth"),
        ({"inputs": {"landmarks": {"name": "p", "form": "68"}}}, "inputs.landmarks.form"),
        ({"prompt": "a face"}, "prompt"),
    ],
)
def test_a_description_with_a_mistake_is_refused_by_the_fields_name(
    tmp_path: Path, fields: dict[str, Any], named: str
) -> None:
    message = refused(tmp_path, SPECKLED, **fields)
    assert message.startswith("the description of a generator is refused")
    assert named in message


def test_a_trial_is_no_face_of_anybody() -> None:
    assert (trial_scene(SIDE_PX, 1.6).picture == 128).all()
