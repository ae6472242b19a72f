"""A JPEG is carried over without being encoded anew, and nothing comes along."""

from __future__ import annotations

import dataclasses
import io
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from jpegs import SECRET, before, before_end, box_of, cropped, drawn, saved, segment, shown, with_segment
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.lossless import carry, scan
from photo_anonymizer.metadata.lossless.carry import carried
from photo_anonymizer.metadata.lossless.steps import LUMA
from photo_anonymizer.metadata.lossless.transcode import coefficients
from photo_anonymizer.metadata.lossless.transcode import written as again
from photo_anonymizer.metadata.lossless.turn import upright
from photo_anonymizer.metadata.readers import jpegfile

SAMPLINGS = {"4:4:4": {"subsampling": 0}, "4:2:2": {"subsampling": 1}, "4:2:0": {"subsampling": 2}}
SIZES = [(96, 64), (104, 72), (101, 67), (8, 8), (1, 1), (17, 240)]
ALL_SAMPLINGS = [*SAMPLINGS, "grey"]


def written(sampling: str, size: tuple[int, int] = (96, 64), **options: object) -> bytes:
    picture = drawn(*size)
    return saved(picture[..., 1] if sampling == "grey" else picture, **SAMPLINGS.get(sampling, {}), **options)


def turned_box(data: bytes, orientation: int) -> object:
    return dataclasses.replace(box_of(data), orientation=orientation)


# The compressed bytes stay ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sampling", ALL_SAMPLINGS)
def test_compressed_bytes_of_a_plain_baseline_jpeg_stay(sampling: str, size: tuple[int, int]) -> None:
    data = written(sampling, size)
    result = carried(box_of(with_segment(data, 0xE1, b"Exif\0\0" + SECRET)))
    assert result is not None
    assert result.data == scan.untouched(box_of(data).clean)
    assert jpegfile.head_of(result.data)[1] == jpegfile.head_of(data)[1]
    assert np.array_equal(shown(result.data), shown(data))
    assert inspect(result.data) == ()
    assert SECRET not in result.data


def test_names_and_numbers_of_tables_are_written_in_one_way() -> None:
    data = written("4:2:0")
    frame, start = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    named = bytearray(data)
    named[frame + 10 : frame + 19 : 3] = named[start + 5 : start + 11 : 2] = b"Jan"
    assert carried(box_of(bytes(named))) == carried(box_of(data))


