"""What must not be in a release: planted one at a time, removed by strip, found by inspect when left in."""

from __future__ import annotations

import binascii
import io
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jpeglib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.readers.kinds import KINDS
from photo_anonymizer.metadata.strip import Stripped, count_pictures, strip
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.record import Reason

POLICY = Policy(max_pixels=100_000_000)
SECRET = b"Jane-Doe-7413"


def drawn(width: int = 101, height: int = 67) -> np.ndarray:
    """A smooth picture without any symmetry, (height, width, 3) uint8."""
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x / width
    green = 255 * y / height
    blue = np.where((x < width // 3) & (y < height // 2), 200.0, 255 * x * y / (width * height) / 2)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def saved(pixels: np.ndarray | Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(out, format=format, **options)
    return out.getvalue()


def clean(data: bytes, **policy: object) -> Stripped:
    return strip(data, POLICY.model_copy(update=policy))


def published(result: Stripped) -> bytes:
    """The file that is published when nobody edits the photo."""
    return result.data if result.final else encode(decode(result.data), result.encoding)


def refused(data: bytes, **policy: object) -> str:
    with pytest.raises(PhotoError) as caught:
        clean(data, **policy)
    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.reason


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)


def tiff_block(orientation: int | None = None, *, gps: bool = False, maker: bool = False, thumb: bool = False) -> bytes:
    """An EXIF block written by hand: IFD0, then GPS and Exif directories, then IFD1."""
    entries = [(0x010F, 2, len(SECRET) + 1, None)]
    if orientation is not None:
        entries.append((0x0112, 3, 1, struct.pack("<HH", orientation, 0)))
    entries += [(0x8769, 4, 1, "exif")] if maker else []
    entries += [(0x8825, 4, 1, "gps")] if gps else []
    at = 8 + 2 + 12 * len(entries) + 4
    text_at, sub_at = at, at + 16
    sub = struct.pack("<HHHI4sI", 1, 0x927C, 7, 4, b"note", 0)
    packed = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        field = value if isinstance(value, bytes) else struct.pack("<I", text_at if value is None else sub_at)
        packed += struct.pack("<HHI", tag, kind, count) + field
    packed += struct.pack("<I", sub_at + len(sub) if thumb else 0)
    return b"II*\0" + struct.pack("<I", 8) + packed + SECRET.ljust(16, b"\0") + sub + sub


def xmp_packet(orientation: int = 1) -> bytes:
    return b'<x:xmpmeta><rdf tiff:Orientation="%d" dc:creator="%s"/></x:xmpmeta>' % (orientation, SECRET)


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segment(data: bytes, marker: int, payload: bytes) -> bytes:
    """The segment right after start-of-image and JFIF."""
    return data[:20] + segment(marker, payload) + data[20:]


def chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", binascii.crc32(kind + payload))


def with_chunk(data: bytes, kind: bytes, payload: bytes) -> bytes:
    return data[:33] + chunk(kind, payload) + data[33:]


def webp_with(data: bytes, kind: bytes, payload: bytes, size: tuple[int, int] = (101, 67)) -> bytes:
    flags = {b"EXIF": 8, b"XMP ": 4, b"ICCP": 32}.get(kind, 0)
    extended = bytes([flags, 0, 0, 0]) + (size[0] - 1).to_bytes(3, "little") + (size[1] - 1).to_bytes(3, "little")
    extra = kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) & 1)
    body = b"WEBPVP8X" + struct.pack("<I", 10) + extended + data[12:] + extra
    return b"RIFF" + struct.pack("<I", len(body)) + body


def mpf_block(*kinds: int, second: tuple[int, int] = (100, 0)) -> bytes:
    """``second``: size and offset of every picture but the first."""
    table = b"".join(struct.pack("<IIIHH", kind, *(second if at else (100, 0)), 0, 0) for at, kind in enumerate(kinds))
    entries = struct.pack("<HHII", 0xB001, 4, 1, len(kinds))
    entries += struct.pack("<HHII", 0xB002, 7, len(table), 38)
    return b"MPF\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + table


