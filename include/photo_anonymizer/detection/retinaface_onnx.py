"""Converts the RetinaFace graph of the ``retinaface`` wheel to ONNX: ``python -m … SOURCE.pb TARGET.onnx``.

The graph ends in a non-maximum suppression with a score threshold of 0.5, so that doubtful faces never come out of
it. The tensor before it holds every anchor; that one is made the output, and suppression happens outside.
"""

from __future__ import annotations

import sys
from pathlib import Path

INPUT = "x:0"
ANCHORS = "RetinaFaceModel/tf_op_layer_concat_10/concat_10:0"


def convert(source: Path, target: Path) -> None:
    """Writes the ONNX model. Imports TensorFlow (seconds); meant for a process of its own."""
    import tensorflow as tf
    import tf2onnx

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(source.read_bytes())
    model, _ = tf2onnx.convert.from_graph_def(graph, input_names=[INPUT], output_names=[ANCHORS], opset=17)
    target.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
