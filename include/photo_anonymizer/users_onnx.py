"""An ONNX network that a user brings: its file, its one input, and pictures as its input wants them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.errors import ConfigError, ModelError

Layout = Literal["nchw", "nhwc"]
Colour = Literal["rgb", "bgr"]
Three = tuple[float, float, float]
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


def session_of(model: bytes, threads: int, use: str) -> Any:
    """ONNX Runtime's session of a model file's content.

    :param use: what the model is, for messages, such as "a user's detector".
    :raises ModelError: it cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - its errors have no common class, and their words may hold the path
        raise ModelError(f"the file of {use} is no ONNX model that ONNX Runtime can load") from None


def input_of(session: Any, name: str | None, use: str) -> tuple[str, type[np.generic]]:
    """Name and type of the network's input.

    :param name: as the description gives it; ``None``: whichever there is.
    :raises ConfigError: there is none of that name, there are several, or its values have another type.
    """
    inputs = {item.name: item.type for item in session.get_inputs()}
    name = name or next(iter(inputs))
    if name not in inputs or len(inputs) > 1:
        raise ConfigError(f"{use} must have one input {name!r}; it has: {', '.join(inputs)}")
    if inputs[name] not in _TYPES:
        raise ConfigError(f"the input of {use} must take one of: {', '.join(_TYPES)}")
    return name, _TYPES[inputs[name]]


def tensor_of(
    pictures: NDArray[np.uint8], colour: Colour, mean: Three, scale: Three, layout: Layout, kind: type[np.generic]
) -> NDArray[Any]:
    """(value − mean) · scale of each channel, in the described colour order and layout.

    :param pictures: uint8 (N, H, W, 3), RGB.
    """
    ordered = pictures if colour == "rgb" else pictures[..., ::-1]
    values = (ordered.astype(np.float32) - np.array(mean, np.float32)) * np.array(scale, np.float32)
    return np.ascontiguousarray((values if layout == "nhwc" else values.transpose(0, 3, 1, 2)).astype(kind))