def matrix_profile(primaries: np.ndarray, gamma: float, white_d50: bool = True) -> bytes:
    """A minimal ICC v2 display profile: three D50 colorants (columns of ``primaries``) and one gamma."""

    def xyz(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", len(SECRET) + 1) + SECRET + b"\0" * 79
    text += b"\0" * (-len(text) % 4)
    white = xyz(np.array([0.9642, 1.0, 0.8249]))
    tags = [(b"desc", text), (b"wtpt", white), (b"cprt", b"text\0\0\0\0x\0\0\0")]
    tags += [(name, xyz(primaries[:, i])) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, payload in tags:
        table += name + struct.pack(">II", at + len(body), len(payload))
        body += payload
    head = bytearray(128)
    struct.pack_into(">I", head, 0, at + len(body))
    head[8:12], head[12:24], head[36:40] = b"\x02\x10\0\0", b"mntrRGB XYZ ", b"acsp"
    struct.pack_into(">iii", head, 68, 63190, 65536, 54061)
    return bytes(head) + table + body


def with_second_picture(data: bytes, kind: int) -> bytes:
    """The same JPEG once more behind its end, declared as a picture of this type (CIPA DC-007 table 4)."""
    block_at = 20 + 4 + 4  # offsets count from behind the block's name
    length = len(with_segment(data, 0xE2, mpf_block(0x030000, kind)))
    return with_segment(data, 0xE2, mpf_block(0x030000, kind, second=(len(data), length - block_at))) + data


# D50-adapted colorants: Adobe RGB (1998) and Display P3.
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
DISPLAY_P3 = np.array([[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]])
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

JPEG = saved(drawn(), "JPEG", quality=92)
PNG = saved(drawn(), "PNG")
WEBP = saved(drawn(), "WEBP", quality=90)
WEBP_LOSSLESS = saved(drawn(), "WEBP", lossless=True)
TIFF = saved(drawn(), "TIFF", compression="tiff_lzw")
IPTC = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(SECRET) + 5)
IPTC += b"\x1c\x02\x50" + struct.pack(">H", len(SECRET)) + SECRET

PLANTED = {
    "jpeg exif": (with_segment(JPEG, 0xE1, b"Exif\0\0" + tiff_block()), "exif", "segment_APP1"),
    "jpeg gps": (with_segment(JPEG, 0xE1, b"Exif\0\0" + tiff_block(gps=True)), "gps", "segment_APP1"),
    "jpeg maker note": (
        with_segment(JPEG, 0xE1, b"Exif\0\0" + tiff_block(maker=True)),
        "maker_note",
        "segment_APP1",
    ),
    "jpeg ifd1": (
        with_segment(JPEG, 0xE1, b"Exif\0\0" + tiff_block(thumb=True)),
        "thumbnail",
        "segment_APP1",
    ),
    "jpeg xmp": (
        with_segment(JPEG, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp_packet()),
        "xmp",
        "segment_APP1",
    ),
    "jpeg iptc": (with_segment(JPEG, 0xED, IPTC), "iptc", "segment_APP13"),
    "jpeg comment": (with_segment(JPEG, 0xFE, SECRET), "comment", "segment_COM"),
    "jpeg srgb icc": (
        with_segment(JPEG, 0xE2, b"ICC_PROFILE\0\1\1" + SRGB),
        "icc",
        "segment_APP2",
    ),
    "jpeg mpf preview": (
        with_second_picture(JPEG, 0x010002),
        "mpf",
        "segment_APP2",
    ),
    "jpeg unknown app": (with_segment(JPEG, 0xE7, SECRET), "app7", "segment_APP7"),
    "jpeg jfxx": (with_segment(JPEG, 0xE0, b"JFXX\0\x10" + SECRET), "thumbnail", "segment_APP0"),
    "jpeg jfif thumbnail": (
        JPEG[:2] + segment(0xE0, JPEG[6:18] + b"\1\1abc") + JPEG[20:],
        "thumbnail",
        "segment_APP0",
    ),
    "jpeg motion photo": (JPEG + b"\0\0\0\x18ftypmp42" + SECRET, "trailing_data", "trailing_data"),
    "jpeg stray bytes": (JPEG[:20] + SECRET + JPEG[20:], "stray_bytes", "stray_bytes"),
    "png text": (with_chunk(PNG, b"tEXt", b"Author\0" + SECRET), "text", "chunk_tEXt"),
    "png itxt": (with_chunk(PNG, b"iTXt", b"Author\0\0\0\0\0" + SECRET), "text", "chunk_iTXt"),
    "png ztxt": (with_chunk(PNG, b"zTXt", b"Author\0\0" + zlib.compress(SECRET)), "text", "chunk_zTXt"),
    "png xmp": (
        with_chunk(PNG, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_packet()),
        "xmp",
        "chunk_iTXt",
    ),
    "png time": (with_chunk(PNG, b"tIME", b"\x07\xe8\1\2\3\4\5"), "timestamps", "chunk_tIME"),
    "png exif": (with_chunk(PNG, b"eXIf", tiff_block(gps=True)), "gps", "chunk_eXIf"),
    "png icc": (with_chunk(PNG, b"iCCP", b"x\0\0" + zlib.compress(SRGB)), "icc", "chunk_iCCP"),
    "png private": (with_chunk(PNG, b"jdOe", SECRET), "other_chunk", "chunk_unknown"),
    "png resolution": (saved(drawn(), "PNG", dpi=(300, 300)), "resolution", "chunk_pHYs"),
    "png trailing": (PNG + SECRET, "trailing_data", "trailing_data"),
    "webp exif": (webp_with(WEBP, b"EXIF", tiff_block(gps=True)), "gps", "chunk_EXIF"),
    "webp xmp": (webp_with(WEBP, b"XMP ", xmp_packet()), "xmp", "chunk_XMP"),
    "webp icc": (webp_with(WEBP, b"ICCP", SRGB), "icc", "chunk_ICCP"),
    "webp private": (webp_with(WEBP, b"JANE", SECRET), "other_chunk", "chunk_unknown"),
    "webp trailing": (WEBP + SECRET, "trailing_data", "trailing_data"),
    "tiff tags": (saved(drawn(), "TIFF", tiffinfo={315: SECRET.decode()}), "tags", "tag_0x013b"),
    "tiff xmp": (saved(drawn(), "TIFF", tiffinfo={700: xmp_packet()}), "xmp", "tag_0x02bc"),
    "tiff resolution": (saved(drawn(), "TIFF", dpi=(300, 300)), "resolution", "tag_0x011a"),
    "tiff icc": (saved(drawn(), "TIFF", icc_profile=SRGB), "icc", "tag_0x8773"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_residue_is_removed_and_is_found_when_left_in(name: str) -> None:
    dirty, kind, seen = PLANTED[name]
    result = clean(dirty)
    assert kind in result.removed
    assert inspect(published(result)) == ()
    assert SECRET not in published(result)
    assert seen in inspect(dirty)
    assert not any("Jane" in word for word in (*result.removed, *inspect(dirty)))
    lossy = name.startswith("webp")
    assert np.abs(pixels(published(result)) - pixels(dirty)).mean() <= (1.5 if lossy else 0)
    assert result.lossless == (not lossy)
    assert (result.width, result.height) == (101, 67)


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP_LOSSLESS], ids=["jpeg", "png", "webp lossless"])
def test_clean_file_stays_as_it_is(data: bytes) -> None:
    result = clean(data)
    assert result.removed in ((), ("resolution",))
    assert result.lossless
    assert pixels(result.data).tolist() == pixels(data).tolist()
    assert clean(result.data).data == result.data


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("options", [{"restart_marker_blocks": 3}, {"subsampling": 0}, {"subsampling": 1}])
def test_jpeg_scans_are_carried_over(progressive: bool, options: dict[str, int]) -> None:
    data = saved(drawn(), "JPEG", progressive=progressive, **options)
    result = clean(with_segment(data, 0xFE, SECRET))
    assert result.lossless
    assert np.array_equal(pixels(result.data), pixels(data))
    assert inspect(published(result)) == ()


def test_adobe_rgb_jpeg_keeps_its_colour_transform() -> None:
    data = saved(drawn(), "JPEG", keep_rgb=True, quality=95)
    marked = data[:2] + segment(0xEE, b"Adobe\0\x64" + SECRET[:4] + b"\0") + data[2:]
    result = clean(marked)
    assert b"Jane" not in result.data
    assert np.array_equal(pixels(result.data), pixels(data))
    assert np.array_equal(decode(result.data), pixels(data))


# Orientation ------------------------------------------------------------------------------------------------


def turned(upright: np.ndarray, orientation: int) -> np.ndarray:
    """The pixels as a camera stores them that writes this orientation (EXIF 2.32, 4.6.4)."""
    return {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](upright)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "PNG XMP", "JPEG XMP"])
