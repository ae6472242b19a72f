"""A user's recogniser for tests: a network made here that shrinks a chip to a few cells, and its description."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import TensorProto, helper, numpy_helper

SIDE_PX, CELLS = 32, 4


def cells(batch: int | str = "N", layout: str = "nchw", kind: int = TensorProto.FLOAT) -> bytes:
    """Means of 4 × 4 cells a channel: (batch, 3, 32, 32) → (batch, 48), channel by channel."""
    shape = [batch, 3, SIDE_PX, SIDE_PX] if layout == "nchw" else [batch, SIDE_PX, SIDE_PX, 3]
    size = SIDE_PX // CELLS
    nodes = [
        helper.make_node("Cast", ["chips"], ["numbers"], to=TensorProto.FLOAT),
        *([] if layout == "nchw" else [helper.make_node("Transpose", ["numbers"], ["planes"], perm=[0, 3, 1, 2])]),
        helper.make_node(
            "AveragePool",
            ["numbers" if layout == "nchw" else "planes"],
            ["means"],
            kernel_shape=[size] * 2,
            strides=[size] * 2,
        ),
        helper.make_node("Flatten", ["means"], ["embedding"], axis=1),
    ]
    return model_of(nodes, {}, shape, kind)


def constant(numbers: int = 8) -> bytes:
    """The same row for every picture: a recogniser that is broken."""
    held = {"row": np.arange(1, numbers + 1, dtype=np.float32)[np.newaxis], "none": np.zeros(1, np.float32)}
    nodes = [
        helper.make_node("ReduceMean", ["chips"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "none"], ["nothing"]),
        helper.make_node("Add", ["nothing", "row"], ["embedding"]),
    ]
    return model_of(nodes, {**held, "axis": np.array([1], np.int64)}, ["N", 3, SIDE_PX, SIDE_PX], TensorProto.FLOAT)


def model_of(nodes: list[Any], held: dict[str, np.ndarray], shape: list[Any], kind: int) -> bytes:
    """A network with the input ``chips`` and the output ``embedding``."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("chips", kind, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def described(folder: Path, model: bytes, name: str = "tiny", **more: Any) -> Path:
    """Writes a model and its description into a folder; returns the description's path."""
    (folder / f"{name}.onnx").write_bytes(model)
    values = {
        "name": name,
        "path": f"{name}.onnx",
        "sha256": hashlib.sha256(model).hexdigest(),
        "licence": "MIT",
        "size_px": SIDE_PX,
        "metric": "cosine",
        "threshold": 0.9,
        **more,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({field: value for field, value in values.items() if value is not None}))
    return path
