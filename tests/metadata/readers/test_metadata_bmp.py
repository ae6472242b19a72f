"""BMP: every depth and header that Pillow decodes, and what can hide in one."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import Stripped, count_pictures, strip
from photo_anonymizer.model.record import Reason

SECRET = b"Jane-Doe-7413"
WIDTH, HEIGHT = 13, 7


def drawn() -> np.ndarray:
    """uint8 (HEIGHT, WIDTH, 3), no two pixels alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([x * 19, y * 36, x * y * 2], axis=-1).astype(np.uint8)


def saved(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "BMP")
    return out.getvalue()


def bmp(bits: int, rows: bytes, *, packing: int = 0, height: int = HEIGHT, tail: bytes = b"", head: int = 40) -> bytes:
    """A header of version 3 to 5 by hand; ``tail``: all of it behind its 40 bytes, then masks and palette."""
    start = 14 + 40 + len(tail)
    info = struct.pack("<IiiHHIIiiII", head, WIDTH, height, 1, bits, packing, len(rows), 0, 0, 0, 0)
    return struct.pack("<2sIII", b"BM", start + len(rows), 0, start) + info + tail + rows


def rows_of(pixels: np.ndarray) -> bytes:
    """Rows from the lowest up, each filled to whole words."""
    lines = [line.tobytes() for line in pixels[::-1]]
    return b"".join(line + b"\0" * (-len(line) % 4) for line in lines)


def clean(data: bytes, max_pixels: int = 10_000) -> Stripped:
    return strip(data, Policy(max_pixels=max_pixels))


def refused(data: bytes, max_pixels: int = 10_000) -> str:
    with pytest.raises(PhotoError) as caught:
        clean(data, max_pixels)
    return caught.value.reason


def shows(data: bytes, pixels: np.ndarray) -> bool:
    return np.array_equal(decode(clean(data).data), pixels)


PLAIN = bmp(24, rows_of(drawn()[..., ::-1]))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_bmp_becomes_a_png_with_the_same_pixels(mode: str) -> None:
    picture = Image.fromarray(drawn())
    picture = picture.quantize(40) if mode == "P" else picture.convert(mode)
    result = clean(saved(picture))
    assert (result.encoding.format, result.final, result.lossless) == ("png", True, True)
    assert np.array_equal(decode(result.data), np.asarray(picture.convert("RGB")))
    assert inspect(result.data) == ()
    assert count_pictures(saved(picture)) == 1


def test_the_first_row_may_be_the_upper_one() -> None:
    assert shows(PLAIN, drawn())
    assert shows(bmp(24, rows_of(drawn()[::-1, :, ::-1]), height=-HEIGHT), drawn())


def test_four_bit_colours() -> None:
    palette = bytes(value for number in range(16) for value in (number, 2 * number, 15 * number, 0))
    indices = np.arange(HEIGHT * 14).reshape(HEIGHT, 14).astype(np.uint8) % 16
    rows = rows_of(indices[:, ::2] << 4 | indices[:, 1::2])
    wanted = np.stack([indices * 15, indices * 2, indices], axis=-1)[:, :WIDTH]
    assert shows(bmp(4, rows, tail=palette), wanted)


def test_run_lengths_of_eight_bits() -> None:
    palette = bytes(value for number in range(256) for value in (0, 0, number, 0))
    rows = b"".join(bytes([WIDTH, 10 + row, 0, 0]) for row in range(HEIGHT))[:-2] + b"\0\1"
    wanted = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    wanted[..., 0] = 10 + np.arange(HEIGHT)[::-1, None]
    assert shows(bmp(8, rows, packing=1, tail=palette), wanted)


def test_sixteen_bits_with_and_without_masks() -> None:
    red, green, blue = (drawn()[..., place].astype(np.uint16) for place in range(3))
    five = (red >> 3) << 10 | (green >> 3) << 5 | blue >> 3
    six = (red >> 3) << 11 | (green >> 2) << 5 | blue >> 3
    for data in (
        bmp(16, rows_of(five)),
        bmp(16, rows_of(six), packing=3, tail=struct.pack("<III", 0xF800, 0x7E0, 0x1F)),
    ):
        result = clean(data)
        assert np.abs(decode(result.data).astype(int) - drawn()).max() <= 8
        assert not result.lossless