def test_orientation_is_applied(format: str, orientation: int) -> None:
    stored = np.ascontiguousarray(turned(drawn(), orientation))
    if format == "PNG":
        data = with_chunk(saved(stored, "PNG"), b"eXIf", tiff_block(orientation))
    elif format == "PNG XMP":
        packet = zlib.compress(xmp_packet(orientation))
        data = with_chunk(saved(stored, "PNG"), b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packet)
    elif format == "JPEG":
        data = with_segment(saved(stored, "JPEG", quality=95), 0xE1, b"Exif\0\0" + tiff_block(orientation))
    elif format == "JPEG XMP":
        packet = b"http://ns.adobe.com/xap/1.0/\0" + xmp_packet(orientation)
        data = with_segment(saved(stored, "JPEG", quality=95), 0xE1, packet)
    elif format == "TIFF":
        data = saved(stored, "TIFF", tiffinfo={274: orientation})
    else:
        size = (stored.shape[1], stored.shape[0])
        data = webp_with(saved(stored, "WEBP", lossless=True), b"EXIF", tiff_block(orientation), size)
    result = clean(data)
    assert (result.width, result.height) == (101, 67)
    assert ("orientation" in result.removed) == (orientation != 1)
    difference = np.abs(pixels(result.data) - drawn().astype(np.int16))
    assert difference.mean() <= (2.5 if "JPEG" in format else 0)
    assert inspect(published(result)) == ()


def test_exif_orientation_wins_over_xmp_and_nonsense_is_ignored() -> None:
    both = with_chunk(with_chunk(PNG, b"eXIf", tiff_block(3)), b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_packet(6))
    assert clean(both).height == 67
    assert clean(with_chunk(PNG, b"eXIf", tiff_block(9))).lossless
    assert clean(with_chunk(PNG, b"eXIf", b"II*\0broken")).removed == ("exif",)


def test_turned_jpeg_turns_its_quantisation_tables() -> None:
    uneven = list(Image.open(io.BytesIO(saved(drawn(), "JPEG", quality=50))).quantization.values())
    data = saved(drawn(), "JPEG", qtables=uneven, subsampling=2)
    result = Image.open(io.BytesIO(published(clean(with_segment(data, 0xE1, b"Exif\0\0" + tiff_block(6))))))
    assert np.array_equal(np.reshape(result.quantization[0], (8, 8)), np.reshape(uneven[0], (8, 8)).T)
    assert result.layer[0][1:3] == (2, 2)


