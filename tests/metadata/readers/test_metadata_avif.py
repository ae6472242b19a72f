"""AVIF: stills and animations come out as viewers show them, without what came with them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from boxfile import Part, box, boxfile, coded, corners, full, quarters, size_of
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import avif
from photo_anonymizer.metadata.readers.isobmff import Box, boxes, child, leading, needed
from photo_anonymizer.model.record import Reason

LIMIT = 1_000_000
SECRET = b"Ada Lovelace"
FRAMES = (
    quarters(),
    quarters().transpose(Image.Transpose.ROTATE_180),
    quarters().transpose(Image.Transpose.FLIP_LEFT_RIGHT),
)


def saved(picture: Image.Image, **save: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, "AVIF", **save)
    return out.getvalue()


def animation(**save: object) -> bytes:
    return saved(FRAMES[0], save_all=True, append_images=list(FRAMES[1:]), duration=100, **save)


def still(picture: Image.Image | None = None) -> Part:
    return coded(picture or quarters(), "AVIF")[0]


def frame(data: bytes, number: int = 0) -> Image.Image:
    container = avif.parse(data, LIMIT, number)
    assert container.format == "avif"
    picture = avif.opened(container.clean, container.frame)
    assert picture.size == (container.width, container.height)
    return picture


def outcome(data: bytes, number: int = 0, max_pixels: int = LIMIT) -> Reason | None:
    """Why a picture is refused; None if it is not."""
    try:
        container = avif.parse(data, max_pixels, number)
        avif.opened(container.clean, container.frame)
    except PhotoError as error:
        return Reason(error.reason)
    assert container.width * container.height <= max_pixels
    return None


def refused(data: bytes, reason: Reason, number: int = 0, max_pixels: int = LIMIT) -> bool:
    return outcome(data, number, max_pixels) == reason


def place(data: bytes, *path: bytes) -> Box:
    """The first box under nested kinds."""
    start, end = 0, len(data)
    for kind in path:
        found = needed(leading(data, start, end)[0], kind)
        start, end = found.body, found.end
    return found


TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def changed(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


# --- stills


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_pixels_are_those_that_the_decoder_gives_for_the_whole_file(astronaut, mode):
    picture = Image.fromarray(astronaut).convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    data = saved(picture)
    assert frame(data).mode == mode
    assert np.array_equal(np.asarray(frame(data)), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_how_a_picture_is_turned_is_read_from_its_properties(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    container = avif.parse(saved(quarters(), exif=exif), LIMIT)
    assert container.orientation == orientation
    assert corners(avif.opened(container.clean, 0)) == "rgby"  # as stored; pixels turns it


def test_a_cropped_picture_shows_its_window_only():
    part = still()
    # the lower half: 128 × 48 of 128 × 96, its centre 24 pixels further down
    part.properties.append(box(b"clap", struct.pack(">IIIIiIiI", 128, 1, 48, 1, 0, 1, 24, 1)))
    picture = frame(boxfile(part, brand=b"avif"))
    assert (picture.size, corners(picture)) == ((128, 48), "byby")


def test_a_picture_in_tiles_is_one_picture():
    tiles = [still(quarters(64, 64)), still(quarters(64, 64).transpose(Image.Transpose.ROTATE_180))]
    grid = Part(b"grid", bytes([0, 0, 0, 1]) + struct.pack(">HH", 128, 64), [size_of(128, 64)], [(b"dimg", [2, 3])])
    grid.properties += [one for one in tiles[0].properties if one[4:8] in (b"av1C", b"pixi", b"colr")]
    data = boxfile(grid, *tiles, brand=b"avif")
    assert avif.count(data) == 1
    assert corners(frame(data).crop((64, 0, 128, 64))) == "ybgr"


def test_what_an_encoder_embeds_is_named_and_does_not_reach_the_decoder():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F] = SECRET.decode()
    data = saved(quarters(), exif=exif, xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>", icc_profile=profile)
    container = avif.parse(data, LIMIT)
    assert {"exif", "xmp", "icc"} <= container.kinds
    assert container.icc == profile
    assert SECRET in data
    assert SECRET not in container.clean
    assert b"acsp" not in container.clean


# --- animations


def test_every_frame_is_counted_and_comes_out():
    data = animation()
    assert avif.count(data) == 3
    assert [corners(frame(data, number)) for number in range(3)] == [corners(one) for one in FRAMES]


def test_frames_keep_their_transparency():
    pictures = [one.copy() for one in FRAMES]
    for one in pictures:
        one.putalpha(Image.linear_gradient("L").resize(one.size))
    data = saved(pictures[0], save_all=True, append_images=pictures[1:])
    assert avif.count(data) == 3
    alpha = np.asarray(frame(data, 2).getchannel("A"), int)
    assert np.abs(alpha - np.asarray(pictures[2].getchannel("A"), int)).mean() < 3


def test_a_frame_that_the_file_does_not_hold_is_refused():
    assert refused(animation(), Reason.UNDECODABLE, number=3)


def test_a_still_that_is_no_frame_of_the_sequence_is_a_picture_too():
    data = animation()
    inner = place(data, b"meta")
    location = needed(boxes(data, inner.body + 4, inner.end), b"iloc")
    # the still's data: the same bytes without the last one is another place in the file
    other = changed(data, location.end - 4, (int.from_bytes(data[location.end - 4 : location.end]) - 1).to_bytes(4))
    assert (avif.count(data), avif.count(other)) == (3, 4)


def test_what_comes_with_an_animation_is_named_and_does_not_reach_the_decoder():
    data = animation(xmp=SECRET) + box(b"free", SECRET)
    container = avif.parse(data, LIMIT, 1)
    assert {"xmp", "hidden_data"} <= container.kinds
    assert SECRET in data
    assert SECRET not in container.clean


def test_a_sequence_of_another_coding_is_refused_with_a_reason():
    data = animation()
    entry = place(data, *TABLE, b"stsd").body + 12
    assert data[entry : entry + 4] == b"av01"
    assert refused(changed(data, entry, b"avc1"), Reason.UNSUPPORTED_FORMAT)


def test_a_track_of_video_is_no_picture():
    data = animation()
    handler = place(data, b"moov", b"trak", b"mdia", b"hdlr").body + 8
    film = changed(data, handler, b"vide")
    assert avif.count(film) == 1  # the still
    assert "motion_video" in avif.parse(film, LIMIT).kinds


# --- limits and hostile bytes


def test_a_picture_beyond_the_limit_is_refused_from_its_header():
    assert refused(saved(quarters()), Reason.TOO_MANY_PIXELS, max_pixels=128 * 96 - 1)
    assert refused(animation(), Reason.TOO_MANY_PIXELS, max_pixels=128 * 96 - 1)


def test_a_picture_that_is_larger_inside_than_it_says_is_refused():
    large = still(Image.new("L", (1600, 1200)))
    large.properties = [size_of(64, 64) if one[4:8] == b"ispe" else one for one in large.properties]
    assert refused(boxfile(large, brand=b"avif"), Reason.TOO_MANY_PIXELS, max_pixels=64 * 64)


def test_a_sequence_that_is_larger_inside_than_it_says_is_refused():
    pictures = [Image.new("L", (1600, 1200), value) for value in (0, 200)]
    data = saved(pictures[0], save_all=True, append_images=pictures[1:])
    entry = place(data, *TABLE, b"stsd").body + 8
    assert refused(changed(data, entry + 32, struct.pack(">HH", 64, 64)), Reason.TOO_MANY_PIXELS, max_pixels=64 * 64)


@pytest.mark.parametrize(
    ("kind", "new"),
    [
        (b"stsz", bytes(4) + struct.pack(">II", 0, 0xFFFFFFFF)),
        (b"stsz", bytes(4) + struct.pack(">II", 1_000_000, 3)),
        (b"stsz", bytes(4) + struct.pack(">II", 0, 0)),
        (b"stco", bytes(4) + struct.pack(">II", 1, 0xFFFFFFF0)),
        (b"stco", bytes(4) + struct.pack(">I", 0xFFFFFFFF)),
        (b"stsc", bytes(4) + struct.pack(">III", 1, 2, 3)),
        (b"stsc", bytes(4) + struct.pack(">I", 0xFFFFFFFF)),
        (b"stsc", bytes(4) + struct.pack(">III", 1, 1, 1)),
    ],
    ids=["many samples", "large samples", "none", "outside", "many chunks", "no first", "many runs", "too few"],
)
def test_a_sample_table_that_cannot_be_is_refused(kind, new):
    broken = changed(animation(), place(animation(), *TABLE, kind).body, new)
    assert avif.count(broken) == 1
    assert refused(broken, Reason.UNDECODABLE)


def test_a_decoder_that_fails_ends_as_undecodable():
    broken = still()
    broken.payload = broken.payload[:-20] + bytes(20)
    assert refused(boxfile(broken, brand=b"avif"), Reason.UNDECODABLE)


def test_a_file_that_holds_no_picture_is_refused():
    empty = box(b"ftyp", b"avif", bytes(4)) + full(b"meta", full(b"hdlr", bytes(4), b"pict", bytes(13)))
    assert avif.count(empty) == 1
    assert refused(empty, Reason.UNDECODABLE)
    assert child(leading(empty, 0, len(empty))[0], b"meta") is not None


def test_any_changed_byte_ends_as_a_picture_or_a_reason():
    data = animation()
    seen = set()
    random = np.random.default_rng(2)
    for _ in range(400):
        bad = bytearray(data)
        for at in random.integers(0, len(data), 2):
            bad[at] = random.integers(0, 256)
        assert avif.count(bytes(bad)) >= 1
        seen.add(outcome(bytes(bad), 1))
    assert {None, Reason.UNDECODABLE} <= seen
