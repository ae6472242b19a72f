"""The independent check knows a clean published file, and finds every residue that is planted in one."""

from __future__ import annotations

import ast
import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photo_anonymizer.metadata import inspect as door
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.inspection import jpeg as jpeg_check
from photo_anonymizer.metadata.inspection.tiff import unpacked_size
from photo_anonymizer.model.encoding import Encoding
from residue import (
    JPEG,
    PLANTED,
    PNG,
    PROGRESSIVE,
    PUBLISHED,
    SECRET,
    SRGB,
    before,
    drawn,
    jpeg_with,
    saved,
    segment,
)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_is_clean(name: str) -> None:
    assert inspect(PUBLISHED[name]) == ()


@pytest.mark.parametrize("name", PLANTED)
def test_planted_residue_is_found(name: str) -> None:
    kinds = inspect(PLANTED[name].data)
    assert PLANTED[name].seen in kinds
    assert not any("Jane" in kind for kind in kinds)


@pytest.mark.parametrize("format", ["BMP", "GIF", "JPEG2000", "PPM"])
def test_formats_that_are_never_published_are_unknown(format: str) -> None:
    assert inspect(saved(format)) == ("unknown_container",)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff", b"\0\0\0\x20ftypheic", SECRET])
def test_what_is_no_picture_is_reported(data: bytes) -> None:
    assert inspect(data) != ()


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_file_that_is_cut_off_is_never_clean(name: str) -> None:
    data = PUBLISHED[name]
    for length in range(0, len(data), 101):
        assert inspect(data[:length]) != ()


@pytest.mark.parametrize("name", PUBLISHED)
def test_any_changed_header_byte_ends_in_an_answer(name: str) -> None:
    data = bytearray(PUBLISHED[name])
    for at in range(0, min(len(data), 400), 3):
        was, data[at] = data[at], 0xFF
        assert all(isinstance(kind, str) for kind in inspect(bytes(data)))
        data[at] = was


