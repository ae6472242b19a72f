"""Tiny generators for tests: ONNX networks made in code, and one that answers what it is told to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from onnx import TensorProto, helper

from photo_anonymizer.methods.generators.protocol import Canvas, Scene
from photo_anonymizer.onnx_graph import Graph

SIDE_PX = 64
FLOAT = TensorProto.FLOAT
PICTURE = [1, 3, SIDE_PX, SIDE_PX]

Body = Callable[[Graph], str]


def network(inputs: Mapping[str, tuple[int, list[int]]], body: Body, output: list[int] | None = None) -> bytes:
    """A model with those inputs (name → type and shape) whose output ``made`` is what the body returns."""
    graph = Graph()
    graph.node("Identity", body(graph), output="made")
    values = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
    return graph.model(
        "tiny", values, [helper.make_tensor_value_info("made", FLOAT, output or PICTURE)], "made in a test"
    )


def speckled(graph: Graph) -> str:
    """The picture where no face is wanted, noise of half its span where one is."""
    spots = graph.node("Mul", "noise", "mask")
    return graph.node("Add", "picture", graph.node("Mul", spots, graph.constant(np.float32(0.5))))


SPECKLED = network(
    {"picture": (FLOAT, PICTURE), "mask": (FLOAT, [1, 1, SIDE_PX, SIDE_PX]), "noise": (FLOAT, PICTURE)}, speckled
)
SPECKLED_INPUTS = {
    "image": "picture",
    "mask": {"name": "mask"},
    "noise": {"name": "noise", "shape": PICTURE},
}


def described(folder: Path, model: bytes, **fields: Any) -> Path:
    """Writes a model and its description; returns the description's path."""
    (folder / "model.onnx").write_bytes(model)
    values = {
        "path": "model.onnx",
        "sha256": hashlib.sha256(model).hexdigest(),
        "licence": "CC0-1.0",
        "size_px": SIDE_PX,
        "range": "-1..1",
        "output": "made",
        **fields,
    }
    path = folder / "generator.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


class Told:
    """A generator that answers what a function makes of the scene, and remembers what it was shown."""

    name = "told"
    sha256 = "ab" * 32
    margin = 1.6

    def __init__(self, answer: Callable[[Scene, np.random.Generator], Any], side_px: int = SIDE_PX) -> None:
        self.answer, self.side_px = answer, side_px
        self.shown: list[Scene] = []

    def generate(self, scene: Scene, rng: np.random.Generator) -> Canvas:
        self.shown.append(scene)
        made: Canvas = self.answer(scene, rng)
        return made


def noisy(scene: Scene, rng: np.random.Generator) -> Canvas:
    """The scene's picture with noise where a face is wanted."""
    noise = rng.normal(scale=30, size=scene.picture.shape) * scene.blank[..., np.newaxis]
    return (scene.picture + noise).astype(np.float32)