# Colour and depth -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("primaries", "gamma"), [(ADOBE_RGB, 2.19921875), (DISPLAY_P3, 2.2)])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_wide_profiles_are_converted(primaries: np.ndarray, gamma: float, format: str) -> None:
    wide = np.full((40, 60, 3), (150, 120, 90), np.uint8)
    options = {"PNG": {}, "JPEG": {"quality": 98}, "WEBP": {"lossless": True}, "TIFF": {}}[format]
    result = clean(saved(wide, format, icc_profile=matrix_profile(primaries, gamma), **options))
    linear = primaries @ (np.array([150, 120, 90]) / 255) ** gamma
    to_srgb = np.linalg.inv([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    light = np.clip(to_srgb @ linear, 0, 1)
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert "icc" in result.removed
    assert not result.lossless
    assert np.abs(pixels(result.data)[20, 30] - expected).max() <= 3
    assert np.abs(expected - [150, 120, 90]).max() > 5
    assert inspect(published(result)) == ()


def test_profile_is_judged_by_content() -> None:
    """A wide profile that calls itself sRGB is converted; nonsense is dropped and the pixels stay."""
    liar = matrix_profile(ADOBE_RGB, 2.2).replace(SECRET, b"sRGB IEC61966")
    assert not clean(saved(drawn(), "PNG", icc_profile=liar)).lossless
    for nonsense in (b"no profile", matrix_profile(ADOBE_RGB, 2.2)[:300], SRGB[:60]):
        result = clean(saved(drawn(), "PNG", icc_profile=nonsense))
        assert result.lossless
        assert result.removed == ("icc",)


def test_grey_stays_grey() -> None:
    grey = drawn()[..., 0]
    profile = matrix_profile(ADOBE_RGB, 1.8)
    for format in ("JPEG", "PNG", "TIFF"):
        for options in ({}, {"icc_profile": profile}):
            result = clean(saved(grey, format, **options))
            assert Image.open(io.BytesIO(result.data)).mode == "L"
            again = encode(decode(result.data), result.encoding)
            assert Image.open(io.BytesIO(again)).mode == "L"
    assert clean(saved(grey, "JPEG")).lossless


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_four_inks_become_rgb(format: str) -> None:
    inks = Image.fromarray(drawn()).convert("CMYK")
    result = clean(saved(inks, format))
    assert Image.open(io.BytesIO(result.data)).mode == "RGB"
    assert np.abs(pixels(result.data) - drawn().astype(np.int16)).mean() < 4
    assert inspect(published(result)) == ()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_not_clipped(format: str) -> None:
    grey = (np.linspace(0, 65535, 101 * 67).reshape(67, 101)).astype(np.uint16)
    result = clean(saved(grey, format))
    assert np.abs(pixels(result.data)[..., 0] - grey / 257).max() <= 1
    assert Image.open(io.BytesIO(result.data)).mode == "L"


@pytest.mark.parametrize("extension", [".png", ".tiff"])
def test_sixteen_bit_colour_is_scaled_not_clipped(extension: str) -> None:
    import cv2

    deep = drawn().astype(np.uint16) * np.uint16(257)
    written, data = cv2.imencode(extension, np.ascontiguousarray(deep[..., ::-1]))
    assert written
    result = clean(data.tobytes())
    assert np.abs(pixels(result.data) - drawn().astype(np.int16)).max() <= 1
    assert inspect(published(result)) == ()


def test_inverted_grey_tiff() -> None:
    data = saved(np.full((5, 5), 60000, np.uint16), "TIFF")
    entry = struct.pack("<HHI", 262, 3, 1)
    at = data.index(entry) + 8
    assert pixels(clean(data[:at] + b"\0" + data[at + 1 :]).data)[0, 0, 0] == 255 - 60000 // 256


def test_palette_bilevel_and_float() -> None:
    palette = Image.fromarray(drawn()).quantize(16)
    result = clean(saved(palette, "PNG", bits=4))
    assert result.lossless
    assert np.array_equal(decode(result.data), np.asarray(palette.convert("RGB")))
    two = Image.fromarray(drawn()).convert("1")
    for format in ("PNG", "TIFF"):
        result = clean(saved(two, format))
        assert np.array_equal(decode(result.data), np.asarray(two.convert("RGB")))
        assert Image.open(io.BytesIO(result.data)).mode == "L"
    for kind in (np.float32, np.int32):
        assert refused(saved(np.zeros((4, 4), kind), "TIFF")) == Reason.UNSUPPORTED_FORMAT


# Alpha ------------------------------------------------------------------------------------------------------


def on_white(data: bytes) -> np.ndarray:
    """What a viewer with a white background shows."""
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, picture).convert("RGB"), np.int16)


def assert_flat(data: bytes, tolerance: float = 1) -> Stripped:
    result = clean(data)
    picture = Image.open(io.BytesIO(result.data))
    assert not picture.has_transparency_data
    assert "transparency" in result.removed
    assert not result.lossless
    assert inspect(published(result)) == ()
    assert np.abs(pixels(result.data) - on_white(data)).max() <= tolerance
    return result


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("black", [True, False])
def test_transparency_is_flattened_onto_white(format: str, black: bool) -> None:
    """Also where the picture is in the alpha plane alone, with black above."""
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    colours = drawn() * 0 if black else drawn()
    data = saved(np.dstack([colours, drawn()[..., 0]]), format, **options)
    assert_flat(data)
    hidden = np.full((67, 101), 255, np.uint8)
    hidden[10:40, 20:60] = 0
    result = assert_flat(saved(np.dstack([drawn(), hidden]), format, **options))
    assert pixels(result.data)[10:40, 20:60].min() == 255