def test_the_check_shares_no_code_with_readers_and_writers() -> None:
    allowed = "photo_anonymizer.metadata.inspection"
    folder = Path(door.__file__).parent
    for path in (folder / "inspect.py", *(folder / "inspection").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert [name for name in names if name.startswith("photo_anonymizer") and name != allowed] == []


# JPEG -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 9), (640, 427)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("grey", [False, True])
def test_jpegs_of_every_size_end_where_their_last_block_does(
    size: tuple[int, int], progressive: bool, grey: bool, astronaut: np.ndarray
) -> None:
    picture = np.asarray(Image.fromarray(astronaut).resize(size))
    for subsampling in (0, 1, 2):
        how = Encoding(format="jpeg", quality=85, grey=grey, subsampling=subsampling, progressive=progressive)
        assert inspect(encode(picture, how)) == ()


@pytest.mark.parametrize("options", [{"restart_marker_blocks": 3}, {"keep_rgb": True}, {"subsampling": "4:1:1"}])
def test_jpegs_of_other_writers_are_clean_too(options: dict[str, object]) -> None:
    assert inspect(saved("JPEG", **options)) == ()


def test_even_one_byte_behind_any_scan_is_found() -> None:
    at = -1
    while (at := PROGRESSIVE.find(b"\xff\xda", at + 1)) >= 0:
        ends = [
            end for marker in (b"\xff\xc4", b"\xff\xda", b"\xff\xd9") if (end := PROGRESSIVE.find(marker, at + 2)) > 0
        ]
        assert inspect(PROGRESSIVE[: min(ends)] + b"J" + PROGRESSIVE[min(ends) :]) == ("hidden_data",)


def test_a_huffman_table_that_names_a_symbol_twice_is_found() -> None:
    at = JPEG.index(b"\xff\xc4") + 4 + 17
    assert "strange_table" in inspect(JPEG[:at] + JPEG[at : at + 1] * 2 + JPEG[at + 2 :])


def test_sampling_that_nobody_can_verify_is_reported() -> None:
    at = JPEG.index(b"\xff\xc0") + 11
    odd = bytearray(JPEG)
    odd[at : at + 9 : 3] = b"\x22\x12\x11"
    assert inspect(bytes(odd)) == ("unusual_sampling",)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A profile of three segments that counts as well known."""
    profile = SRGB + bytes(range(256)) * 550
    monkeypatch.setattr(jpeg_check, "_digests", lambda: {hashlib.sha256(profile).hexdigest()})
    return profile


def with_profile(profile: bytes, room: int = 65519) -> bytes:
    parts = [profile[at : at + room] for at in range(0, len(profile), room)]
    blocks = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, len(parts))) + part) for number, part in enumerate(parts, 1)
    ]
    return JPEG[:20] + b"".join(blocks) + JPEG[20:]


def test_a_well_known_profile_may_stay(listed: bytes) -> None:
    assert inspect(with_profile(listed)) == ()


def test_a_profile_as_encode_embeds_it_may_stay(listed: bytes) -> None:
    assert inspect(encode(drawn(), Encoding(format="jpeg", quality=90, profile="listed"), listed)) == ()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda profile: with_profile(profile[:-1] + b"J"),
        lambda profile: with_profile(profile + SECRET),
        lambda profile: with_profile(profile[:-1]),
        lambda profile: with_profile(profile, 60000),
        lambda profile: before(with_profile(profile), b"\xff\xdb", segment(0xE2, b"ICC_PROFILE\0\4\3" + SECRET)),
    ],
    ids=["a byte changed", "longer", "shorter", "other parts", "a part too many"],
)
def test_a_well_known_profile_stays_only_byte_for_byte(spoil, listed: bytes) -> None:
    assert inspect(spoil(listed)) == ("segment_APP2",)


def test_without_a_list_no_profile_may_stay(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jpeg_check, "_PROFILES", tmp_path / "profiles.toml")
    jpeg_check._digests.cache_clear()
    assert inspect(jpeg_with(0xE2, b"ICC_PROFILE\0\1\1" + SRGB)) == ("segment_APP2",)
    jpeg_check._digests.cache_clear()


def test_the_list_is_read_from_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = f'[[profile]]\nname = "x"\nsha256 = "{hashlib.sha256(SRGB).hexdigest()}"\n'
    (tmp_path / "profiles.toml").write_text(listed, encoding="utf-8")
    monkeypatch.setattr(jpeg_check, "_PROFILES", tmp_path / "profiles.toml")
    jpeg_check._digests.cache_clear()
    assert inspect(jpeg_with(0xE2, b"ICC_PROFILE\0\1\1" + SRGB)) == ()
    jpeg_check._digests.cache_clear()


def test_a_jpeg_that_claims_more_blocks_than_it_has_bits_keeps_no_decoder_busy() -> None:
    at = JPEG.index(b"\xff\xc0") + 5
    assert inspect(JPEG[:at] + b"\xff\xf0\xff\xf0" + JPEG[at + 4 :]) == ("broken_container",)


# PNG, WebP, TIFF, AVIF --------------------------------------------------------------------------------------


def test_a_png_checksum_that_does_not_fit_is_found() -> None:
    assert "broken_checksum" in inspect(PNG[:-1] + b"J")


def test_a_webp_that_is_scaled_or_never_shown_is_found() -> None:
    webp = PUBLISHED["webp"]
    at = webp.index(b"\x9d\x01\x2a")
    assert inspect(webp[: at + 4] + bytes([webp[at + 4] | 0x40]) + webp[at + 5 :]) == ("scaling",)
    assert inspect(webp[: at - 3] + bytes([webp[at - 3] & 0xEF]) + webp[at - 2 :]) == ("broken_container",)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("kind", ["photo", "noise", "flat", "grey"])
def test_every_lzw_strip_ends_with_its_last_row(kind: str, predictor: int, astronaut: np.ndarray) -> None:
    picture = {
        "photo": astronaut,
        "noise": np.random.default_rng(1).integers(0, 256, (120, 500, 3)).astype(np.uint8),
        "flat": np.zeros((400, 900, 3), np.uint8),
        "grey": astronaut[..., 0],
    }[kind]
    assert inspect(saved("TIFF", picture, compression="tiff_lzw", tiffinfo={317: predictor})) == ()


def test_lzw_size_is_told_without_unpacking() -> None:
    codes = [256, 74, 97, 258, 110, 257]  # J a Ja n
    packed = int("".join(f"{code:09b}" for code in codes) + "00", 2).to_bytes(7, "big")
    assert unpacked_size(packed) == 5
    assert unpacked_size(packed + b"J") == -1
    assert unpacked_size(packed[:-1]) == -1
    assert unpacked_size(b"") == -1


def test_an_lzw_code_for_a_string_that_comes_later_is_broken() -> None:
    packed = int("".join(f"{code:09b}" for code in (256, 74, 300, 257)) + "0000", 2).to_bytes(5, "big")
    assert unpacked_size(packed) == -1


@pytest.mark.parametrize("tag", [256, 257, 273, 277, 278, 279])
@pytest.mark.parametrize("value", [0, 1, 0xFFFF])
def test_a_tiff_with_a_number_that_does_not_fit_is_found(tag: int, value: int) -> None:
    tiff = bytearray(PUBLISHED["tiff"])
    (at,) = struct.unpack_from("<I", tiff, 4)
    tags = [struct.unpack_from("<H", tiff, at + 2 + 12 * index)[0] for index in range(tiff[at])]
    struct.pack_into("<HIHH", tiff, at + 4 + 12 * tags.index(tag), 3, 1, value, 0)
    assert inspect(bytes(tiff)) != ()


def test_padding_between_tiff_parts_holds_nothing() -> None:
    tiff = PUBLISHED["tiff"]
    (at,) = struct.unpack_from("<I", tiff, 4)
    moved = tiff[:4] + struct.pack("<I", len(tiff) + len(tiff) % 2) + tiff[8:]
    moved += b"\0" * (len(tiff) % 2) + tiff[at : at + 6 + 12 * tiff[at]]
    assert "unreferenced_data" in inspect(moved)


@pytest.mark.parametrize("size", [(1, 1), (7, 333), (1000, 700)])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("grey", [False, True])
def test_avifs_of_every_size_are_clean(
    size: tuple[int, int], subsampling: int, grey: bool, astronaut: np.ndarray
) -> None:
    picture = np.asarray(Image.fromarray(astronaut).resize(size))
    how = Encoding(format="avif", quality=60, subsampling=subsampling, grey=grey)
    assert inspect(encode(picture, how)) == ()


def test_an_avif_that_says_how_to_turn_it_is_found() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    assert "box_irot" in inspect(saved("AVIF", exif=turned.tobytes()))
