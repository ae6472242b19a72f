"""The sizes inside coded data are found, whatever the boxes around it say."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from boxfile import coded, quarters
from photo_anonymizer.metadata.readers import codedsize
from photo_anonymizer.metadata.readers.isobmff import BrokenBoxError

HEVC_HEAD = bytes(21) + b"\3\0"  # lengths of four bytes, no parameter sets


def parts(picture: Image.Image, format: str) -> tuple[bytes, bytes]:
    """(configuration, payload) of a coded picture."""
    part = coded(picture, format)[0]
    config = next(one[8:] for one in part.properties if one[4:8] in (b"hvcC", b"av1C"))
    return config, part.payload


def bits(*fields: tuple[int, int]) -> bytes:
    """(value, length) pairs behind each other, filled up with zeros."""
    text = "".join(f"{value:0{length}b}" for value, length in fields)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8))


def golomb(value: int) -> tuple[int, int]:
    return value + 1, 2 * (value + 1).bit_length() - 1


@pytest.mark.parametrize("size", [(128, 96), (1000, 700)])
def test_the_size_in_an_hevc_picture_is_found(size):
    ((width, height), *_) = codedsize.hevc(*parts(quarters(*size), "HEIF"))
    assert 0 <= width - size[0] < 64
    assert 0 <= height - size[1] < 64


@pytest.mark.parametrize("size", [(128, 96), (1000, 700)])
def test_the_size_in_an_av1_picture_is_found(size):
    assert codedsize.av1(parts(quarters(*size), "AVIF")[1]) == (size,)


def test_the_size_in_an_av1_sequence_is_found():
    out = io.BytesIO()
    quarters().save(out, "AVIF", save_all=True, append_images=[quarters().rotate(180)])
    data = out.getvalue()
    assert codedsize.av1(data[data.rindex(b"mdat") + 4 :])[0] == (128, 96)


def test_every_parameter_set_counts_also_those_between_the_slices():
    config, payload = parts(quarters(), "HEIF")
    within = bits((0, 4), (0, 3), (1, 1), (0, 96), golomb(0), golomb(1), golomb(30_000), golomb(20_000))
    unit = b"\x42\1" + within.replace(b"\0\0", b"\0\0\3")
    assert (30_000, 20_000) in codedsize.hevc(config, payload + len(unit).to_bytes(4) + unit)


def test_layers_and_separate_planes_are_passed_over():
    fields = [(0, 4), (1, 3), (1, 1), (0, 96), (1, 1), (1, 1), (0, 14), (0, 96), golomb(0), golomb(3), (1, 1)]
    unit = b"\x42\1" + bits(*fields, golomb(640), golomb(480)).replace(b"\0\0", b"\0\0\3")
    assert codedsize.hevc(HEVC_HEAD, len(unit).to_bytes(4) + unit) == ((640, 480),)


def test_timing_in_an_av1_header_is_passed_over():
    timing = [(1, 1), (7, 32), (7, 32), (1, 1), golomb(3), (1, 1), (9, 5), (7, 32), (1, 5), (1, 5)]
    points = [(1, 1), (0, 5), (0, 12), (8, 5), (1, 1), (1, 1), (5, 10), (5, 10), (1, 1), (1, 1), (3, 4)]
    body = bits((0, 3), (0, 1), (0, 1), *timing, *points, (10, 4), (9, 4), (1919, 11), (1022, 10))
    assert codedsize.av1(bytes([0x0A, len(body)]) + body) == ((1920, 1023),)


def test_an_av1_unit_without_a_length_reaches_to_the_end():
    body = bits((0, 3), (1, 1), (1, 1), (0, 5), (5, 4), (5, 4), (63, 6), (31, 6))
    assert codedsize.av1(b"\x08" + body) == ((64, 32),)


@pytest.mark.parametrize(
    "payload",
    [
        bytes(4),
        (50).to_bytes(4) + b"\x28\1",
        (8).to_bytes(4) + b"\x28\1ab\0\0\0c",
        (4).to_bytes(4) + b"\x42\1\1\1",
        b"\0",
    ],
    ids=["nothing", "beyond the end", "a hole", "a short parameter set", "half a length"],
)
def test_hevc_data_that_is_broken_is_refused(payload):
    with pytest.raises(BrokenBoxError):
        codedsize.hevc(HEVC_HEAD, payload)


@pytest.mark.parametrize("config", [b"", bytes(22), bytes(21) + b"\3\1", bytes(21) + b"\3\1\x21\0\1\0\xff"])
def test_an_hevc_configuration_that_is_cut_short_is_refused(config):
    with pytest.raises(BrokenBoxError):
        codedsize.hevc(config, b"")


@pytest.mark.parametrize(
    "payload",
    [b"\x0a\x50abc", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x0a\1\0", b"\x12\0" * 70_000],
    ids=["beyond the end", "an endless length", "a short header", "too many units"],
)
def test_av1_data_that_is_broken_is_refused(payload):
    with pytest.raises(BrokenBoxError):
        codedsize.av1(payload)