def test_the_fourth_byte_is_transparency_only_where_a_mask_says_so() -> None:
    alpha = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    rows = rows_of(np.concatenate([drawn()[..., ::-1], alpha], axis=-1))
    assert shows(bmp(32, rows), drawn())
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    masked = clean(bmp(32, rows, packing=3, tail=masks + bytes(52), head=108))
    assert "transparency" in masked.removed
    assert decode(masked.data).min() == 255


def test_the_oldest_header() -> None:
    rows = rows_of(drawn()[..., ::-1])
    head = struct.pack("<2sIIIIHHHH", b"BM", 26 + len(rows), 0, 26, 12, WIDTH, HEIGHT, 1, 24)
    assert shows(head + rows, drawn())


def with_profile(space: bytes, block: bytes) -> bytes:
    """A header of version 5 whose profile lies behind the pixels."""
    rows = rows_of(drawn()[..., ::-1])
    tail = bytes(16) + space + bytes(36) + bytes(12) + struct.pack("<IIII", 2, 124 + len(rows), len(block), 0)
    return bmp(24, rows, tail=tail[:84], head=124) + block


PLANTED = {
    "trailing": (PLAIN + SECRET, {"trailing_data"}),
    "gap": (PLAIN[:10] + struct.pack("<I", 54 + 16) + PLAIN[14:54] + SECRET.ljust(16) + PLAIN[54:], {"hidden_data"}),
    "reserved": (PLAIN[:6] + b"Jane" + PLAIN[10:], {"hidden_data"}),
    "resolution": (PLAIN[:38] + struct.pack("<ii", 2835, 2835) + PLAIN[46:], {"resolution"}),
    "linked profile": (with_profile(b"KNIL", b"C:\\Jane-Doe-7413.icm\0"), {"linked_profile", "trailing_data"}),
    "embedded profile": (with_profile(b"DEBM", b"no profile" + SECRET), {"icc"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_stands_beside_the_pixels_is_removed_and_named(name: str) -> None:
    data, kinds = PLANTED[name]
    result = clean(data)
    assert set(result.removed) == kinds
    assert b"Jane" not in result.data
    assert result.data == clean(PLAIN).data


def test_a_clean_bmp_has_nothing_to_remove() -> None:
    assert clean(PLAIN).removed == ()


def test_the_header_says_how_large_it_is() -> None:
    assert refused(PLAIN, WIDTH * HEIGHT - 1) == Reason.TOO_MANY_PIXELS
    assert refused(PLAIN[:18] + struct.pack("<ii", 1 << 30, -(1 << 31)) + PLAIN[26:]) == Reason.TOO_MANY_PIXELS
    assert refused(PLAIN[:18] + struct.pack("<ii", -5, 5) + PLAIN[26:]) == Reason.UNDECODABLE


@pytest.mark.parametrize("length", [2, 20, 40, 54, len(PLAIN) // 2, len(PLAIN) - 1])
def test_a_truncated_bmp_is_refused(length: int) -> None:
    assert refused(PLAIN[:length]) == Reason.UNDECODABLE


def test_other_kinds_of_bmp_are_unsupported() -> None:
    jpeg_inside = bmp(24, b"\xff\xd8\xff\xd9", packing=4)
    odd_header = PLAIN[:14] + struct.pack("<I", 16) + PLAIN[18:]
    odd_depth = PLAIN[:28] + struct.pack("<H", 2) + PLAIN[30:]
    assert {refused(data) for data in (jpeg_inside, odd_header, odd_depth)} == {Reason.UNSUPPORTED_FORMAT}


def test_a_second_picture_is_not_there() -> None:
    with pytest.raises(PhotoError):
        strip(PLAIN, Policy(max_pixels=10_000), 1)
