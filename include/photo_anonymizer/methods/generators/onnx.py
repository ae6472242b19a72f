"""Any user's ONNX inpainter or face generator, described by a YAML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.mesh.topology import five_points
from photo_anonymizer.methods.generators._description import Description
from photo_anonymizer.methods.generators.protocol import Canvas, Scene
from photo_anonymizer.methods.generators.scene import trial_scene
from photo_anonymizer.modelfile import read_described
from photo_anonymizer.threads import threads_each

Range = Literal["-1..1", "0..1", "0..255"]
_SPAN: dict[Range, tuple[float, float]] = {"-1..1": (127.5, -1.0), "0..1": (255.0, 0.0), "0..255": (1.0, 0.0)}
"""Range → (divisor of 0 … 255, what is added then)."""
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}
_LARGEST_SEED = 2**31 - 1
_HEAT = 1 / 64
"""Sigma of a landmark in a heatmap, in sides of the square."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Mask(_Part):
    """Where a face is wanted, (1, 1, side, side), or (1, side, side, 1) in the layout nhwc."""

    name: str
    wanted: Literal[0, 1] = Field(1, description="Value where a face is wanted; the rest is the other one.")


class Landmarks(_Part):
    """Where the new face's features shall be."""

    name: str
    form: Literal["mesh", "five", "heatmap"] = Field(
        description="MediaPipe's 468 points (1, 468, 2); left eye, right eye, nose, left and right mouth corner as "
        "seen in the picture (1, 5, 2); or those five as planes with a Gaussian each (1, 5, side, side)."
    )
    unit: Literal["relative", "pixels"] = Field("relative", description="Of points: shares of the side, or pixels.")


class Noise(_Part):
    """Standard normal noise."""

    name: str
    shape: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(min_length=1, max_length=4)


class Inputs(_Part):
    """Names of the network's inputs. Those that are not named are not given."""

    image: str | None = Field(None, description="The square, with the face blanked.")
    mask: Mask | None = None
    landmarks: Landmarks | None = None
    pose: str | None = Field(None, description="Yaw, pitch and roll in radians, (1, 3): roll is 0, the square upright.")
    noise: Noise | None = None
    seed: str | None = Field(None, description="A whole number from 0 to 2³¹ − 2, (1,).")

    @property
    def names(self) -> list[str]:
        """The inputs' names."""
        parts = (self.mask, self.landmarks, self.noise)
        return [name for name in (self.image, self.pose, self.seed, *(part.name for part in parts if part)) if name]


class OnnxDescription(Description):
    """A user's ONNX generator."""

    layout: Literal["nchw", "nhwc"] = "nchw"
    colour: Literal["rgb", "bgr"] = "rgb"
    range: Range = Field(description="What black and white are in the network's pictures.")
    inputs: Inputs
    output: str = Field(description="Name of the output: the square with a face, of any side.")
    output_range: Range | None = Field(None, description="What black and white are there; empty: as in the input.")

    @model_validator(mode="after")
    def _some_input(self) -> OnnxDescription:
        if not self.inputs.names:
            raise ValueError("inputs: name one at least")
        return self


class Onnx:
    """One described network, on the processor."""

    name = "onnx"

    def __init__(self, description: Path) -> None:
        """See :class:`~photo_anonymizer.methods.generators.protocol.Generator`."""
        self._described = read_described(description, OnnxDescription, "a generator")
        self.sha256 = self._described.sha256
        self.side_px, self.margin = self._described.size_px, self._described.margin
        self._session = _session(self._described.read("the user's generator"))
        self._types = _types(self._session, self._described)
        try:
            made = self.generate(trial_scene(self.side_px, self.margin), np.random.default_rng(0))
            if not np.isfinite(made).all():
                raise ValueError("not finite")
        except Exception as error:  # noqa: BLE001 - whatever ONNX Runtime or NumPy say, it does not fit
            raise ConfigError(
                f"the user's generator does not run as it is described ({type(error).__name__}); "
                "check size_px, layout, inputs and output"
            ) from None

    def generate(self, scene: Scene, rng: np.random.Generator) -> Canvas:
        """See :class:`~photo_anonymizer.methods.generators.protocol.Generator`."""
        given = {name: values.astype(self._types[name]) for name, values in feeds(scene, self._described, rng).items()}
        (made,) = self._session.run([self._described.output], given)
        return canvas_of(made, self._described)


