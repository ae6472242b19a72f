"""What the blocks at the right and lower edge of a JPEG hold beyond the picture.

A side that is no multiple of eight ends inside a block, and no viewer shows the rest of it. Encoders fill it by
repeating the last column or row. Something else there is what a crop left over, or what somebody put there.

The coefficients of a block are rounded, so decoded samples never repeat exactly. The question is whether coefficients
exist that round to the given ones and whose samples do repeat. With every coefficient measured in steps of its
quantisation table, rounding moves it by at most half a step; the block is compared with the nearest one whose samples
repeat, and what is left must be no more than rounding explains.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.coefficients import Coefficients, Component

_BLOCK = 8
_MEAN, _VARIANCE = 1 / 12, 1 / 180
"""Of the square of a rounding error, which is uniform between -½ and ½."""
_DEVIATIONS = 6
"""From what is expected of rounding: one block in a thousand million by chance, were the errors normal."""
_FARTHEST = 0.9
"""Steps that one coefficient may be off: half a step of its own, and its part in the errors of the others."""
_DITHER = 4
"""What one coefficient may be off besides, for fine steps: libjpeg rounds every second column of subsampled colour up
and the others down, which is one level in all samples of a block, or 4 in one coefficient."""
_COLOUR_JUMP = 48
"""Of 255: by how much the colour beyond the edge may differ from the last column of subsampled colour, which is the
mean of two columns of which encoders repeat the second."""


@dataclass(frozen=True)
class _Edge:
    """Blocks of a component that end in the same way."""

    blocks: NDArray[np.int16]
    """(N, 8, 8) coefficients."""
    rows: int
    """Samples of each block that belong to the picture, 1–8."""
    columns: int


@dataclass(frozen=True)
class _Fit:
    """How the nearest samples that repeat are found for the coefficients of a block, all in steps.

    The same for all blocks with the same edge and quantisation table, so that the photos of one camera share it.
    """

    shape: tuple[int, int]
    """Rows and columns of the free samples."""
    basis: NDArray[np.float64]
    """(64, free): each column has the coefficients of one free sample and its repetitions."""
    nearest: NDArray[np.float64]
    """(free, 64): the free samples from the coefficients."""


def only_repeats(picture: Coefficients) -> bool:
    """Do the blocks hold nothing beyond the edges but the last column and row once more?

    :param picture: may have more blocks than cover the picture; those are not looked at.
    """
    widest, tallest = picture.factors
    for one in picture.components:
        # T.81 A.1.1
        width, height = -(-picture.width * one.across // widest), -(-picture.height * one.down // tallest)
        subsampled = (one.down < tallest, one.across < widest)
        if not all(_explained(edge, one.steps, subsampled) for edge in _edges(one, width, height)):
            return False
    return True


def _edges(one: Component, width: int, height: int) -> list[_Edge]:
    """The blocks with samples beyond the edge: right side, lower side, corner."""
    right, bottom = (width - 1) // _BLOCK, (height - 1) // _BLOCK
    columns, rows = width - _BLOCK * right, height - _BLOCK * bottom
    found = [
        _Edge(one.blocks[:bottom, right], _BLOCK, columns),
        _Edge(one.blocks[bottom, :right], rows, _BLOCK),
        _Edge(one.blocks[bottom : bottom + 1, right], rows, columns),
    ]
    return [edge for edge in found if len(edge.blocks) and (edge.rows < _BLOCK or edge.columns < _BLOCK)]


def _explained(edge: _Edge, steps: NDArray[np.uint16], subsampled: tuple[bool, bool]) -> bool:
    """Could the blocks be rounded ones that repeat?"""
    fit = _fit(edge.rows, edge.columns, subsampled, steps.tobytes())
    given = edge.blocks.reshape(-1, _BLOCK * _BLOCK).astype(np.float64)
    samples = given @ fit.nearest.T
    rest = given - samples @ fit.basis.T
    free = _BLOCK * _BLOCK - fit.basis.shape[1]
    dither = _DITHER / float(steps.min())
    most = free * _MEAN + _DEVIATIONS * np.sqrt(free * _VARIANCE) + dither**2
    rounded = np.einsum("ij,ij->i", rest, rest).max() <= most and np.abs(rest).max() <= _FARTHEST + dither
    return bool(rounded) and _no_jump(samples.reshape(-1, *fit.shape), edge)


@lru_cache(maxsize=64)
def _fit(rows: int, columns: int, subsampled: tuple[bool, bool], steps: bytes) -> _Fit:
    """:param steps: the quantisation table, (8, 8) uint16."""
    down, across = _repeating(rows, subsampled[0]), _repeating(columns, subsampled[1])
    scale = np.frombuffer(steps, np.uint16).astype(np.float64)
    basis = np.kron(_TRANSFORM @ down, _TRANSFORM @ across) / scale[:, None]
    # By normal equations: five times as fast as by a singular value decomposition, and exact enough for 64 numbers.
    nearest = np.linalg.solve(basis.T @ basis, basis.T).astype(np.float64, copy=False)
    return _Fit((down.shape[1], across.shape[1]), basis, nearest)


def _repeating(inside: int, subsampled: bool) -> NDArray[np.float64]:
    """Eight samples along one axis from those that are free: (8, free).

    :param inside: how many belong to the picture.
    :param subsampled: may the samples beyond the edge have a value of their own, the same for all of them?
    """
    free = inside + (subsampled and inside < _BLOCK)
    return np.eye(free)[np.minimum(np.arange(_BLOCK), free - 1)]


def _no_jump(samples: NDArray[np.float64], edge: _Edge) -> bool:
    """Is a value of its own beyond the edge near the last one inside?

    :param samples: (N, rows, columns), the free ones.
    """
    below = samples[:, edge.rows :] - samples[:, edge.rows - 1 : edge.rows]
    beside = samples[:, :, edge.columns :] - samples[:, :, edge.columns - 1 : edge.columns]
    return all(not jump.size or np.abs(jump).max() <= _COLOUR_JUMP for jump in (below, beside))


def _transform() -> NDArray[np.float64]:
    """The discrete cosine transform of eight samples (T.81 A.3.3), as a matrix."""
    frequency, place = np.mgrid[:_BLOCK, :_BLOCK]
    scale = np.where(frequency == 0, np.sqrt(0.125), 0.5)
    return np.asarray(scale * np.cos((2 * place + 1) * frequency * np.pi / (2 * _BLOCK)))


_TRANSFORM = _transform()
