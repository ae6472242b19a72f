"""JPEG coefficients, taken out of one file and written into a new one: nothing but the picture survives.

A scan can hold more than its picture: bytes behind the last block, surplus restart markers, scans that later
ones overwrite, tables that no scan uses (ITU-T T.81 sections B.1.1, B.2.4, F.2.2.5, G.1.1). Here the quantised
coefficients are decoded and written again as one baseline scan.

jpeglib offers this only by file names. Its low-level class is used, as the public functions keep marker
contents in global variables and leave their temporary files behind when a file is broken.
"""

from __future__ import annotations

import ctypes
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jpeglib._bind import CJpegLib  # type: ignore[import-untyped]
from numpy.typing import NDArray

from photo_anonymizer.metadata.readers import jpegfile
from photo_anonymizer.metadata.readers.container import undecodable
from photo_anonymizer.model.coefficients import Coefficients, Component

_VERSION = "turbo210"
"""libjpeg-turbo, as Pillow and OpenCV have it: thrice as fast as the default (libjpeg 6b)."""
_GREY, _COLOUR = 1, 3
"""JCS_GRAYSCALE and JCS_YCbCr of jpeglib.h. Nothing is converted: they only choose one or two sets of tables. The
segments that say what the colours mean are written by :mod:`..readers.jpegfile`."""

CJpegLib.set_version(_VERSION)


def coefficients(clean: bytes) -> Coefficients:
    """The coefficients of a JPEG of one or three components.

    :param clean: what :func:`.jpeg.parse` made, read by a decoder before (the C code gets no other bytes).
    :raises PhotoError: UNDECODABLE.
    """
    frame = jpegfile.frame_of(clean)
    height, width = struct.unpack_from(">HH", frame, 1)
    # A single component is stored block by block, whatever its factors say (T.81 A.2.2).
    factors = [(1, 1)] if frame[5] == 1 else [divmod(both, 16) for both in frame[7::3]]
    widest, tallest = max(a for a, _ in factors), max(d for _, d in factors)
    sizes = [(_parts(height * d, 8 * tallest), _parts(width * a, 8 * widest)) for a, d in factors]
    blocks = [np.zeros((*size, 8, 8), np.int16) for size in sizes]
    steps, numbers = np.zeros((4, 8, 8), np.uint16), np.zeros(4, np.int16)
    planes = [_pointer(one) for one in blocks] + [None] * (4 - len(blocks))
    with _file(clean) as source:
        try:
            CJpegLib.read_jpeg_dct(str(source), *planes, _pointer(steps), _pointer(numbers))
        except OSError:
            raise undecodable("the JPEG coefficients cannot be read") from None
    tables = [steps[number] for number in numbers[: len(blocks)]]
    parts = zip(factors, blocks, tables, strict=True)
    components = tuple(Component(a, d, plane, table) for (a, d), plane, table in parts)
    return Coefficients(width, height, components, jpegfile.is_rgb(clean))


def written(picture: Coefficients, clean: bytes, *, fitted: bool) -> bytes:
    """A fresh baseline file with these coefficients, and the colour segments of ``clean``. Thread-safe.

    :param fitted: are the Huffman tables made for this picture? Else they are those of T.81 Annex K, which is
        quicker and takes some percent more.
    :raises PhotoError: UNDECODABLE if the coefficients cannot be written as baseline.
    """
    components = picture.components
    numbers, tables = _numbered([one.steps for one in components])
    blocks = [np.ascontiguousarray(one.blocks, np.int16) for one in components]
    with _file() as target:
        try:
            CJpegLib.write_jpeg_dct(
                srcfile=None,
                dstfile=str(target),
                **dict(zip(("Y", "Cb", "Cr", "K"), [*map(_pointer, blocks), None, None, None], strict=False)),
                image_dims=_ints([picture.height, picture.width]),
                block_dims=_ints([size for one in components for size in one.blocks.shape[:2]]),
                in_color_space=_GREY if len(components) == 1 else _COLOUR,
                in_components=len(components),
                samp_factor=_ints([factor for one in components for factor in (one.down, one.across)]),
                qt=_pointer(tables),
                quality=-1,
                quant_tbl_no=_pointer(numbers),
                num_markers=0,
                marker_types=None,
                marker_lengths=None,
                markers=None,
                flags=["+OPTIMIZE_CODING" if fitted else "-OPTIMIZE_CODING"],
            )
        except OSError:
            raise undecodable("the JPEG coefficients cannot be carried over") from None
        return jpegfile.rebuilt(clean, target.read_bytes())


@contextmanager
def _file(content: bytes = b"") -> Iterator[Path]:
    """A file for the C code, in memory where the system can: a process that is killed leaves no photo behind."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("jpeg"), "wb", buffering=0) as memory:
            path = Path(f"/proc/self/fd/{memory.fileno()}")
            path.write_bytes(content)
            yield path
    else:
        with tempfile.TemporaryDirectory(prefix="transcode-") as folder:
            path = Path(folder, "picture.jpg")
            path.write_bytes(content)
            yield path


def _numbered(steps: list[NDArray[np.uint16]]) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """The number of every component's table, counted in the order of use, and the tables."""
    distinct: dict[bytes, int] = {}
    numbers = np.full(4, -1, np.int16)
    tables = np.zeros((4, 8, 8), np.uint16)
    for index, table in enumerate(steps):
        numbers[index] = distinct.setdefault(table.tobytes(), len(distinct))
        tables[numbers[index]] = table
    return numbers, tables


def _pointer(values: NDArray[np.int16] | NDArray[np.uint16]) -> ctypes.c_void_p:
    """For C. The array must live as long as the call."""
    return ctypes.c_void_p(values.ctypes.data)


def _ints(values: list[int]) -> ctypes.Array[ctypes.c_int]:
    return (ctypes.c_int * len(values))(*values)


def _parts(size: int, part: int) -> int:
    return -(-size // part)