def test_every_kind_of_transparency_is_flattened() -> None:
    plane = Image.fromarray(drawn()[..., 0])
    assert_flat(saved(np.dstack([drawn(), np.asarray(plane)]), "WEBP", quality=90), 40)
    grey = assert_flat(saved(Image.merge("LA", [Image.new("L", plane.size), plane]), "PNG"))
    assert Image.open(io.BytesIO(grey.data)).mode == "L"
    assert_flat(saved(Image.fromarray(drawn()).quantize(16), "PNG", transparency=bytes(range(0, 240, 15))))
    keyed = drawn()
    keyed[:20, :20] = (9, 8, 7)
    assert_flat(saved(keyed, "PNG", transparency=(9, 8, 7)))
    assert_flat(saved(np.where(keyed[..., 0] == 9, 9, 200).astype(np.uint8), "PNG", transparency=9))


@pytest.mark.parametrize("depth", [1, 2, 4, 16])
def test_key_of_other_depths_turns_white(depth: int) -> None:
    header = struct.pack(">IIBBBBB", 1, 2, depth, 0, 0, 0, 0)
    high, low = (b"\x00\x90\0", b"\x00\x10\0") if depth == 16 else (b"\0\xff", b"\0\0")
    key = {1: 1, 2: 3, 4: 15, 16: 0x9000}[depth]
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tRNS", struct.pack(">H", key))
    data += chunk(b"IDAT", zlib.compress(low + high)) + chunk(b"IEND", b"")
    result = clean(data)
    assert "transparency" in result.removed
    assert pixels(result.data)[1, 0, 0] == 255
    assert pixels(result.data)[0, 0, 0] < 20


def test_opaque_alpha_is_dropped_without_loss() -> None:
    alpha = np.full((67, 101), 255, np.uint8)
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        result = clean(saved(np.dstack([drawn(), alpha]), format, **options))
        assert result.lossless
        assert result.removed == ()
        assert not Image.open(io.BytesIO(result.data)).has_transparency_data
        assert np.array_equal(pixels(result.data), drawn())


# Refusals ---------------------------------------------------------------------------------------------------


def test_bomb_is_refused_from_its_header() -> None:
    side = 30_000
    packer = zlib.compressobj(1)
    row = b"\0" * (1 + side // 8)
    packed = b"".join(packer.compress(row * 1000) for _ in range(30)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    start = time.perf_counter()
    assert refused(data) == Reason.TOO_MANY_PIXELS
    assert time.perf_counter() - start < 0.5
    for small in (JPEG, PNG, WEBP, WEBP_LOSSLESS, TIFF):
        assert refused(small, max_pixels=101 * 67 - 1) == Reason.TOO_MANY_PIXELS
        assert clean(small, max_pixels=101 * 67)


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP, WEBP_LOSSLESS, TIFF])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_truncated_is_undecodable(data: bytes, share: float) -> None:
    assert refused(data[: int(len(data) * share)]) == Reason.UNDECODABLE


def test_broken_is_undecodable() -> None:
    middle = len(PNG) // 2
    assert refused(PNG[:middle] + bytes([PNG[middle] ^ 1]) + PNG[middle + 1 :]) == Reason.UNDECODABLE
    assert refused(b"\xff\xd8\xff\xd9") == Reason.UNDECODABLE


@pytest.mark.parametrize("format", ["WEBP", "PNG", "TIFF", "MPO", "GIF"])
def test_several_pictures_are_counted_and_never_published_together(format: str) -> None:
    frames = [Image.fromarray(drawn()), Image.fromarray(drawn()[::-1])]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    assert count_pictures(data) == 2
    assert inspect(data) != ()
    assert refused(data, max_frames=1) == Reason.SEVERAL_PICTURES
    assert inspect(published(clean(data))) == ()


def test_pictures_that_cannot_be_told_apart_are_held() -> None:
    gain_map = with_segment(JPEG, 0xE2, mpf_block(0x030000, 0)) + JPEG
    assert refused(gain_map) == Reason.SEVERAL_PICTURES
    broken_mpf = with_segment(JPEG, 0xE2, b"MPF\0nonsense") + JPEG
    assert refused(broken_mpf) == Reason.SEVERAL_PICTURES


def test_reduced_tiff_page_is_dropped() -> None:
    small = Image.fromarray(drawn(25, 17))
    data = bytearray(saved(drawn(), "TIFF", save_all=True, append_images=[small], tiffinfo={254: 0}))
    entry = struct.pack("<HHI", 254, 4, 1)
    data[data.rindex(entry) + 8] = 1
    result = clean(bytes(data))
    assert "thumbnail" in result.removed
    assert result.width == 101


@pytest.mark.parametrize("format", ["PPM", "TGA", "PCX"])
def test_other_kinds_are_unsupported(format: str) -> None:
    assert refused(saved(drawn(), format)) == Reason.UNSUPPORTED_FORMAT
    assert inspect(saved(drawn(), format)) == ("unknown_container",)


def test_other_jpeg_processes_are_unsupported() -> None:
    at = JPEG.index(b"\xff\xc0")
    arithmetic = JPEG[:at] + b"\xff\xc9" + JPEG[at + 2 :]
    deep = JPEG[: at + 4] + b"\x0c" + JPEG[at + 5 :]
    later = JPEG[: at + 5] + b"\0\0" + JPEG[at + 7 :]
    assert {refused(data) for data in (arithmetic, deep, later)} == {Reason.UNSUPPORTED_FORMAT}


def test_empty_and_text() -> None:
    assert refused(b"") == refused(SECRET) == Reason.UNSUPPORTED_FORMAT


# Bytes hidden in structure ----------------------------------------------------------------------------------


