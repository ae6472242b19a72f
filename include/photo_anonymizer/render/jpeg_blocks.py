"""Edits in a JPEG, block by block: a block that no mask touches keeps its quantised coefficients, bit for bit.

Encoding the composed picture anew would move every pixel a little. Instead the coefficients of the stripped original
are read, the blocks that an edit touches are computed anew with the file's own quantisation tables and subsampling, and
all are written again. jpeglib reads and writes them (libjpeg-turbo's jpeg_read_coefficients and
jpeg_write_coefficients): Pillow, OpenCV and simplejpeg only know pixels.

What is guaranteed:

- A block is touched when one of its samples comes from a pixel under a mask (alpha above 0, however faint) or serves to
  show one: decoders smooth colour between neighbouring samples, so a colour sample next to the mask counts as well.
- A touched block is computed from the composed picture alone, and its samples beyond the picture's edge repeat the last
  one inside. No difference is added to the old coefficients: these hold more than the decoded picture shows
  (brightness beyond black and white, colour that is smoothed away), which would stay in the sum, a trace of the face.
- Outside of the touched blocks decoded pixels are bit-identical, but for those next to a touched block of subsampled
  colour: one pixel, in the direction that is subsampled, by that same smoothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import coefficients_of, with_coefficients
from photo_anonymizer.model.coefficients import Coefficients, Component
from photo_anonymizer.model.outside import Mask, edited, grown
from photo_anonymizer.model.patch import Patch
from photo_anonymizer.model.pixels import Pixels

Plane = NDArray[np.float32]
"""(h, w), samples of one component, 0–255."""
_BLOCK = 8
_TILE_PX = 256
"""Worked on at once, so that memory does not grow with the photo; a multiple of every unit of blocks."""
_RATIOS = (1, 2, 4)
"""Pixels a sample along one axis: those that fit into a tile."""
_LARGEST = 1023
"""Magnitude of a coefficient that baseline can hold beside any other (T.81 F.1.2.1, F.1.2.2, 8 bits a sample)."""
_MIDDLE = 128
"""Subtracted from samples before the transform (T.81 A.3.1)."""
_FROM_RGB = np.array(
    [
        [0.299, 0.587, 0.114, 0],
        [-0.168735892, -0.331264108, 0.5, _MIDDLE],
        [0.5, -0.418687589, -0.081312411, _MIDDLE],
    ],
    np.float32,
)
"""Y, Cb and Cr from R, G, B and 1: full range (JFIF 1.02, after ITU-R BT.601)."""
_AS_THEY_ARE = np.eye(3, 4, dtype=np.float32)


def with_edits(original: bytes, composed: Pixels, patches: Sequence[Patch]) -> bytes | None:
    """The JPEG with the blocks that patches touch taken from the composed picture. Thread-safe.

    :param original: the stripped original, a JPEG.
    :param composed: uint8 (H, W, 3), what the original decodes to, with all patches composed.
    :return: ``None`` if blocks cannot be exchanged, and the picture must be encoded as a whole: no such file, colours
        in four inks, subsampling by other than one, two or four, coefficients beyond what 8 bits need.
    """
    height, width = composed.shape[:2]
    try:
        picture = coefficients_of(original, height * width)
        if not _is_exchangeable(picture, (width, height)):
            return None
        _exchange(picture, composed, edited(patches, (height, width)))
        return with_coefficients(original, picture)
    except PhotoError:
        return None


def _is_exchangeable(picture: Coefficients, size_wh: tuple[int, int]) -> bool:
    across, down = picture.factors
    return (
        (picture.width, picture.height) == size_wh
        and len(picture.components) in (1, 3)
        and all(across / one.across in _RATIOS and down / one.down in _RATIOS for one in picture.components)
        and all(np.abs(one.blocks[..., 0, 0].astype(np.int32)).max() <= _LARGEST + 1 for one in picture.components)
    )


def _pixels_a_sample(picture: Coefficients, one: Component) -> tuple[int, int]:
    """(down, across)."""
    across, down = picture.factors
    return down // one.down, across // one.across


def _exchange(picture: Coefficients, composed: Pixels, masked: Mask) -> None:
    """Writes new coefficients into the touched blocks of a picture.

    :param masked: the pixels under masks.
    """
    colours = _AS_THEY_ARE if picture.is_rgb else _FROM_RGB
    for number, one in enumerate(picture.components):
        down, across = ratio = _pixels_a_sample(picture, one)
        touched = grown(masked, (int(down > 1), int(across > 1)))
        for rows, columns in _tiles(touched):
            plane = cv2.transform(composed[rows, columns].astype(np.float32), colours[number : number + 1])
            wanted = _averaged(touched[rows, columns].astype(np.float32), (_BLOCK * down, _BLOCK * across)) > 0
            blocks = _in_blocks(_averaged(plane, ratio))[wanted]
            top, left = rows.start // (_BLOCK * down), columns.start // (_BLOCK * across)
            place = slice(top, top + wanted.shape[0]), slice(left, left + wanted.shape[1])
            one.blocks[place][wanted] = _quantised(blocks, one.steps)


def _tiles(touched: Mask) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the tiles in which there is something to do."""
    height, width = touched.shape
    for top in range(0, height, _TILE_PX):
        rows = slice(top, min(top + _TILE_PX, height))
        for left in range(0, width, _TILE_PX):
            columns = slice(left, min(left + _TILE_PX, width))
            if touched[rows, columns].any():
                yield rows, columns


def _quantised(blocks: NDArray[np.float32], steps: NDArray[np.uint16]) -> NDArray[np.int16]:
    """The quantised transform of blocks of samples (T.81 A.3.3, A.3.4): (n, 8, 8).

    :param blocks: (n, 8, 8), 0–255.
    """
    exact = np.asarray(scipy.fft.dctn(blocks - _MIDDLE, axes=(1, 2), norm="ortho")) / steps
    return np.clip(np.rint(exact), -_LARGEST, _LARGEST).astype(np.int16)


def _in_blocks(samples: Plane) -> NDArray[np.float32]:
    """(rows, columns, 8, 8)."""
    whole = _filled_up(samples, (_BLOCK, _BLOCK))
    rows, columns = whole.shape[0] // _BLOCK, whole.shape[1] // _BLOCK
    return whole.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2)


def _averaged(values: Plane, part: tuple[int, int]) -> Plane:
    """The mean of every part of this height and width, as libjpeg averages colour (jcsample.c)."""
    whole = _filled_up(values, part)
    size_wh = whole.shape[1] // part[1], whole.shape[0] // part[0]
    return np.asarray(cv2.resize(whole, size_wh, interpolation=cv2.INTER_AREA))


def _filled_up(values: Plane, part: tuple[int, int]) -> Plane:
    """Last row and column repeated, as encoders do, until whole parts of this height and width are filled."""
    missing = [(0, -size % of) for size, of in zip(values.shape, part, strict=True)]
    return np.pad(values, missing, mode="edge") if any(behind for _, behind in missing) else values
