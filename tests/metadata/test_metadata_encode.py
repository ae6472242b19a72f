"""Pixels in, file out, pixels in again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.strip import strip

SIZES = [(101, 67), (67, 101), (1, 1), (8, 3), (256, 17)]
FILES = {
    "jpeg": ("JPEG", {"quality": 95}),
    "jpeg 4:2:2": ("JPEG", {"quality": 95, "subsampling": 1}),
    "jpeg 4:4:4 progressive": ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"quality": 95}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "tiff": ("TIFF", {}),
}


def drawn(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=-1).astype(np.uint8)


def stripped(pixels: np.ndarray, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format=format, **options)
    return strip(out.getvalue(), max_pixels=10_000_000).data


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FILES)
def test_round_trip(name: str, size: tuple[int, int]) -> None:
    format, options = FILES[name]
    like = stripped(drawn(*size), format, **options)
    rgb, alpha = decode(like)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    assert rgb.shape == (size[1], size[0], 3)
    assert alpha is None
    changed = rgb.copy()
    changed[: size[1] // 2] //= 2
    data = encode(changed, None, like, format.lower())
    assert inspect(data) == ()
    again, _ = decode(data)
    difference = np.abs(again.astype(int) - changed)
    if name in ("png", "webp lossless", "tiff"):
        assert difference.max() == 0
    else:  # halved chroma shows in pictures of a few pixels
        assert difference.mean() < (8 if min(size) >= 16 else 20)


@pytest.mark.parametrize("name", ["png", "webp", "webp lossless", "tiff"])
def test_alpha_round_trip(name: str) -> None:
    format, options = FILES[name]
    alpha = np.full((67, 101), 90, np.uint8)
    alpha[:20] = 0
    rgb = drawn(101, 67)
    like = stripped(np.dstack([rgb, alpha]), format, **options)
    data = encode(rgb, alpha, like, format.lower())
    assert inspect(data) == ()
    again, kept = decode(data)
    assert kept is not None
    assert np.array_equal(kept, alpha)
    if name != "webp":
        assert not again[:20].any()


def test_jpeg_follows_the_encoding() -> None:
    noise = np.random.default_rng(2).integers(0, 60, (267, 301, 1))
    grainy = np.minimum(drawn(301, 267) + noise, 255).astype(np.uint8)
    for subsampling in (0, 1, 2):
        for progressive in (False, True):
            like = stripped(grainy, "JPEG", quality=83, subsampling=subsampling, progressive=progressive)
            data = encode(decode(like)[0], None, like, "jpeg")
            before, after = Image.open(io.BytesIO(like)), Image.open(io.BytesIO(data))
            assert before.quantization == after.quantization
            assert before.layer == after.layer
            assert before.info.get("progressive") == after.info.get("progressive")
            assert abs(len(data) - len(like)) < 0.15 * len(like)


def test_noise_at_the_finest_quantisation_is_written() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    like = stripped(drawn(400, 400), "JPEG", qtables=[[1] * 64] * 2, subsampling=0, progressive=True)
    data = encode(noise, None, like, "jpeg")
    assert inspect(data) == ()
    assert np.abs(decode(data)[0].astype(int) - noise).mean() < 2


def test_webp_stays_in_its_bitstream() -> None:
    lossless = stripped(drawn(101, 67), "WEBP", lossless=True)
    lossy = stripped(drawn(101, 67), "WEBP", quality=90)
    assert encode(drawn(101, 67), None, lossless, "webp")[12:16] == b"VP8L"
    assert encode(drawn(101, 67), None, lossy, "webp")[12:16] == b"VP8 "


def test_opencv_and_pillow_agree() -> None:
    for format, options in FILES.values():
        like = stripped(drawn(101, 67), format, **options)
        assert np.array_equal(decode(like)[0], np.asarray(Image.open(io.BytesIO(like)).convert("RGB")))


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"])
def test_decode_refuses_nonsense(data: bytes) -> None:
    with pytest.raises(PhotoError):
        decode(data)


def test_encode_refuses_a_broken_model() -> None:
    with pytest.raises(PhotoError):
        encode(drawn(8, 8), None, b"\xff\xd8\xff\xd9", "jpeg")