def test_rows_of_an_earlier_png_are_dropped() -> None:
    header = struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 0)
    rows = b"\0abcd" * 2
    for packed in (zlib.compress(rows + SECRET), zlib.compress(rows) + SECRET):
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
        assert inspect(data) == ("hidden_data",)
        result = clean(data)
        assert "hidden_data" in result.removed
        assert SECRET not in result.data
        assert inspect(published(result)) == ()
        assert pixels(result.data)[0, :, 0].tolist() == list(b"abcd")


def test_overwritten_jpeg_table_is_dropped() -> None:
    extra = segment(0xDB, b"\0" + SECRET.ljust(64, b"\1"))
    data = JPEG[:20] + extra + JPEG[20:]
    assert "redundant_table" in inspect(data)
    result = clean(data)
    assert SECRET not in result.data
    assert inspect(published(result)) == ()


def between_scan_and_end(data: bytes, extra: bytes) -> bytes:
    return data[:-2] + extra + data[-2:]


def before(data: bytes, marker: bytes, extra: bytes) -> bytes:
    at = data.index(marker)
    return data[:at] + extra + data[at:]


def other_first_scan() -> tuple[bytes, bytes]:
    """A progressive picture, and the same with the coarse scan of another picture before its own."""
    mine = saved(drawn(), "JPEG", progressive=True)
    other = saved(drawn()[::-1, ::-1], "JPEG", progressive=True)
    start = other.index(b"\xff\xc4")
    end = other.index(b"\xff\xc4", other.index(b"\xff\xda"))
    return mine, before(mine, b"\xff\xc4", other[start:end])


RESTARTS = saved(drawn(), "JPEG", restart_marker_blocks=2)
PROGRESSIVE, REPEATED = other_first_scan()
INTERVALS = b"".join(segment(0xDD, SECRET[at : at + 2]) for at in range(0, 12, 2))
STUFFED = {
    "second jpeg in the scan": (JPEG, between_scan_and_end(JPEG, JPEG.replace(b"\xff", b"\xff\0")), ""),
    "surplus restarts": (JPEG, between_scan_and_end(JPEG, b"\xff\xd0a\xff\xd3b"), "surplus_restart"),
    "surplus restarts of many": (RESTARTS, between_scan_and_end(RESTARTS, b"\xff\xd5"), "surplus_restart"),
    "huffman table": (
        JPEG,
        before(JPEG, b"\xff\xc4", segment(0xC4, b"\x03" + bytes(7) + b"\x0d" + bytes(8) + SECRET)),
        "unused_table",
    ),
    "quantisation table": (
        JPEG,
        before(JPEG, b"\xff\xdb", segment(0xDB, b"\3" + SECRET.ljust(64, b"\1"))),
        "unused_table",
    ),
    "intervals": (RESTARTS, before(RESTARTS, b"\xff\xdd", INTERVALS), "redundant_restart"),
    "overwritten scan": (PROGRESSIVE, REPEATED, "repeated_scan"),
}


@pytest.mark.parametrize("name", STUFFED)
def test_data_beside_the_jpeg_coefficients_is_removed(name: str) -> None:
    plain, stuffed, seen = STUFFED[name]
    assert np.array_equal(pixels(stuffed), pixels(plain))
    assert clean(stuffed).data == clean(plain).data
    assert clean(stuffed).lossless
    assert not seen or seen in inspect(stuffed)
    assert inspect(plain) == ()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"subsampling": 1}, {"keep_rgb": True}, {"restart_marker_blocks": 3}, None]
)
def test_jpeg_coefficients_stay(progressive: bool, options: dict[str, object] | None, tmp_path: Path) -> None:
    source = drawn()[..., 0] if options is None else drawn()
    data = saved(source, "JPEG", quality=91, progressive=progressive, **(options or {}))
    (tmp_path / "before.jpg").write_bytes(data)
    (tmp_path / "after.jpg").write_bytes(clean(data).data)
    was, now = (jpeglib.read_dct(tmp_path / name) for name in ("before.jpg", "after.jpg"))
    for part in ("Y", "Cb", "Cr", "qt", "quant_tbl_no", "samp_factor"):
        assert np.array_equal(getattr(was, part), getattr(now, part)), part
    assert was.jpeg_color_space == now.jpeg_color_space


def test_names_of_jpeg_components_hold_nothing() -> None:
    frame, scan = JPEG.index(b"\xff\xc0"), JPEG.index(b"\xff\xda")
    named = bytearray(JPEG)
    named[frame + 10 : frame + 19 : 3] = named[scan + 5 : scan + 11 : 2] = b"Jan"
    assert clean(bytes(named)).data == clean(JPEG).data


def test_incomplete_progressive_jpeg_is_written_from_what_it_shows() -> None:
    first_scan_ends = PROGRESSIVE.index(b"\xff\xc4", PROGRESSIVE.index(b"\xff\xda"))
    data = PROGRESSIVE[:first_scan_ends] + PROGRESSIVE[-2:]
    result = clean(data)
    assert inspect(published(result)) == ()
    assert np.abs(pixels(result.data) - pixels(data)).mean() < 3


def palette_png(palette: bytes, rows: bytes, depth: int, tail: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", 1, len(rows) // 2, depth, 3, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"PLTE", palette), chunk(b"IDAT", zlib.compress(rows) + tail)]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IEND", b"")])


