"""An ONNX graph while it grows: what the conversions of weights in other formats have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 17
IR_VERSION = 8
"""The oldest file format that has this operator set, so that any ONNX Runtime since 1.12 reads it."""


@dataclass
class Graph:
    """Nodes and stored tensors, named by their place."""

    nodes: list[onnx.NodeProto] = field(default_factory=list, kw_only=True)
    initializers: list[onnx.TensorProto] = field(default_factory=list, kw_only=True)

    def constant(self, values: NDArray[np.generic]) -> str:
        """Name of a stored tensor."""
        name = f"constant_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: object) -> str:
        """Name of the output of a new node."""
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def model(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any], origin: str) -> bytes:
        """The serialized model; the same bytes for the same graph.

        :param inputs: value infos, as the outputs.
        :param origin: whose weights these are, and under which licence.
        """
        made = helper.make_model(
            helper.make_graph(self.nodes, name, list(inputs), list(outputs), self.initializers),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="photo-anonymizer",
            doc_string=origin,
        )
        return bytes(made.SerializeToString(deterministic=True))
