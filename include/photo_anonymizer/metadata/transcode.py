"""JPEG coefficients carried into a new file: nothing but the picture survives, and none of it is lost.

A scan can hold more than its picture: bytes behind the last block, surplus restart markers, scans that later
ones overwrite, tables that no scan uses (ITU-T T.81 sections B.1.1, B.2.4, F.2.2.5, G.1.1). Here the quantised
coefficients are decoded and written again as one baseline scan with fresh Huffman tables.

jpeglib offers this only by file names. Its low-level class is used, as the public functions keep marker
contents in global variables and leave their temporary files behind when a file is broken.
"""

from __future__ import annotations

import ctypes
import struct
import tempfile
from pathlib import Path

from jpeglib._bind import CJpegLib  # type: ignore[import-untyped]

from photo_anonymizer.metadata import jpeg
from photo_anonymizer.metadata.container import undecodable

_VERSION = "turbo210"
"""libjpeg-turbo, as Pillow and OpenCV have it: thrice as fast as the default (libjpeg 6b)."""
_UNKNOWN_COLOURS = 0
"""No colour is converted; the segments that say what the colours mean are written by :mod:`.jpeg`."""

CJpegLib.set_version(_VERSION)


def transcoded(clean: bytes) -> bytes:
    """The same coefficients, quantisation tables and sampling in a fresh baseline file. Thread-safe.

    :param clean: what :func:`.jpeg.parse` made, decoded without complaint before (the C code gets no other bytes).
    :raises PhotoError: UNDECODABLE if the coefficients cannot be written as baseline.
    """
    with tempfile.TemporaryDirectory(prefix="transcode-") as folder:
        source, target = Path(folder, "in.jpg"), Path(folder, "out.jpg")
        source.write_bytes(clean)
        try:
            _copy(str(source), str(target), jpeg.frame_of(clean))
        except (OSError, struct.error):
            raise undecodable("the JPEG coefficients cannot be carried over") from None
        return jpeg.rebuilt(clean, target.read_bytes())


def _copy(source: str, target: str, frame: bytes) -> None:
    """jpeglib insists on luma being handed over; the other components it copies by itself."""
    height, width, components = struct.unpack_from(">HHB", frame, 1)
    rows, columns = _luma_blocks(frame, height, width)
    luma = (ctypes.c_short * (64 * rows * columns))()
    steps, numbers = (ctypes.c_ushort * (64 * 4))(), (ctypes.c_short * 4)()
    CJpegLib.read_jpeg_dct(source, luma, None, None, None, steps, numbers)
    CJpegLib.write_jpeg_dct(
        srcfile=source,
        dstfile=target,
        Y=luma,
        Cb=None,
        Cr=None,
        K=None,
        image_dims=(ctypes.c_int * 2)(height, width),
        block_dims=None,
        in_color_space=_UNKNOWN_COLOURS,
        in_components=components,
        samp_factor=None,
        qt=None,
        quality=-1,
        quant_tbl_no=None,
        num_markers=0,
        marker_types=None,
        marker_lengths=None,
        markers=None,
        flags=["+OPTIMIZE_CODING"],
    )


def _luma_blocks(frame: bytes, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of blocks of the first component (T.81 A.1.1 and A.2.4)."""
    factors = [divmod(both, 16) for both in frame[7::3]]
    across, down = factors[0]
    widest, tallest = max(a for a, _ in factors), max(d for _, d in factors)
    return -(-height * down // (8 * tallest)), -(-width * across // (8 * widest))