PLAIN = written("4:2:0")
RESTARTS = written("4:2:0", restart_marker_blocks=2)
PROGRESSIVE = written("4:2:0", progressive=True)
_TABLE = b"\x03" + bytes(7) + bytes([len(SECRET)]) + bytes(8) + SECRET
_SCAN = PLAIN[PLAIN.index(b"\xff\xda") : -2]
BESIDE = {
    **{f"{n} bytes behind the last block": (PLAIN, before_end(PLAIN, SECRET[:n])) for n in (1, 2, 5, 7, 8, 13)},
    "ones behind the last block": (PLAIN, before_end(PLAIN, b"\xff\0")),
    "surplus restart markers": (PLAIN, before_end(PLAIN, b"\xff\xd0a\xff\xd3b")),
    "one more restart marker": (RESTARTS, before_end(RESTARTS, b"\xff\xd7")),
    "bytes between restart intervals": (RESTARTS, before(RESTARTS, b"\xff\xd1", b"Ja")),
    "unused Huffman table": (PLAIN, before(PLAIN, b"\xff\xc4", segment(0xC4, _TABLE))),
    "unused quantisation table": (PLAIN, before(PLAIN, b"\xff\xdb", segment(0xDB, b"\3" + SECRET.ljust(64, b"\1")))),
    "replaced quantisation table": (PLAIN, before(PLAIN, b"\xff\xdb", segment(0xDB, b"\0" + SECRET.ljust(64, b"\1")))),
    "restart intervals that are never used": (PLAIN, before(PLAIN, b"\xff\xda", segment(0xDD, b"Ja"))),
    "fill bytes": (PLAIN, before(PLAIN, b"\xff\xda", b"\xff\xff\xff")),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_the_picture_is_not_carried_over(name: str) -> None:
    plain, stuffed = BESIDE[name]
    assert np.array_equal(shown(stuffed), shown(plain))
    result = carried(box_of(stuffed))
    assert result is not None
    assert result == carried(box_of(plain))
    assert inspect(result.data) == ()


@pytest.mark.parametrize("name", [name for name in BESIDE if "behind" in name or "restart m" in name])
def test_compressed_bytes_with_something_beside_the_picture_never_stay(name: str) -> None:
    plain, stuffed = BESIDE[name]
    assert (scan.untouched(box_of(plain).clean) is None) == (plain is RESTARTS)
    assert scan.untouched(box_of(stuffed).clean) is None


def test_compressed_bytes_with_zeros_as_padding_never_stay() -> None:
    tried = 0
    for side in range(8, 72, 8):
        data = written("4:4:4", (side, 8))
        bent = data[:-3] + bytes([data[-3] & 0xFE]) + data[-2:]
        if bent == data or not np.array_equal(shown(bent), shown(data)):
            continue  # the last bit belongs to the picture
        tried += 1
        assert scan.untouched(box_of(data).clean) is not None
        assert scan.untouched(box_of(bent).clean) is None
        assert carried(box_of(bent)) == carried(box_of(data))
    assert tried > 2


def test_second_scan_of_the_same_picture_is_not_carried_over() -> None:
    other = saved(drawn()[::-1], subsampling=2)
    twice = before(PLAIN, b"\xff\xda", other[other.index(b"\xff\xda") : -2])
    assert scan.untouched(box_of(twice).clean) is None
    assert carried(box_of(twice)) is None


GREY_COLOURS = np.repeat(drawn()[..., 1:2], 3, axis=2)
"""Its brightness alone has something to say, which whole spare blocks can hold; those of colour are always cut."""


def test_blocks_beyond_the_edges_hold_nothing() -> None:
    """A crop that keeps whole units leaves blocks of the cut-off part in the file (jpegtran -crop does)."""
    whole = saved(GREY_COLOURS, subsampling=2)
    for width, height in ((88, 64), (96, 56), (88, 56)):
        crop = cropped(whole, width, height)
        assert scan.untouched(box_of(crop).clean) is None
        result = carried(box_of(crop))
        assert result is not None
        assert np.array_equal(shown(result.data), shown(crop))
        blocks = coefficients(cropped(result.data, 96, 64)).components[0].blocks.reshape(8, 12, 64)
        spare = [blocks[-(-height // 8) :].reshape(-1, 64), blocks[:, -(-width // 8) :].reshape(-1, 64)]
        assert not np.concatenate(spare)[:, 1:].any()


def test_brightness_of_blocks_beyond_the_edges_holds_nothing() -> None:
    flat = np.full((64, 96, 3), 90, np.uint8)
    assert scan.untouched(box_of(cropped(saved(flat, subsampling=2), 88, 64)).clean) is not None
    flat[:, 88:] = 140
    assert scan.untouched(box_of(cropped(saved(flat, subsampling=2), 88, 64)).clean) is None


def test_detail_in_blocks_beyond_the_edges_is_noticed_at_any_brightness() -> None:
    for base in (20, 90, 235):
        flat = np.full((64, 96, 3), base, np.uint8)
        assert scan.untouched(box_of(cropped(saved(flat, subsampling=2), 88, 64)).clean) is not None
        flat[:, 88::2] += 15
        flat[:, 89::2] -= 15  # as bright as before on average
        assert scan.untouched(box_of(cropped(saved(flat, subsampling=2), 88, 64)).clean) is None


@pytest.mark.parametrize("value", [1, -1, 255, 257, -257, 514, 1023, -1023])
@pytest.mark.parametrize("place", [(0, 1), (7, 7)])
def test_single_coefficient_beyond_the_edges_is_noticed_whatever_its_size(place: tuple[int, int], value: int) -> None:
    """257 × 255 is -1 in the 16 bits that decoders multiply with."""
    plain = box_of(saved(np.full((64, 96, 3), 128, np.uint8), subsampling=2)).clean
    picture = coefficients(plain)
    assert scan.untouched(cropped(again(picture, plain, fitted=False), 88, 64)) is not None
    picture.components[0].blocks[3, 11][place] = value
    assert scan.untouched(cropped(again(picture, plain, fitted=False), 88, 64)) is None


@pytest.mark.parametrize("size", [(88, 64), (96, 56), (88, 56)])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (7, 7)])
def test_every_block_beyond_the_edges_is_looked_at(place: tuple[int, int], size: tuple[int, int]) -> None:
    plain = box_of(saved(np.full((64, 96, 3), 128, np.uint8), subsampling=2)).clean
    spare = np.ones((8, 12), np.bool_)
    spare[: size[1] // 8, : size[0] // 8] = False
    for row, column in np.argwhere(spare):
        picture = coefficients(plain)
        picture.components[0].blocks[row, column][place] = 3
        assert scan.untouched(cropped(again(picture, plain, fitted=False), *size)) is None, (row, column)


def test_huffman_tables_made_for_a_picture_are_made_anew() -> None:
    data = written("4:2:0", optimize=True)
    assert scan.untouched(box_of(data).clean) is None
    result = carried(box_of(data))
    assert result is not None
    assert len(result.data) <= len(data)


def test_standard_tables_are_those_that_encoders_write() -> None:
    """T.81 Annex K, as libjpeg has it: a table typed wrongly would send every photo the slow way."""
    assert scan.has_standard_tables(written("4:2:0"))
    assert scan.has_standard_tables(written("grey"))
    assert not scan.has_standard_tables(written("4:2:0", optimize=True))


# The coefficients stay --------------------------------------------------------------------------------------

OTHERS = {
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "restarts": {"restart_marker_blocks": 3},
    "three tables": {"qtables": [[3] * 64, [5] * 64, [7] * 64]},
    "finest steps": {"qtables": [[1] * 64, [1] * 64]},
}


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("sampling", ALL_SAMPLINGS)
def test_coefficients_stay(sampling: str, name: str) -> None:
    options = OTHERS[name]
    data = written(sampling, (101, 67), **options)
    result = carried(box_of(data))
    assert result is not None
    assert (result.width, result.height) == (101, 67)
    was, now = coefficients(data), coefficients(result.data)
    for before_, after in zip(was.components, now.components, strict=True):
        assert np.array_equal(before_.blocks, after.blocks)
        assert np.array_equal(before_.steps, after.steps)
        assert (before_.across, before_.down) == (after.across, after.down)
    assert np.array_equal(shown(result.data), shown(data))
    assert inspect(result.data) == ()


def test_rgb_components_stay_rgb() -> None:
    data = written("4:4:4", keep_rgb=True)
    result = carried(box_of(data))
    assert result is not None
    assert np.array_equal(shown(result.data), shown(data))
    assert inspect(result.data) == ()


def test_size_stays_within_a_fifth() -> None:
    for quality, sampling in itertools.product((30, 60, 85, 95), ALL_SAMPLINGS):
        data = written(sampling, (320, 240), quality=quality, progressive=True)
        result = carried(box_of(data))
        assert result is not None
        assert len(result.data) <= 1.2 * len(data)


# Turned without loss ----------------------------------------------------------------------------------------

PILLOW_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
LOPSIDED = [[int(step) for step in table.ravel()] for table in (LUMA, LUMA.T)]
BACK = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("orientation", PILLOW_TURNS)
@pytest.mark.parametrize("sampling", ALL_SAMPLINGS)
def test_turned_picture_shows_what_a_turned_decoded_one_shows(
    sampling: str, orientation: int, progressive: bool
) -> None:
    data = written(sampling, progressive=progressive)
    result = carried(turned_box(data, orientation))
    assert result is not None
    expected = Image.open(io.BytesIO(data)).convert("RGB").transpose(PILLOW_TURNS[orientation])
    assert (result.width, result.height) == expected.size
    difference = np.abs(shown(result.data) - np.asarray(expected, np.int16))
    # The transform rounds rows before columns; chroma at half size is also spread in another order.
    assert difference.max() <= (3 if sampling in ("4:4:4", "grey") else 8)
    assert difference.mean() < 0.5
    assert inspect(result.data) == ()


@pytest.mark.parametrize("orientation", PILLOW_TURNS)
@pytest.mark.parametrize("sampling", ALL_SAMPLINGS)
def test_turned_there_and_back_is_the_same(sampling: str, orientation: int) -> None:
    data = written(sampling, qtables=LOPSIDED)
    there = carried(turned_box(data, orientation))
    assert there is not None
    back = carried(turned_box(there.data, BACK[orientation]))
    assert back == carried(box_of(data))


@pytest.mark.parametrize("orientation", PILLOW_TURNS)
@pytest.mark.parametrize(
    ("sampling", "unit"), [("4:4:4", (8, 8)), ("grey", (8, 8)), ("4:2:2", (16, 8)), ("4:2:0", (16, 16))]
)
def test_turn_needs_whole_units_at_the_edges_that_move(sampling: str, unit: tuple[int, int], orientation: int) -> None:
    """The right edge moves to the left in 2, 3, 7 and 8, the bottom to the top or a side in 3, 4, 6 and 7."""
    across, down = unit
    right_moves, bottom_moves = orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7)
    wide = carried(turned_box(written(sampling, (across * 3 + 1, down * 2)), orientation))
    tall = carried(turned_box(written(sampling, (across * 3, down * 2 + 1)), orientation))
    assert (wide is None) == right_moves
    assert (tall is None) == bottom_moves
    assert carried(turned_box(written(sampling, (across * 3, down * 2)), orientation)) is not None


def test_half_a_unit_is_not_a_whole_one() -> None:
    assert carried(turned_box(written("4:2:0", (104, 64)), 2)) is None
    assert carried(turned_box(written("4:4:4", (104, 64)), 2)) is not None


def test_turned_picture_holds_nothing_from_beyond_its_edges() -> None:
    crop = cropped(saved(GREY_COLOURS, subsampling=2), 96, 56)
    result = carried(turned_box(crop, 2))
    assert result is not None
    assert scan.untouched(result.data) == result.data


def test_upright_picture_is_not_touched() -> None:
    picture = coefficients(PLAIN)
    same = upright(picture, 1)
    assert same is not None
    assert all(a.blocks is b.blocks for a, b in zip(picture.components, same.components, strict=True))


# What cannot be carried over --------------------------------------------------------------------------------


def test_four_inks_are_not_carried_over() -> None:
    out = io.BytesIO()
    Image.fromarray(drawn()).convert("CMYK").save(out, "JPEG")
    assert carried(box_of(out.getvalue())) is None


def test_incomplete_progressive_picture_is_not_carried_over() -> None:
    ends = PROGRESSIVE.index(b"\xff\xc4", PROGRESSIVE.index(b"\xff\xda"))
    assert carried(box_of(PROGRESSIVE[:ends] + PROGRESSIVE[-2:])) is None


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_picture_whose_rest_a_decoder_guesses_is_not_carried_over(kept: float) -> None:
    assert carried(box_of(PLAIN[: int(kept * len(PLAIN))] + b"\xff\xd9")) is None


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def wide_profile(name: bytes) -> bytes:
    """A profile whose colours are far from sRGB: its red and blue have changed places."""
    data = bytearray(SRGB)
    tags = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * data[131], 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data) + name


def test_device_profile_is_not_carried_over() -> None:
    assert carried(box_of(written("4:2:0", icc_profile=wide_profile(b"mine")))) is None


def test_srgb_profile_is_dropped() -> None:
    assert carried(box_of(written("4:2:0", icc_profile=SRGB))) == carried(box_of(PLAIN))


def test_well_known_profile_stays_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = wide_profile(b"generic")
    monkeypatch.setattr(carry, "well_known", lambda data: "Generic" if data == wide else "")
    result = carried(box_of(written("4:2:0", icc_profile=wide)))
    assert result is not None
    assert result.profile == "Generic"
    assert jpegfile.profile_of(result.data) == wide
    assert np.array_equal(shown(result.data), shown(PLAIN))
    assert carried(box_of(written("4:2:0", icc_profile=wide + b"1"))) is None


def test_other_formats_are_not_carried_over() -> None:
    assert carried(dataclasses.replace(box_of(PLAIN), format="png")) is None


def test_threads_agree() -> None:
    boxes = [turned_box(data, turn) for data in (PLAIN, RESTARTS, PROGRESSIVE) for turn in range(1, 9)] * 3
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(carried, boxes)) == [carried(box) for box in boxes]
