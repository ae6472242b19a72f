"""JPEG 2000: pictures come out as they are, without comments, boxes and what follows the codestream."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image, ImageCms

from boxfile import box, corners, quarters
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import jpeg2000
from photo_anonymizer.metadata.readers.isobmff import boxes, needed
from photo_anonymizer.model.record import Reason

LIMIT = 1_000_000
SECRET = b"Ada Lovelace"
EXIF = bytes.fromhex("4a706754696666457869662d3e4a5032")
XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
GEOTIFF = bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03")


def saved(picture: Image.Image, **save: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG2000", **save)
    return out.getvalue()


def codestream(picture: Image.Image, **save: object) -> bytes:
    return saved(picture, no_jp2=True, **save)


def jp2(stream: bytes, *header: bytes, brand: bytes = b"jp2 ", after: bytes = b"") -> bytes:
    """A JP2 file around codestreams."""
    boxes_ = jpeg2000.SIGNATURE + box(b"ftyp", brand, bytes(4), brand) + box(b"jp2h", *header)
    return boxes_ + box(b"jp2c", stream) + after


def ihdr(width: int, height: int, channels: int, depth: int = 8) -> bytes:
    return box(b"ihdr", struct.pack(">IIHBBBB", height, width, channels, depth - 1, 7, 0, 0))


def colours(number: int) -> bytes:
    return box(b"colr", b"\1\0\0" + number.to_bytes(4))


def plain(after: bytes = b"", **save: object) -> bytes:
    """:func:`quarters` as a JP2 file without a comment."""
    stream = jpeg2000.parse(codestream(quarters(), **save), LIMIT).clean
    return jp2(stream, ihdr(128, 96, 3), colours(16), after=after)


def shown(data: bytes, frame: int = 0) -> Image.Image:
    container = jpeg2000.parse(data, LIMIT, frame)
    picture = jpeg2000.opened(container.clean, container.frame)
    assert picture.size == (container.width, container.height)
    return picture


def outcome(data: bytes, frame: int = 0, max_pixels: int = LIMIT) -> Reason | None:
    """Why a picture is refused; None if it is not."""
    try:
        container = jpeg2000.parse(data, max_pixels, frame)
        jpeg2000.opened(container.clean, container.frame)
    except PhotoError as error:
        return Reason(error.reason)
    assert container.width * container.height <= max_pixels
    return None


def refused(data: bytes, reason: Reason, frame: int = 0, max_pixels: int = LIMIT) -> bool:
    return outcome(data, frame, max_pixels) == reason


def with_segment(stream: bytes, marker: int, content: bytes) -> bytes:
    """A codestream with a further marker segment in its main header."""
    end = 4 + int.from_bytes(stream[4:6])
    return stream[:end] + struct.pack(">HH", marker, len(content) + 2) + content + stream[end:]


# --- pictures


@pytest.mark.parametrize("bare", [False, True], ids=["JP2", "codestream"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("save", [{}, {"tile_size": (200, 200)}, {"irreversible": True, "plt": True}])
def test_the_pixels_are_those_that_the_decoder_gives_for_the_whole_file(astronaut, bare, mode, save):
    data = saved(Image.fromarray(astronaut).convert(mode), no_jp2=bare, **save)
    assert shown(data).mode == mode
    assert np.array_equal(np.asarray(shown(data)), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("bare", [False, True], ids=["JP2", "codestream"])
def test_sixteen_bits_become_eight(bare):
    values = np.linspace(0, 65535, 128 * 96).astype(np.uint16).reshape(96, 128)
    data = saved(Image.fromarray(values), no_jp2=bare)
    assert jpeg2000.parse(data, LIMIT).depth == 16
    assert np.array_equal(np.asarray(shown(data)), (values >> 8).astype(np.uint8))


def test_luma_and_chroma_become_red_green_and_blue():
    stored = Image.fromarray(np.asarray(quarters().convert("YCbCr")), "RGB")
    data = jp2(codestream(stored, mct=0), ihdr(128, 96, 3), colours(18))
    assert corners(shown(data)) == "rgby"


def test_four_inks_come_out_as_four_inks():
    stored = Image.fromarray(np.asarray(quarters().convert("CMYK")), "RGBA")
    assert shown(jp2(codestream(stored), ihdr(128, 96, 4), colours(12))).mode == "CMYK"


def test_four_inks_with_a_profile_come_out_as_four_inks():
    stored = Image.fromarray(np.asarray(quarters().convert("CMYK")), "RGBA")
    profile = box(b"colr", b"\2\0\0", bytes(16) + b"CMYK" + bytes(112))
    assert shown(jp2(codestream(stored), ihdr(128, 96, 4), profile)).mode == "CMYK"


def test_a_palette_is_resolved():
    indexes = Image.fromarray(np.kron([[0, 1], [2, 3]], np.ones((48, 64))).astype(np.uint8))
    entries = bytes([220, 30, 30, 30, 200, 30, 40, 40, 220, 230, 230, 40])
    palette = box(b"pclr", struct.pack(">HB", 4, 3), b"\7\7\7", entries)
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3)))
    data = jp2(codestream(indexes), ihdr(128, 96, 1), colours(16), palette, mapping)
    assert corners(shown(data)) == "rgby"


def test_an_unknown_colour_space_is_refused_with_a_reason():
    assert refused(jp2(codestream(quarters()), ihdr(128, 96, 3), colours(14)), Reason.UNSUPPORTED_FORMAT)


def test_every_codestream_is_counted_and_comes_out():
    second = codestream(quarters().transpose(Image.Transpose.ROTATE_180).resize((64, 48)))
    data = jp2(codestream(quarters()), ihdr(128, 96, 3), colours(16), brand=b"jpx ", after=box(b"jp2c", second))
    assert jpeg2000.count(data) == 2
    assert [corners(shown(data, frame)) for frame in range(2)] == ["rgby", "ybgr"]
    assert refused(data, Reason.UNDECODABLE, frame=2)


# --- what comes with a picture


@pytest.mark.parametrize(
    ("residue", "kinds"),
    [
        (box(b"uuid", EXIF, b"II*\0\x08\0\0\0\0\0\0\0\0\0", SECRET), {"exif"}),
        (box(b"uuid", XMP, SECRET), {"xmp"}),
        (box(b"uuid", IPTC, SECRET), {"iptc"}),
        (box(b"uuid", GEOTIFF, SECRET), {"gps"}),
        (box(b"uuid", bytes(16), SECRET), {"other_box"}),
        (box(b"xml ", SECRET), {"text"}),
        (box(b"xml ", b"<x:xmpmeta>", SECRET), {"xmp"}),
        (box(b"jp2i", SECRET), {"copyright"}),
        (box(b"jumb", SECRET), {"c2pa"}),
        (box(b"asoc", SECRET), {"other_box"}),
        (box(b"free", SECRET), {"hidden_data"}),
        (SECRET, {"trailing_data"}),
    ],
    ids=["exif", "xmp", "iptc", "geotiff", "uuid", "xml", "xmp in xml", "rights", "jumb", "asoc", "free", "trailing"],
)
def test_residue_behind_the_picture_is_named_and_does_not_reach_the_decoder(residue, kinds):
    assert jpeg2000.parse(plain(), LIMIT).kinds == frozenset()
    container = jpeg2000.parse(plain(after=residue), LIMIT)
    assert container.kinds == kinds
    assert SECRET not in container.clean


def test_an_exif_orientation_is_told():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = plain(after=box(b"uuid", EXIF, exif.tobytes().removeprefix(b"Exif\0\0")))
    assert jpeg2000.parse(data, LIMIT).orientation == 6


def test_a_comment_is_named_and_does_not_reach_the_decoder():
    container = jpeg2000.parse(codestream(quarters(), comment=SECRET.decode()), LIMIT)
    assert container.kinds == {"comment"}
    assert SECRET not in container.clean


def test_a_comment_in_a_tile_is_named_and_does_not_reach_the_decoder():
    stream = jpeg2000.parse(codestream(quarters(), tile_size=(64, 64)), LIMIT).clean
    at = stream.index(b"\xff\x90\0\x0a")
    comment = struct.pack(">HHH", 0xFF64, 4 + len(SECRET), 1) + SECRET
    length = int.from_bytes(stream[at + 6 : at + 10]) + len(comment)
    changed = stream[: at + 6] + length.to_bytes(4) + stream[at + 10 : at + 12] + comment + stream[at + 12 :]
    container = jpeg2000.parse(changed, LIMIT)
    assert container.kinds == {"comment"}
    assert container.clean == stream


def test_bytes_behind_the_end_of_a_codestream_are_named_and_dropped():
    stream = jpeg2000.parse(codestream(quarters()), LIMIT).clean
    container = jpeg2000.parse(stream + SECRET, LIMIT)
    assert (container.kinds, container.clean) == ({"trailing_data"}, stream)


def test_a_profile_is_taken_out_and_handed_on():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = jp2(codestream(quarters()), ihdr(128, 96, 3), box(b"colr", b"\2\0\0", profile))
    container = jpeg2000.parse(data, LIMIT)
    assert (container.icc, "icc" in container.kinds) == (profile, True)
    assert b"acsp" not in container.clean
    assert corners(jpeg2000.opened(container.clean, 0)) == "rgby"


def test_a_resolution_is_named_and_dropped():
    resolution = box(b"res ", box(b"resc", bytes(10)))
    container = jpeg2000.parse(jp2(codestream(quarters()), ihdr(128, 96, 3), colours(16), resolution), LIMIT)
    assert "resolution" in container.kinds
    assert b"resc" not in container.clean


# --- limits and hostile bytes


def test_a_picture_beyond_the_limit_is_refused_from_its_header():
    assert refused(plain(), Reason.TOO_MANY_PIXELS, max_pixels=128 * 96 - 1)
    assert refused(codestream(quarters()), Reason.TOO_MANY_PIXELS, max_pixels=128 * 96 - 1)


def with_size(stream: bytes, at: int, value: bytes) -> bytes:
    """A codestream with other bytes in its SIZ segment."""
    return stream[: 8 + at] + value + stream[8 + at + len(value) :]


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (0, (2**32 - 1).to_bytes(4), Reason.TOO_MANY_PIXELS),
        (8, (2**31).to_bytes(4), Reason.UNDECODABLE),
        (16, bytes(4), Reason.UNDECODABLE),
        (16, (1).to_bytes(4) + (1).to_bytes(4), Reason.UNDECODABLE),
        (24, (5).to_bytes(4), Reason.UNDECODABLE),
        (32, (5).to_bytes(2), Reason.UNSUPPORTED_FORMAT),
        (32, bytes(2), Reason.UNSUPPORTED_FORMAT),
        (34, bytes([31]), Reason.UNSUPPORTED_FORMAT),
        (35, bytes([0]), Reason.UNSUPPORTED_FORMAT),
    ],
    ids=["wide", "no width", "no tile", "tiny tiles", "tiles beside", "channels", "none", "32 bit", "no step"],
)
def test_a_size_that_cannot_be_is_refused(at, value, reason):
    stream = codestream(Image.new("RGB", (999, 999)))
    assert refused(with_size(stream, at, value), reason)


def test_a_header_that_states_another_size_is_refused():
    assert refused(jp2(codestream(quarters()), ihdr(96, 128, 3), colours(16)), Reason.UNDECODABLE)


def test_a_film_of_jpeg_2000_pictures_is_refused():
    data = jp2(codestream(quarters()), ihdr(128, 96, 3), colours(16), brand=b"mjp2")
    assert jpeg2000.count(data) == 1
    assert refused(data, Reason.UNDECODABLE)


def test_a_codestream_cut_short_is_refused():
    stream = codestream(quarters(), tile_size=(64, 64))
    for keep in (3, 20, 60, 120, len(stream) - 40):
        assert refused(stream[:keep], Reason.UNDECODABLE), keep


def test_a_header_of_endless_segments_is_refused():
    stream = codestream(quarters())
    end = 4 + int.from_bytes(stream[4:6])
    assert refused(stream[:end] + b"\xff\x64\0\2" * 70_000 + stream[end:], Reason.UNDECODABLE)
    assert "comment" in jpeg2000.parse(with_segment(stream, 0xFF64, SECRET), LIMIT).kinds


def test_a_file_without_a_codestream_is_refused():
    data = jpeg2000.SIGNATURE + box(b"ftyp", b"jp2 ", bytes(4)) + box(b"jp2h", ihdr(1, 1, 3))
    assert jpeg2000.count(data) == 1
    assert refused(data, Reason.UNDECODABLE)


def test_a_clean_file_holds_four_boxes():
    clean = jpeg2000.parse(plain(after=box(b"free", SECRET)), LIMIT).clean
    top = boxes(clean, 0, len(clean))
    header = needed(top, b"jp2h")
    assert [one.kind for one in top] == [b"jP  ", b"ftyp", b"jp2h", b"jp2c"]
    assert [one.kind for one in boxes(clean, header.body, header.end)] == [b"ihdr", b"colr"]


def test_any_changed_byte_ends_as_a_picture_or_a_reason():
    data = plain(after=box(b"uuid", EXIF, SECRET), tile_size=(64, 64))
    seen = set()
    random = np.random.default_rng(3)
    for _ in range(400):
        bad = bytearray(data)
        for at in random.integers(0, min(len(data), 500), 2):
            bad[at] = random.integers(0, 256)
        assert jpeg2000.count(bytes(bad)) >= 1
        seen.add(outcome(bytes(bad)))
    assert {None, Reason.UNDECODABLE} <= seen


# --- files made to waste time


def test_counting_does_not_look_into_metadata() -> None:
    """A thousand EXIF blocks of as many tags as a directory may have."""
    tags = b"II*\0" + struct.pack("<IH", 8, 4096) + struct.pack("<HHII", 271, 1, 1, 0) * 4096 + bytes(4)
    data = plain(after=box(b"uuid", EXIF, tags) * 1000)
    assert "exif" in jpeg2000.parse(plain(after=box(b"uuid", EXIF, tags)), LIMIT).kinds
    started = time.process_time()
    assert jpeg2000.count(data) == 1
    assert time.process_time() - started < 1
