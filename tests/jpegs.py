"""JPEG files made in code, whole and spoiled, for the tests of the JPEG modules."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
from PIL import Image

from photo_anonymizer.metadata.readers import jpeg
from photo_anonymizer.metadata.readers.container import Container

MAX_PIXELS = 4_000_000
SECRET = b"Jane-Doe-7413"


def drawn(width: int = 96, height: int = 64) -> np.ndarray:
    """A grainy picture without any symmetry, (height, width, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([255 * x / width, 255 * y / height, 255 * x * y / (width * height)], axis=-1)
    grain = np.random.default_rng(width * height).normal(0, 6, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def saved(pixels: np.ndarray, **options: object) -> bytes:
    """A JPEG as Pillow writes it, of quality 90 unless the options say otherwise."""
    out = io.BytesIO()
    quality = {} if "qtables" in options else {"quality": 90}
    Image.fromarray(pixels).save(out, "JPEG", **{**quality, **options})
    return out.getvalue()


def sampled(pixels: np.ndarray, sampling: str, quality: int = 90) -> bytes:
    """A JPEG with this subsampling of colour: 4:4:4, 4:2:2, 4:4:0, 4:2:0, 4:1:1, or grey."""
    if sampling == "grey":
        return saved(pixels[..., 1], quality=quality)
    factor = getattr(cv2, "IMWRITE_JPEG_SAMPLING_FACTOR_" + sampling.replace(":", ""))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factor]
    return bytes(cv2.imencode(".jpg", pixels[..., ::-1], options)[1])


def shown(data: bytes) -> np.ndarray:
    """The pixels as Pillow decodes them, (H, W, 3) int16."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


def box_of(data: bytes, frame: int = 0) -> Container:
    """The container that the JPEG reader makes."""
    return jpeg.parse(data, MAX_PIXELS, frame)


def segment(marker: int, payload: bytes) -> bytes:
    """One marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    """The segment right after start-of-image and JFIF."""
    return data[:20] + segment(marker, payload) + data[20:]


def before(data: bytes, marker: bytes, extra: bytes) -> bytes:
    """Bytes in front of the first place where a marker stands."""
    at = data.index(marker)
    return data[:at] + extra + data[at:]


def before_end(data: bytes, extra: bytes) -> bytes:
    """Bytes between the scan and the end-of-image marker."""
    return data[:-2] + extra + data[-2:]


def cropped(data: bytes, width: int, height: int) -> bytes:
    """The same coded blocks under a header that declares a smaller picture."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def multi(primary: bytes, *others: tuple[int, bytes], shift: int = 0) -> bytes:
    """A file with a multi-picture block (CIPA DC-007) and further pictures of these types behind the primary one.

    :param shift: how far the declared offsets are off.
    """
    table_at = 8 + 2 + 2 * 12 + 4
    block_size = 4 + table_at + 16 * (1 + len(others))
    base = 20 + 4 + 4  # start-of-image and JFIF; marker and length; the name of the block
    first_size = len(primary) + 4 + block_size
    rows, at = struct.pack("<IIIHH", 0x030000, first_size, 0, 0, 0), first_size
    for kind, data in others:
        rows += struct.pack("<IIIHH", kind, len(data), at - base + shift, 0, 0)
        at += len(data)
    entries = struct.pack("<HHII", 0xB001, 4, 1, 1 + len(others))
    entries += struct.pack("<HHII", 0xB002, 7, len(rows), table_at)
    block = b"MPF\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + rows
    return with_segment(primary, 0xE2, block) + b"".join(data for _, data in others)
