"""A user's ONNX recogniser: real ONNX Runtime, networks made here, descriptions as a user would write them."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from photo_anonymizer import weights
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.reid.recognisers.dlib_resnet import TEMPLATE, DlibResnet
from photo_anonymizer.reid.recognisers.user_onnx import UserOnnx, read_description
from recognisercases import SIDE_PX, cells, constant, described, model_of

RNG = np.random.default_rng(3)
CHIPS = RNG.integers(0, 256, (5, SIDE_PX, SIDE_PX, 3), dtype=np.uint8)


def means(chips: np.ndarray) -> np.ndarray:
    """What :func:`recognisercases.cells` computes, by NumPy: (n, 48)."""
    found = chips.astype(float).reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4))
    return found.transpose(0, 3, 1, 2).reshape(len(chips), -1)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_chips_are_given_in_the_layout_and_the_number_that_the_network_takes(
    tmp_path: Path, layout: str, batch: int | str
) -> None:
    own = UserOnnx(described(tmp_path, cells(batch, layout), layout=layout))
    np.testing.assert_allclose(own.embed(CHIPS), unit(means(CHIPS)), atol=1e-5)
    assert own.embed(CHIPS[:0]).shape == (0, 48)


def test_colours_are_ordered_before_mean_and_scale(tmp_path: Path) -> None:
    mean, scale = [10.0, 20.0, 30.0], [0.5, 1.0, 2.0]
    own = UserOnnx(described(tmp_path, cells(), colour="bgr", mean=mean, scale=scale))
    want = means((CHIPS[..., ::-1].astype(float) - mean) * scale)
    np.testing.assert_allclose(own.embed(CHIPS), unit(want), atol=1e-5)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.UINT8])
def test_networks_that_take_other_numbers_are_given_them(tmp_path: Path, kind: int) -> None:
    own = UserOnnx(described(tmp_path, cells(kind=kind)))
    np.testing.assert_allclose(own.embed(CHIPS), unit(means(CHIPS)), atol=1e-3)


@pytest.mark.parametrize("cosine", [-0.5, 0.0, 0.3, 0.99])
def test_a_cosine_becomes_the_distance_that_orders_pairs_alike(tmp_path: Path, cosine: float) -> None:
    own = UserOnnx(described(tmp_path, cells(), threshold=cosine, mean=[127.5] * 3))
    assert own.threshold == pytest.approx(math.sqrt(2 - 2 * cosine))
    rows = own.embed(CHIPS)
    away = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    np.testing.assert_array_equal(away <= own.threshold, rows @ rows.T >= cosine - 1e-7)


def test_a_row_of_length_nothing_has_no_direction_and_no_missing_numbers(tmp_path: Path) -> None:
    own = UserOnnx(described(tmp_path, cells()))
    assert not own.embed(np.zeros((1, SIDE_PX, SIDE_PX, 3), np.uint8)).any()


def test_euclidean_distances_are_counted_in_thresholds(tmp_path: Path) -> None:
    own = UserOnnx(described(tmp_path, cells(), metric="euclidean", threshold=25.0))
    assert own.threshold == 1
    np.testing.assert_allclose(own.embed(CHIPS), means(CHIPS) / 25, rtol=1e-5)


def test_dlibs_network_described_as_a_users_own_says_what_dlib_says(tmp_path: Path) -> None:
    model = weights.onnx_path_of("dlib_resnet").read_bytes()
    template = TEMPLATE.tolist()
    description = described(
        tmp_path, model, size_px=150, layout="nhwc", template=template, metric="euclidean", threshold=0.6
    )
    chips = RNG.integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    own = UserOnnx(description)
    np.testing.assert_allclose(own.embed(chips) * 0.6, DlibResnet.load(1).embed(chips), atol=1e-5)
    np.testing.assert_array_equal(own.template, TEMPLATE)


def test_it_is_called_by_the_name_in_its_description(tmp_path: Path) -> None:
    own = UserOnnx(described(tmp_path, cells(), name="arc"))
    assert (own.name, own.chip_size_px) == ("user_onnx.arc", SIDE_PX)


def test_the_usual_template_is_that_of_112_px_scaled(tmp_path: Path) -> None:
    own = UserOnnx(described(tmp_path, cells()))
    assert own.template[2] == pytest.approx([56.0252 * SIDE_PX / 112, 71.7366 * SIDE_PX / 112])


def test_a_network_that_gives_everybody_the_same_may_start_and_is_found_out_by_the_gate(tmp_path: Path) -> None:
    rows = UserOnnx(described(tmp_path, constant())).embed(CHIPS)
    assert (rows == rows[0]).all()


def test_the_description_in_the_documentation_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "extending.md").read_text(encoding="utf-8")
    path = tmp_path / "own.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0])
    assert read_description(path).name == "my_arcface"


# what is refused

FACE = [[10.0, 12.0], [22.0, 12.0], [16.0, 18.0], [11.0, 25.0], [21.0, 25.0]]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"metric": None}, "metric"),
        ({"threshold": None}, "threshold"),
        ({"threshold": 1.0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"metric": "euclidean", "threshold": 0.0}, "threshold"),
        ({"metric": "manhattan"}, "metric"),
        ({"licence": None}, "licence"),
        ({"sha256": "abc"}, "sha256"),
        ({"size_px": 0}, "size_px"),
        ({"layout": "chwn"}, "layout"),
        ({"colour": "grey"}, "colour"),
        ({"name": "../up"}, "name"),
        ({"threshhold": 0.3}, "threshhold"),
        ({"template": "dlib"}, "template"),
        ({"template": FACE[:4]}, "template"),
        ({"template": [FACE[1], FACE[0], *FACE[2:]]}, "left eye, right eye"),
        ({"template": [*FACE[3:], FACE[2], *FACE[:2]]}, "left eye, right eye"),
        ({"template": [[x * 4, y * 4] for x, y in FACE]}, "left eye, right eye"),
    ],
)
def test_a_description_that_cannot_be_right_is_refused_by_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError, match=field):
        read_description(described(tmp_path, cells(), **changes))


def test_explicit_points_are_taken(tmp_path: Path) -> None:
    np.testing.assert_array_equal(UserOnnx(described(tmp_path, cells(), template=FACE)).template, FACE)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size_px": 48}, "does not run as it is described"),
        ({"layout": "nhwc"}, "does not run as it is described"),
        ({"input": "pictures"}, "one input 'pictures'; it has: chips"),
        ({"output": "logits"}, "no output 'logits'; it has: embedding"),
        ({"mean": [float("nan")] * 3}, "finite numbers a face"),
    ],
)
def test_a_description_that_does_not_fit_the_network_is_refused(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        UserOnnx(described(tmp_path, cells(), **changes))


def test_a_network_that_answers_with_one_row_for_all_is_refused(tmp_path: Path) -> None:
    """Its numbers could be taken for rows of half the length."""
    nodes = [helper.make_node("ReduceMean", ["chips"], ["embedding"], axes=[0, 1], keepdims=1)]
    model = model_of(nodes, {}, ["N", 3, SIDE_PX, SIDE_PX], TensorProto.FLOAT)
    with pytest.raises(ConfigError, match="does not run as it is described"):
        UserOnnx(described(tmp_path, model))


def test_a_model_file_that_is_missing_altered_or_none_is_refused(tmp_path: Path) -> None:
    path = described(tmp_path, cells())
    (tmp_path / "tiny.onnx").write_bytes(cells() + b" ")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        UserOnnx(path)
    (tmp_path / "tiny.onnx").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        UserOnnx(path)
    with pytest.raises(ModelError, match="no ONNX model"):
        UserOnnx(described(tmp_path, b"no model"))


def test_refusals_do_not_name_the_folder(tmp_path: Path) -> None:
    path = described(tmp_path, b"no model", sha256=hashlib.sha256(b"other").hexdigest())
    with pytest.raises(ModelError) as caught:
        UserOnnx(path)
    assert str(tmp_path) not in str(caught.value)


def test_chips_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="want chips"):
        UserOnnx(described(tmp_path, cells())).embed(CHIPS[:, :16])