def test_data_beside_the_png_pixels_is_removed() -> None:
    rows = bytes([0, 0x00, 0, 0x10] * 7)
    padded = bytes([0, 0x0B, 0, 0x1A] * 7)
    two = b"\1\2\3\4\5\6"
    plain = clean(palette_png(two, rows, 4))
    assert plain.lossless
    assert pixels(plain.data)[:2, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    for stuffed in (
        palette_png(two + SECRET[:12], rows, 4),
        palette_png(two, padded, 4),
        palette_png(two, rows, 4, SECRET),
    ):
        assert clean(stuffed).data == plain.data
    assert inspect(palette_png(two * 9, rows, 4)) == ("chunk_PLTE",)
    assert inspect(palette_png(two, rows, 4, SECRET)) == ("hidden_data",)


def with_tail(data: bytes, kind: bytes) -> bytes:
    """The secret at the end of one chunk's payload."""
    at = data.index(kind)
    (length,) = struct.unpack_from("<I", data, at + 4)
    tail = SECRET + SECRET[: 13 + length % 2]
    tail += b"\0" * (len(tail) % 2 != length % 2)
    end = at + 8 + length
    grown = data[: at + 4] + struct.pack("<I", length + len(tail)) + data[at + 8 : end] + tail
    grown += b"\0" * (len(tail) + length & 1) + data[end + length % 2 :]
    return grown[:4] + struct.pack("<I", len(grown) - 8) + grown[8:]


@pytest.mark.parametrize("kind", [b"VP8 ", b"VP8L", b"ALPH"])
def test_data_behind_the_webp_payload_is_removed(kind: bytes) -> None:
    alpha = saved(np.dstack([drawn(), drawn()[..., 0]]), "WEBP", quality=90)
    plain = {b"VP8 ": WEBP, b"VP8L": WEBP_LOSSLESS, b"ALPH": alpha}[kind]
    stuffed = with_tail(plain, kind)
    assert SECRET in stuffed
    assert clean(stuffed).data == clean(plain).data


def test_inspect_reports_a_file_behind_tiff_strips() -> None:
    encoded = encode(drawn(), Encoding(format="tiff"))
    assert inspect(encoded) == ()
    assert inspect(encoded + SECRET) == ("trailing_data",)
    (first,) = struct.unpack_from("<I", encoded, 4)
    hidden = encoded[:4] + struct.pack("<I", len(encoded) + 2) + encoded[8:] + b"\0\0" + encoded[first:]
    assert "unreferenced_data" in inspect(hidden)


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP, TIFF])
def test_inspect_never_raises(data: bytes) -> None:
    for length in range(0, len(data), 97):
        assert inspect(data[:length]) != ()


# Anything at all --------------------------------------------------------------------------------------------

_SEEDS = [data for data, _, _ in PLANTED.values()]
_SEEDS += [saved(drawn(), "JPEG", progressive=True), WEBP_LOSSLESS, TIFF]
_MOVING = [drawn(31, 21), drawn(31, 21)[::-1], drawn(31, 21)[:, ::-1]]
_SEEDS += [
    saved(
        Image.fromarray(_MOVING[0]), format, save_all=True, append_images=[Image.fromarray(one) for one in _MOVING[1:]]
    )
    for format in ("GIF", "PNG", "WEBP", "TIFF", "MPO")
]
_SEEDS += [saved(drawn(31, 21), format) for format in ("GIF", "BMP", "AVIF", "JPEG2000")]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    seed=st.sampled_from(_SEEDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    early=st.booleans(),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
def test_any_bytes_end_clean_or_refused(
    seed: bytes, edits: list[tuple[float, int]], early: bool, cut: float | None
) -> None:
    data = bytearray(seed)
    reach = min(len(data), 700) if early else len(data)
    for place, value in edits:
        data[min(int(place * reach), len(data) - 1)] = value
    hostile = bytes(data if cut is None else data[: int(cut * len(data))])
    try:
        result = strip(hostile, POLICY.model_copy(update={"max_pixels": 4_000_000}), count_pictures(hostile) - 1)
    except PhotoError:
        return
    assert inspect(published(result)) == ()
    rgb = decode(result.data)
    assert rgb.shape == (result.height, result.width, 3)


def test_threads_agree() -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(clean, _SEEDS * 3))
    assert [r.data for r in results] == [clean(d).data for d in _SEEDS] * 3


def test_fill_bytes_inside_a_scan_are_dropped() -> None:
    data = saved(drawn(), "JPEG", restart_marker_blocks=2)
    filled = data.replace(b"\xff\xd0", b"\xff\xff\xff\xd0")[:-2] + b"\xff\xff\xff\xd9"
    result = clean(filled)
    assert result.data == clean(data).data
    assert inspect(filled) != ()


# What is published ------------------------------------------------------------------------------------------

INPUTS = {
    "jpeg": JPEG,
    "png": PNG,
    "webp": WEBP,
    "webp lossless": WEBP_LOSSLESS,
    "tiff": TIFF,
    "avif": saved(drawn(), "AVIF"),
    "gif": saved(drawn(), "GIF"),
    "bmp": saved(drawn(), "BMP"),
    "jpeg2000": saved(drawn(), "JPEG2000"),
}
SAME = {"webp lossless": "webp", "gif": "png", "bmp": "png", "jpeg2000": "jpeg"}


