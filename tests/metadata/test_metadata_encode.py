"""Pixels in, file out, pixels in again."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.encode import as_png, encode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.profiles import profile_in
from photo_anonymizer.model.encoding import Encoding

SIZES = [(101, 67), (67, 101), (1, 1), (8, 3), (256, 17)]
ENCODINGS = {
    "jpeg": Encoding(format="jpeg", quality=95, subsampling=2),
    "jpeg 4:2:2": Encoding(format="jpeg", quality=95, subsampling=1),
    "jpeg 4:4:4 progressive": Encoding(format="jpeg", quality=95, progressive=True),
    "jpeg grey": Encoding(format="jpeg", quality=95, grey=True),
    "png": Encoding(format="png"),
    "png grey": Encoding(format="png", grey=True),
    "webp": Encoding(format="webp", quality=90),
    "webp lossless": Encoding(format="webp", lossless=True),
    "tiff": Encoding(format="tiff"),
    "tiff grey": Encoding(format="tiff", grey=True),
    "avif": Encoding(format="avif", quality=92),
    "avif 4:2:0": Encoding(format="avif", quality=92, subsampling=2),
    "avif grey": Encoding(format="avif", quality=92, grey=True),
}
EXACT = ("png", "png grey", "webp lossless", "tiff", "tiff grey")


def drawn(width: int, height: int, *, grey: bool = False) -> np.ndarray:
    """A smooth picture without any symmetry, uint8 (height, width, 3); ``grey``: three equal channels."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / width, 255 * y / height, 128 + 0 * x]
    return np.stack([planes[0]] * 3 if grey else planes, axis=-1).astype(np.uint8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ENCODINGS)
def test_pixels_come_back(name: str, size: tuple[int, int]) -> None:
    encoding = ENCODINGS[name]
    rgb = drawn(*size, grey=encoding.grey)
    data = encode(rgb, encoding)
    assert inspect(data) == ()
    again = decode(data)
    assert (again.dtype, again.shape, again.flags.c_contiguous) == (np.uint8, rgb.shape, True)
    difference = np.abs(again.astype(int) - rgb)
    if name in EXACT:
        assert difference.max() == 0
    else:  # halved chroma shows in pictures of a few pixels
        assert difference.mean() < (8 if min(size) >= 16 else 20)


@pytest.mark.parametrize("name", ENCODINGS)
def test_grey_is_written_with_one_channel(name: str) -> None:
    encoding = ENCODINGS[name]
    picture = Image.open(io.BytesIO(encode(drawn(101, 67), encoding)))
    assert picture.mode == ("L" if encoding.grey else "RGB")


@pytest.mark.parametrize("grey", [False, True])
def test_the_intermediate_is_exact(grey: bool) -> None:
    rgb = drawn(101, 67, grey=grey)
    picture = Image.fromarray(rgb).convert("L" if grey else "RGB")
    data = as_png(picture)
    assert np.array_equal(decode(data), rgb)
    assert Image.open(io.BytesIO(data)).mode == picture.mode


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_written_as_told(subsampling: int, progressive: bool) -> None:
    tables = (tuple(range(1, 65)), tuple(range(64, 0, -1)))
    encoding = Encoding(format="jpeg", tables=tables, subsampling=subsampling, progressive=progressive)
    picture = Image.open(io.BytesIO(encode(drawn(301, 267), encoding)))
    assert tuple(tuple(picture.quantization[number]) for number in (0, 1)) == tables
    assert picture.layer[0][1:3] == ((1, 1), (2, 1), (2, 2))[subsampling]
    assert bool(picture.info.get("progressive")) == progressive


def test_a_jpeg_carries_the_profile_that_it_names_and_no_other() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = Encoding(format="jpeg", quality=92, profile="generic")
    assert profile_in(encode(drawn(101, 67), named, profile)) == profile
    assert profile_in(encode(drawn(101, 67), named.model_copy(update={"profile": ""}), profile)) == b""


def test_noise_at_the_finest_quantisation_is_written() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    data = encode(noise, Encoding(format="jpeg", tables=((1,) * 64,) * 2, progressive=True))
    assert inspect(data) == ()
    assert np.abs(decode(data).astype(int) - noise).mean() < 2


def test_webp_stays_in_its_bitstream() -> None:
    assert encode(drawn(101, 67), ENCODINGS["webp lossless"])[12:16] == b"VP8L"
    assert encode(drawn(101, 67), ENCODINGS["webp"])[12:16] == b"VP8 "


@pytest.mark.parametrize("name", ENCODINGS)
def test_opencv_and_pillow_agree(name: str) -> None:
    data = encode(drawn(101, 67), ENCODINGS[name])
    assert np.array_equal(decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff\xd8\xff\xd9", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"])
def test_decode_refuses_nonsense(data: bytes) -> None:
    with pytest.raises(PhotoError):
        decode(data)
