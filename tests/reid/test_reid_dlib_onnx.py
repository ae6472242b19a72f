"""The converted recogniser against dlib itself."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from skimage.data import astronaut

from photo_anonymizer.errors import ModelError
from photo_anonymizer.reid.align import align
from photo_anonymizer.reid.recognisers import RECOGNISERS, dlib_onnx
from photo_anonymizer.reid.recognisers.dlib_resnet import TEMPLATE, DlibResnet


def dat_path() -> Path:
    spec = find_spec("face_recognition_models")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"


# Eyes, nose and mouth of the astronaut of scikit-image (NASA, public domain), by eye.
ASTRONAUT = np.array([[203, 108], [247, 107], [228, 132], [208, 151], [246, 149]], float)


@pytest.fixture(scope="module")
def dat() -> bytes:
    return dat_path().read_bytes()


@pytest.fixture(scope="module")
def model(dat: bytes) -> bytes:
    return dlib_onnx.build(dat)


@pytest.fixture(scope="module")
def recogniser(model: bytes, tmp_path_factory: pytest.TempPathFactory) -> DlibResnet:
    path = tmp_path_factory.mktemp("model") / "dlib.onnx"
    path.write_bytes(model)
    return DlibResnet(path, threads=1)


@pytest.fixture(scope="module")
def chips() -> np.ndarray:
    rng = np.random.default_rng(0)
    photo = astronaut()
    return np.stack(
        [
            align(photo, ASTRONAUT, TEMPLATE, 150),
            photo[30:180, 150:300],
            photo[300:450, 100:250],
            rng.integers(0, 256, (150, 150, 3), np.uint8),
            np.zeros((150, 150, 3), np.uint8),
            np.full((150, 150, 3), 255, np.uint8),
        ]
    )


def test_equals_dlib(recogniser: DlibResnet, chips: np.ndarray) -> None:
    import _dlib_pybind11

    dlib_model = _dlib_pybind11.face_recognition_model_v1(str(dat_path()))
    want = np.array([dlib_model.compute_face_descriptor(np.ascontiguousarray(chip)) for chip in chips])
    assert np.abs(recogniser.embed(chips) - want).max() < 1e-4


def test_model_is_valid_and_the_same_each_time(dat: bytes, model: bytes) -> None:
    parsed = onnx.load_from_string(model)
    onnx.checker.check_model(parsed, full_check=True)
    assert dlib_onnx.build(dat) == model


@pytest.mark.parametrize(
    ("start", "stop", "new"),
    [
        (1_000_000, None, b""),  # ends too early
        (0, None, b""),  # empty
        (5, 6, b"L"),  # another loss
        (22_466_066, None, b"\x01"),  # something follows
        (48, 49, b"\x03"),  # other layers
        (316, 317, b"\x00"),  # another mean colour
        (327, 328, b"\xff"),  # no control byte
        (338, 339, b"d"),  # another layer
        (360, 364, b"\x00\x00\xc0\x7f"),  # a weight is NaN
        (349, 350, b"\x00"),  # another number of weights
    ],
)
def test_altered_file_is_refused(dat: bytes, start: int, stop: int | None, new: bytes) -> None:
    altered = dat[:start] + new + (dat[stop:] if stop else b"")
    assert altered != dat
    with pytest.raises(ModelError, match="recogniser"):
        dlib_onnx.build(altered)


def test_another_network_is_refused() -> None:
    with pytest.raises(ModelError):
        dlib_onnx.build((dat_path().parent / "mmod_human_face_detector.dat").read_bytes())


def test_same_person_is_near_and_a_texture_is_far(recogniser: DlibResnet, chips: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    again = align(astronaut(), ASTRONAUT + rng.normal(0, 1.5, (5, 2)), TEMPLATE, 150)
    first, second, texture = recogniser.embed(np.stack([chips[0], again, chips[3]]))
    assert np.linalg.norm(first - second) < recogniser.threshold
    assert np.linalg.norm(first - texture) > recogniser.threshold


def test_batches_do_not_matter(recogniser: DlibResnet, chips: np.ndarray) -> None:
    many = np.concatenate([chips] * 4)[:19]
    together = recogniser.embed(many)
    assert together.shape == (19, 128)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together[18], recogniser.embed(many[18:])[0], atol=1e-5)
    assert recogniser.embed(many[:0]).shape == (0, 128)


def test_wrong_chips_are_refused(recogniser: DlibResnet) -> None:
    for wrong in (
        np.zeros((1, 150, 150, 3)),
        np.zeros((150, 150, 3), np.uint8),
        np.zeros((1, 96, 96, 3), np.uint8),
    ):
        with pytest.raises(ValueError, match="150"):
            recogniser.embed(wrong)  # type: ignore[arg-type]


def test_unusable_model_files_are_refused(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "dlib.onnx"
    with pytest.raises(ModelError, match="recogniser"):
        DlibResnet(path)
    path.write_bytes(model[:1000])
    with pytest.raises(ModelError, match="recogniser"):
        DlibResnet(path)
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 3])
    other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", 3])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "other", [value], [other])
    opset = [onnx.helper.make_opsetid("", 17)]
    path.write_bytes(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
    with pytest.raises(ModelError, match="is not"):
        DlibResnet(path)


def test_registered_with_an_upright_symmetric_template() -> None:
    assert RECOGNISERS.load("dlib_resnet") is DlibResnet
    middle = TEMPLATE[2, 0]
    mirrored = np.array([2 * middle, 0]) + TEMPLATE[[1, 0, 2, 4, 3]] * [-1, 1]
    np.testing.assert_allclose(mirrored, TEMPLATE)
    assert not TEMPLATE.flags.writeable