@pytest.mark.parametrize("name", INPUTS)
def test_a_file_keeps_its_format_where_that_can_be_written_clean(name: str) -> None:
    result = clean(INPUTS[name])
    assert result.encoding.format == SAME.get(name, name)
    assert Image.open(io.BytesIO(published(result))).format == result.encoding.format.upper()


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_the_configuration_can_name_the_format(name: str, format: str) -> None:
    result = clean(INPUTS[name], output_format=format)
    assert result.encoding.format == format
    assert Image.open(io.BytesIO(published(result))).format == format.upper()
    assert inspect(published(result)) == ()


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("format", ["same", "jpeg", "webp"])
def test_what_is_to_be_encoded_lossily_is_handed_on_without_loss(name: str, format: str) -> None:
    """So that rendering encodes it once, whether a face is changed or not."""
    result = clean(INPUTS[name], output_format=format)
    lossy = result.encoding.format in ("jpeg", "avif") or (result.encoding.format == "webp" and not result.lossless)
    carried = name == "jpeg" and format in ("same", "jpeg")
    if lossy and not carried:
        assert not result.final
        assert result.data.startswith(b"\x89PNG")
        assert np.array_equal(decode(result.data), pixels(INPUTS[name]))
    else:
        assert result.final


@pytest.mark.parametrize(("quality", "subsampling"), [(89, 2), (90, 0), (100, 0)])
def test_colours_are_halved_below_quality_90(quality: int, subsampling: int) -> None:
    encoding = clean(INPUTS["jpeg2000"], quality=quality).encoding
    assert (encoding.quality, encoding.subsampling) == (quality, subsampling)


def test_writing_anew_leaves_nothing_of_the_inputs_encoding() -> None:
    """Quantisation tables can tell a camera's make."""
    odd = saved(drawn(), "JPEG", qtables=[[9] * 64] * 2, subsampling=1)
    followed, anew = clean(odd), clean(odd, reencode=True)
    assert followed.encoding.tables == ((9,) * 64,) * 2
    assert anew.encoding == Encoding(format="jpeg", quality=92)
    assert not anew.final
    assert not anew.lossless
    standard = Image.open(io.BytesIO(saved(drawn(), "JPEG", quality=92))).quantization
    assert Image.open(io.BytesIO(published(anew))).quantization == standard


@pytest.mark.parametrize(("format", "longest"), [("webp", 16_383), ("jpeg", 65_500)])
def test_a_picture_too_long_for_its_format_becomes_png(format: str, longest: int) -> None:
    for width, wanted in ((longest, format), (longest + 1, "png")):
        result = clean(saved(drawn(width, 1), "PNG"), output_format=format)
        assert result.encoding.format == wanted
        assert Image.open(io.BytesIO(published(result))).size == (width, 1)


def test_a_webp_follows_its_bitstream() -> None:
    assert clean(WEBP_LOSSLESS).encoding.lossless
    encoding = clean(WEBP).encoding
    assert encoding == Encoding(format="webp", quality=encoding.quality)
    assert 85 <= encoding.quality <= 92
    assert clean(WEBP, reencode=True, quality=70).encoding.quality == 70


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "JPEG2000", "AVIF"])
def test_grey_is_published_grey(format: str) -> None:
    result = clean(saved(drawn()[..., 0], format))
    assert result.encoding.grey
    assert Image.open(io.BytesIO(published(result))).mode == "L"


def test_a_page_is_named_by_its_own_tags() -> None:
    tags = {270: "x", 271: "x", 305: "x", 306: "2019:08:07 06:05:04", 315: "x", 33432: "x"}
    result = clean(saved(drawn(), "TIFF", tiffinfo=tags))
    found = {"camera", "comment", "copyright", "owner_name", "software", "tags", "timestamps"}
    assert found <= set(result.removed)


def test_a_mask_page_is_dropped_and_named() -> None:
    data = bytearray(saved(drawn(), "TIFF", save_all=True, append_images=[Image.fromarray(drawn())], tiffinfo={254: 0}))
    entry = struct.pack("<HHI", 254, 4, 1)
    data[data.rindex(entry) + 8] = 4
    assert count_pictures(bytes(data)) == 1
    assert "mask" in clean(bytes(data)).removed


@pytest.mark.parametrize("profile", [b"", SRGB])
def test_sixteen_bit_inks_become_rgb(profile: bytes) -> None:
    """The profile is one for other pixels, which is ignored."""
    inks = np.zeros((5, 7, 4), np.uint16)
    inks[..., 1] = 0xFFFF
    entries = [(256, 3, 1, 7), (257, 3, 1, 5), (258, 3, 4, 200), (259, 3, 1, 1), (262, 3, 1, 5), (273, 4, 1, 220)]
    entries += [(277, 3, 1, 4), (278, 3, 1, 5), (279, 4, 1, inks.nbytes)]
    entries += [(34675, 7, len(profile), 220 + inks.nbytes)] if profile else []
    directory = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *one) for one in entries) + bytes(4)
    head = (b"II*\0" + struct.pack("<I", 8) + directory).ljust(200, b"\0") + struct.pack("<4H", 16, 16, 16, 16)
    result = clean(head.ljust(220, b"\0") + inks.tobytes() + profile)
    assert decode(result.data)[0, 0].tolist() == [255, 0, 255]
    assert inspect(published(result)) == ()


def test_every_kind_that_is_named_is_explained() -> None:
    named = {kind for dirty, _, _ in PLANTED.values() for kind in clean(dirty).removed}
    assert {kind for kind in named if not kind.startswith("app")} <= KINDS.keys()