def feeds(scene: Scene, described: OnnxDescription, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """The described inputs, by name, a batch of one each; values not yet of the network's type."""
    inputs = described.inputs
    made: dict[str, NDArray[Any]] = {}
    if inputs.image:
        made[inputs.image] = _tensor(scene.picture.astype(np.float32), described)
    if inputs.mask:
        wanted = scene.blank if inputs.mask.wanted else ~scene.blank
        made[inputs.mask.name] = _planes(wanted[..., np.newaxis], described)
    if inputs.landmarks:
        made[inputs.landmarks.name] = _FORMS[inputs.landmarks.form](scene, described, inputs.landmarks)
    if inputs.pose:
        made[inputs.pose] = np.array([[scene.yaw_rad, scene.pitch_rad, 0.0]])
    if inputs.noise:
        made[inputs.noise.name] = rng.standard_normal(inputs.noise.shape)
    if inputs.seed:
        made[inputs.seed] = rng.integers(_LARGEST_SEED, size=1)
    return made


def canvas_of(made: NDArray[Any], described: OnnxDescription) -> Canvas:
    """A network's output as a picture, float32 (s, s, 3), RGB, 0 to 255 where it is within its range.

    :raises ValueError: it is none.
    """
    values = np.asarray(made, np.float32)
    values = values[0] if values.ndim == 4 and len(values) == 1 else values
    values = values if described.layout == "nhwc" else np.moveaxis(values, 0, -1)
    if values.ndim != 3 or values.shape[2] != 3 or values.shape[0] != values.shape[1]:
        raise ValueError("the output is no square picture of three channels")
    divisor, added = _SPAN[described.output_range or described.range]
    values = (values - np.float32(added)) * np.float32(divisor)
    return np.ascontiguousarray(values if described.colour == "rgb" else values[..., ::-1], np.float32)


def _mesh(scene: Scene, described: OnnxDescription, asked: Landmarks) -> NDArray[np.float32]:  # noqa: ARG001
    return _points(scene.points, scene, asked)


def _five(scene: Scene, described: OnnxDescription, asked: Landmarks) -> NDArray[np.float32]:  # noqa: ARG001
    return _points(five_points(scene.points).astype(np.float32), scene, asked)


def _points(points: NDArray[np.float32], scene: Scene, asked: Landmarks) -> NDArray[np.float32]:
    unit = scene.side_px if asked.unit == "relative" else 1
    return (points / np.float32(unit))[np.newaxis]


def _heatmap(scene: Scene, described: OnnxDescription, asked: Landmarks) -> NDArray[Any]:  # noqa: ARG001
    at = np.arange(scene.side_px) + 0.5
    double = 2 * (_HEAT * scene.side_px) ** 2
    x, y = five_points(scene.points).T[..., np.newaxis]
    across, down = np.exp(-((at - x) ** 2) / double), np.exp(-((at - y) ** 2) / double)
    return _planes((down[:, :, np.newaxis] * across[:, np.newaxis]).transpose(1, 2, 0), described)


_FORMS: Mapping[str, Callable[[Scene, OnnxDescription, Landmarks], NDArray[Any]]] = {
    "mesh": _mesh,
    "five": _five,
    "heatmap": _heatmap,
}


def _tensor(picture: Canvas, described: OnnxDescription) -> NDArray[np.float32]:
    divisor, added = _SPAN[described.range]
    ordered = picture if described.colour == "rgb" else picture[..., ::-1]
    return _planes(ordered / np.float32(divisor) + np.float32(added), described)


def _planes(values: NDArray[Any], described: OnnxDescription) -> NDArray[Any]:
    """(side, side, k) as a batch of one in the network's layout."""
    ordered = values if described.layout == "nhwc" else values.transpose(2, 0, 1)
    return np.ascontiguousarray(ordered[np.newaxis])


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads_each(1)  # shared by all photos in work
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - its errors have no common class, and their words may hold the path
        raise ModelError("the file of the user's generator is no ONNX model that ONNX Runtime can load") from None


def _types(session: Any, described: OnnxDescription) -> dict[str, type[np.generic]]:
    """Types of the inputs, by name.

    :raises ConfigError: other inputs than described, values of another type, or no such output.
    """
    inputs = {item.name: item.type for item in session.get_inputs()}
    outputs = [item.name for item in session.get_outputs()]
    if sorted(inputs) != sorted(described.inputs.names):
        raise ConfigError(
            f"the user's generator has the inputs {', '.join(sorted(inputs))}, "
            f"and its description names {', '.join(sorted(described.inputs.names))}"
        )
    if described.output not in outputs:
        raise ConfigError(f"the user's generator has no output {described.output!r}; it has: {', '.join(outputs)}")
    if wrong := sorted(name for name, kind in inputs.items() if kind not in _TYPES):
        raise ConfigError(f"inputs {', '.join(wrong)} of the user's generator must take one of: {', '.join(_TYPES)}")
    return {name: _TYPES[kind] for name, kind in inputs.items()}
