"""GIF: still pictures, what stands beside them, and limits. Animations are in test_metadata_frames."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import Stripped, strip
from photo_anonymizer.model.record import Reason

POLICY = Policy(max_pixels=1_000_000)
SECRET = b"Jane-Doe-7413"


def drawn(width: int = 61, height: int = 47) -> Image.Image:
    """A picture without any symmetry, in 200 colours."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / width, 255 * y / height, 255 * x * y / (width * height)]
    return Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8)).quantize(200)


def gif(picture: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "GIF", **options)
    return out.getvalue()


def extension(label: int, *blocks: bytes) -> bytes:
    return bytes([0x21, label]) + b"".join(bytes([len(one)]) + one for one in blocks) + b"\0"


def with_extension(data: bytes, *parts: bytes) -> bytes:
    """The parts right behind the global colours."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    return data[:at] + b"".join(parts) + data[at:]


def clean(data: bytes) -> Stripped:
    return strip(data, POLICY)


def refused(data: bytes, max_pixels: int = 1_000_000) -> str:
    with pytest.raises(PhotoError) as caught:
        strip(data, Policy(max_pixels=max_pixels))
    return caught.value.reason


PLAIN = gif(drawn())
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
BLOCKS = [PROFILE[at : at + 255] for at in range(0, len(PROFILE), 255)]
XMP = b"<x:xmpmeta><rdf dc:creator='Jane-Doe-7413' mwg-rs:Name='Jane'/></x:xmpmeta>"
MAGIC_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\0"


@pytest.mark.parametrize("interlace", [0, 1])
def test_a_gif_becomes_a_png_with_the_same_pixels(interlace: int) -> None:
    result = clean(gif(drawn(), interlace=interlace))
    assert (result.encoding.format, result.final, result.lossless) == ("png", True, True)
    assert np.array_equal(decode(result.data), np.asarray(drawn().convert("RGB")))
    assert inspect(result.data) == ()


def test_transparency_is_white() -> None:
    result = clean(gif(drawn(), transparency=int(np.asarray(drawn())[0, 0])))
    assert "transparency" in result.removed
    assert not result.lossless
    assert decode(result.data)[0, 0].tolist() == [255, 255, 255]


def test_what_the_picture_does_not_cover_is_white() -> None:
    larger = bytearray(PLAIN)
    larger[6:10] = struct.pack("<HH", 80, 60)
    pixels = decode(clean(bytes(larger)).data)
    assert pixels.shape == (60, 80, 3)
    assert pixels[47:].min() == pixels[:, 61:].min() == 255
    assert np.array_equal(pixels[:47, :61], np.asarray(drawn().convert("RGB")))


def test_a_screen_that_is_too_small_hides_nothing() -> None:
    smaller = bytearray(PLAIN)
    smaller[6:10] = struct.pack("<HH", 5, 5)
    assert decode(clean(bytes(smaller)).data).shape == (47, 61, 3)


PLANTED = {
    "comment": (with_extension(PLAIN, extension(0xFE, SECRET)), {"comment"}),
    "plain text": (with_extension(PLAIN, extension(0x01, bytes(12), SECRET)), {"text"}),
    "xmp": (
        with_extension(PLAIN, b"\x21\xff\x0bXMP DataXMP" + XMP + MAGIC_TRAILER),
        {"xmp", "owner_name", "face_regions"},
    ),
    "icc": (with_extension(PLAIN, extension(0xFF, b"ICCRGBG1012", *BLOCKS)), {"icc"}),
    "application": (with_extension(PLAIN, extension(0xFF, b"JANEDOE1.00", SECRET)), {"other_block"}),
    "unknown extension": (with_extension(PLAIN, extension(0x42, SECRET)), {"other_block"}),
    "loop": (with_extension(PLAIN, extension(0xFF, b"NETSCAPE2.0", b"\1\0\0")), set()),
    "trailing": (PLAIN + SECRET, {"trailing_data"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_stands_beside_the_picture_is_removed_and_named(name: str) -> None:
    data, kinds = PLANTED[name]
    result = clean(data)
    assert set(result.removed) == kinds
    assert SECRET not in result.data
    assert result.data == clean(PLAIN).data


def test_a_wide_profile_is_applied() -> None:
    swapped = bytearray(PROFILE)  # red and green primaries in each other's place
    red, green = swapped.index(b"rXYZ") + 4, swapped.index(b"gXYZ") + 4
    swapped[red : red + 8], swapped[green : green + 8] = swapped[green : green + 8], swapped[red : red + 8]
    blocks = [bytes(swapped[at : at + 255]) for at in range(0, len(swapped), 255)]
    result = clean(with_extension(PLAIN, extension(0xFF, b"ICCRGBG1012", *blocks)))
    assert not result.lossless
    plain, converted = decode(clean(PLAIN).data)[0, 60], decode(result.data)[0, 60]
    assert plain[0] > plain[1]
    assert converted[1] > converted[0]


def test_limits_are_those_of_the_screen_and_of_every_image() -> None:
    assert refused(PLAIN, 61 * 47 - 1) == Reason.TOO_MANY_PIXELS
    at = PLAIN.index(b"\x2c", 13 + (3 << (PLAIN[10] & 7) + 1))
    huge = PLAIN[:at] + b"\x2c" + struct.pack("<HHHH", 0, 0xFF00, 0xFFFF, 0xFF) + PLAIN[at + 9 :]
    assert refused(huge) == Reason.TOO_MANY_PIXELS
    assert refused(huge[: at + 20]) == Reason.TOO_MANY_PIXELS  # truncated as well
    wide = PLAIN[:6] + struct.pack("<HH", 0xFFFF, 0xFFFF) + PLAIN[10:]
    assert refused(wide) == Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("length", [0, 6, 12, 13, 100, len(PLAIN) // 2, len(PLAIN) - 1])
def test_a_truncated_gif_is_refused(length: int) -> None:
    assert refused(PLAIN[:length]) in (Reason.UNDECODABLE, Reason.UNSUPPORTED_FORMAT)


def test_a_gif_without_a_picture_is_refused() -> None:
    assert refused(b"GIF89a" + struct.pack("<HHBBB", 5, 5, 0, 0, 0) + b";") == Reason.UNDECODABLE
