"""Converts dlib's face recogniser (``dlib_face_recognition_resnet_model_v1.dat``, CC0) to ONNX.

Why: a face takes 74 ms inside dlib's wheel, which has no BLAS and keeps Python's lock, and 5 ms a core in
ONNX Runtime.

The file is dlib's serialization of the network type ``anet_type`` in its ``dnn_face_recognition_ex.cpp``:
first a version number for every layer from the outermost inwards, then the layers themselves from the picture
outwards. It is read from the first byte to the last, and everything in it must be what that network type
writes. Whether the weights are the published ones only a checksum can tell; that is for whoever reads the
file.

The ONNX model takes ``chips``, uint8 (N, 150, 150, 3) in RGB, and gives ``embeddings``, float32 (N, 128).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from photo_anonymizer.errors import ModelError
from photo_anonymizer.onnx_graph import Graph

CHIP_SIZE_PX = 150
EMBEDDING_SIZE = 128
INPUT = "chips"
OUTPUT = "embeddings"

FloatArray = NDArray[np.float32]

_MEAN_RGB = (122.782, 117.001, 104.298)
_SCALE = 256.0
_STEM_FILTERS = 32
# The residual blocks from the picture outwards: number of filters, and whether the block halves the picture.
_BLOCKS: tuple[tuple[int, bool], ...] = (
    *((32, False),) * 3,
    *((64, True), (64, False), (64, False), (64, False)),
    *((128, True), (128, False), (128, False)),
    *((256, True), (256, False), (256, False)),
    (256, True),
)
_LAYER, _LAYER_ON_INPUT, _TAG_OR_SKIP = 2, 3, 1  # version numbers
_EMPTY = (0, 0, 0, 0)


class _Reader:
    """Reads dlib's serialization; each method takes the next value and refuses anything unexpected."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self._at = 0

    def _take(self, count: int) -> memoryview:
        if self._at + count > len(self._data):
            raise ModelError(f"dlib's recogniser ends after {len(self._data)} bytes, too early; install it again")
        self._at += count
        return self._data[self._at - count : self._at]

    def integer(self) -> int:
        """A control byte (number of bytes, sign), then the bytes, the lowest first."""
        control = self._take(1)[0]
        if control & 0x70 or not 1 <= control & 0x0F <= 8:
            raise self.unexpected(f"control byte {control:#x}", "a number")
        value = int.from_bytes(self._take(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def real(self) -> float:
        """Mantissa and exponent of two."""
        mantissa, exponent = self.integer(), self.integer()
        if abs(mantissa) >= 2**53 or abs(exponent) > 1100:
            raise self.unexpected(f"{mantissa} * 2^{exponent}", "a real number")
        return mantissa * 2.0**exponent

    def expect_integers(self, what: str, *want: int) -> None:
        """Exactly these numbers."""
        got = tuple(self.integer() for _ in want)
        if got != want:
            raise self.unexpected(f"{what} {got}", f"{want}")

    def expect_text(self, want: str) -> None:
        """Exactly this text."""
        expected = want.encode()
        self.expect_integers(f"length of the name {want!r}", len(expected))
        got = bytes(self._take(len(expected)))
        if got != expected:
            raise self.unexpected(repr(got), repr(want))

    def tensor(self, what: str, shape: tuple[int, int, int, int]) -> FloatArray:
        """A tensor of exactly this shape, without NaN and infinity."""
        self.expect_integers(f"version of {what}", 2)
        self.expect_integers(f"shape of {what}", *shape)
        count = int(np.prod(shape))
        values = np.frombuffer(self._take(4 * count), "<f4").reshape(shape)
        if not np.isfinite(values).all():
            raise self.unexpected(f"NaN or infinity in {what}", "finite weights")
        return values

    def expect_alias(self, what: str, *shape: int) -> None:
        """The description of a part of a tensor."""
        self.expect_integers(f"part {what}", 1, *shape)

    def expect_layer_end(self) -> None:
        """What dlib keeps with every layer beside its settings: three flags and three empty tensors."""
        flags = bytes(self._take(3))
        if flags.strip(b"01"):
            raise self.unexpected(f"flags {flags!r}", "three times 0 or 1")
        for what in ("gradient", "output", "gradient of the parameters"):
            self.tensor(what, _EMPTY)

    def expect_end(self) -> None:
        """Nothing is left."""
        if self._at != len(self._data):
            raise self.unexpected(f"{len(self._data) - self._at} more bytes", "the end")

    def unexpected(self, got: str, want: str) -> ModelError:
        """The error to raise."""
        return ModelError(
            f"dlib's recogniser has {got} before byte {self._at}, not {want}; "
            "the file is altered or of another network: install it again"
        )


def _read_start(reader: _Reader) -> None:
    reader.expect_integers("version of the network", 1)
    reader.expect_text("loss_metric_2")
    reader.real()  # margin and distance threshold of the training; no part of the result
    reader.real()
    reader.expect_integers("versions of the layers", *_layer_versions())
    reader.expect_text("input_rgb_image_sized")
    means = [reader.real() for _ in _MEAN_RGB]
    if not np.allclose(means, _MEAN_RGB, rtol=0, atol=1e-4):
        raise reader.unexpected(f"mean colour {means}", f"{_MEAN_RGB}")
    reader.expect_integers("size of the picture", CHIP_SIZE_PX, CHIP_SIZE_PX)


def _layer_versions() -> list[int]:
    """The version numbers from the outermost layer inwards."""
    block = [_LAYER] * 5  # affine, convolution, relu, affine, convolution
    versions = [_LAYER, _LAYER]  # fully connected, mean over the picture
    for _, down in reversed(_BLOCKS):
        versions += [_LAYER, _LAYER]  # relu, addition
        versions += [_LAYER, _TAG_OR_SKIP, _TAG_OR_SKIP] if down else []  # mean pooling of the tagged input
        versions += [*block, _TAG_OR_SKIP]
    return [*versions, _LAYER, _LAYER, _LAYER, _LAYER_ON_INPUT]  # pooling, relu, affine, convolution


def _read_convolution(
    reader: _Reader, filters: int, channels: int, size: int, stride: int, padding: int
) -> tuple[FloatArray, FloatArray]:
    """Weights (filters, channels, size, size) and biases of a convolution and the affine layer after it."""
    weight_count = filters * channels * size * size
    reader.expect_text("con_4")
    params = reader.tensor("convolution", (weight_count + filters, 1, 1, 1)).astype(np.float64).ravel()
    reader.expect_integers("settings of a convolution", filters, size, size, stride, stride, padding, padding)
    reader.expect_alias("filters", filters, channels, size, size)
    reader.expect_alias("biases", 1, filters, 1, 1)
    for _ in range(4):
        reader.real()  # multipliers of learning rate and weight decay
    reader.expect_layer_end()
    if channels == len(_MEAN_RGB):
        reader.expect_integers("pictures a sample", 1)  # only the layer on the input says this
    reader.expect_text("affine_")
    gamma, beta = reader.tensor("affine", (2 * filters, 1, 1, 1)).astype(np.float64).reshape(2, filters)
    reader.expect_alias("gamma", 1, filters, 1, 1)
    reader.expect_alias("beta", 1, filters, 1, 1)
    reader.expect_integers("mode of affine", 0)  # a value a channel
    reader.expect_layer_end()
    weights = params[:weight_count].reshape(filters, channels, size, size) * gamma[:, None, None, None]
    biases = params[weight_count:] * gamma + beta
    return weights.astype(np.float32), biases.astype(np.float32)


def _read_simple(reader: _Reader, name: str, *settings: int) -> None:
    """A layer without weights."""
    reader.expect_text(name)
    if settings:
        reader.expect_integers(f"settings of {name}", *settings)
    reader.expect_layer_end()


def _read_connected(reader: _Reader, inputs: int) -> FloatArray:
    """Weights (inputs, EMBEDDING_SIZE) of the last layer, which has no bias."""
    reader.expect_text("fc_2")
    reader.expect_integers("settings of fc", EMBEDDING_SIZE, inputs)
    weights = reader.tensor("fc", (inputs, EMBEDDING_SIZE, 1, 1)).reshape(inputs, EMBEDDING_SIZE)
    reader.expect_alias("weights", inputs, EMBEDDING_SIZE, 1, 1)
    reader.expect_alias("biases", *_EMPTY)
    reader.expect_integers("bias mode of fc", 1)
    for _ in range(4):
        reader.real()
    reader.expect_layer_end()
    return weights


@dataclass(frozen=True)
class _Value:
    """A tensor (N, channels, side, side) in the graph."""

    name: str
    channels: int
    side: int


@dataclass
class _Graph(Graph):
    """The ONNX graph while it grows."""

    def convolution(self, reader: _Reader, value: _Value, filters: int, size: int, stride: int) -> _Value:
        """The next convolution of the file with its affine layer; dlib pads only where nothing is skipped."""
        padding = size // 2 if stride == 1 else 0
        weights, biases = _read_convolution(reader, filters, value.channels, size, stride, padding)
        constants = self.constant(weights), self.constant(biases)
        name = self.node(
            "Conv", value.name, *constants, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[padding] * 4
        )
        return _Value(name, filters, (value.side + 2 * padding - size) // stride + 1)

    def relu(self, reader: _Reader, value: _Value) -> _Value:
        """The next layer of the file, a relu."""
        _read_simple(reader, "relu_")
        return _Value(self.node("Relu", value.name), value.channels, value.side)

    def pool(self, reader: _Reader, value: _Value, kind: str, size: int) -> _Value:
        """The next layer of the file, a pooling with stride two."""
        _read_simple(reader, f"{kind}_pool_2", size, size, 2, 2, 0, 0)
        operator = {"max": "MaxPool", "avg": "AveragePool"}[kind]
        name = self.node(operator, value.name, kernel_shape=[size] * 2, strides=[2, 2])
        return _Value(name, value.channels, (value.side - size) // 2 + 1)

    def add(self, reader: _Reader, a: _Value, b: _Value) -> _Value:
        """The next layer of the file, an addition: the smaller one of each dimension is filled with zeros."""
        _read_simple(reader, "add_prev_")
        channels, side = max(a.channels, b.channels), max(a.side, b.side)
        names = [self._padded(value, channels, side) for value in (a, b)]
        return _Value(self.node("Add", *names), channels, side)

    def _padded(self, value: _Value, channels: int, side: int) -> str:
        if (value.channels, value.side) == (channels, side):
            return value.name
        more = side - value.side
        pads = np.array([0, 0, 0, 0, 0, channels - value.channels, more, more], np.int64)
        return self.node("Pad", value.name, self.constant(pads))

    def residual(self, reader: _Reader, value: _Value, filters: int, down: bool) -> _Value:
        """A residual block with its last relu."""
        inner = self.convolution(reader, value, filters, 3, 2 if down else 1)
        inner = self.convolution(reader, self.relu(reader, inner), filters, 3, 1)
        short = self.pool(reader, value, "avg", 2) if down else value
        return self.relu(reader, self.add(reader, inner, short))


def _build_graph(reader: _Reader) -> _Graph:
    graph = _Graph()
    mean = np.array(_MEAN_RGB, np.float32).reshape(1, 3, 1, 1)
    planes = graph.node("Transpose", INPUT, perm=[0, 3, 1, 2])
    numbers = graph.node("Cast", planes, to=TensorProto.FLOAT)
    centred = graph.node("Sub", numbers, graph.constant(mean))
    scaled = graph.node("Mul", centred, graph.constant(np.array([1 / _SCALE], np.float32)))
    value = graph.convolution(reader, _Value(scaled, 3, CHIP_SIZE_PX), _STEM_FILTERS, 7, 2)
    value = graph.pool(reader, graph.relu(reader, value), "max", 3)
    for filters, down in _BLOCKS:
        value = graph.residual(reader, value, filters, down)
    _read_simple(reader, "avg_pool_2", 0, 0, 1, 1, 0, 0)
    flat = graph.node("Flatten", graph.node("GlobalAveragePool", value.name), axis=1)
    graph.node("MatMul", flat, graph.constant(_read_connected(reader, value.channels)), output=OUTPUT)
    return graph


def build(dat_bytes: bytes) -> bytes:
    """The ONNX model (serialized) of dlib's recogniser; the same bytes for the same input.

    :raises ModelError: the bytes are not the network that this module knows.
    """
    reader = _Reader(dat_bytes)
    _read_start(reader)
    graph = _build_graph(reader)
    reader.expect_end()
    chips = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", CHIP_SIZE_PX, CHIP_SIZE_PX, 3])
    embeddings = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", EMBEDDING_SIZE])
    origin = "dlib_face_recognition_resnet_model_v1 by Davis King, CC0"
    return graph.model("dlib_resnet", [chips], [embeddings], origin)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(build(Path(sys.argv[1]).read_bytes()))
