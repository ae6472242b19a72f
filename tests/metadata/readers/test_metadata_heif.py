"""HEIF: which pictures a file holds, that each comes out alone, upright and without what came with it."""

from __future__ import annotations

import io
import struct
import time

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from boxfile import ALPHA, Part, box, boxfile, coded, corners, full, quarters, size_of
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.readers import heif, nclx
from photo_anonymizer.metadata.readers.container import Container
from photo_anonymizer.model.record import Reason

LIMIT = 1_000_000
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SECRET = b"Ada Lovelace"
DEPTH = b"urn:mpeg:hevc:2015:auxid:2"
GAIN_MAP = b"urn:com:apple:photo:2020:aux:hdrgainmap"
MATTE = b"urn:com:apple:photo:2018:aux:portraiteffectsmatte"


def saved(picture: Image.Image, **save: object) -> bytes:
    """The picture as pillow-heif writes it."""
    out = io.BytesIO()
    pillow_heif.from_pillow(picture).save(out, **save)
    return out.getvalue()


def still(**changes: object) -> Part:
    """:func:`quarters` as one HEVC item."""
    part = coded(quarters())[0]
    for name, value in changes.items():
        setattr(part, name, value)
    return part


def with_property(*properties: bytes) -> bytes:
    """A file whose one picture has further properties."""
    part = still()
    part.properties += properties
    return boxfile(part)


def shown(box: Container) -> Image.Image:
    """The decoded picture as a viewer shows it."""
    picture = heif.opened(box.clean, box.frame)
    assert picture.size == (box.width, box.height)
    turn = TURNS[box.orientation]
    return picture if turn is None else picture.transpose(turn)


def exif_block(orientation: int = 1, maker: bytes = SECRET) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = maker.decode()
    exif[0x0112] = orientation
    exif[0x8825] = {1: "N", 2: (39.0, 3.0, 4.0)}
    return exif.tobytes()


def exif_item(block: bytes, *targets: int) -> Part:
    return Part(b"Exif", struct.pack(">I", 0) + block.removeprefix(b"Exif\0\0"), links=[(b"cdsc", list(targets))])


def outcome(data: bytes, frame: int = 0, max_pixels: int = LIMIT) -> Reason | None:
    """Why a picture is refused; None if it is not."""
    try:
        container = heif.parse(data, max_pixels, frame)
        heif.opened(container.clean, container.frame)
    except PhotoError as error:
        return Reason(error.reason)
    assert container.width * container.height <= max_pixels
    return None


def refused(data: bytes, reason: Reason, frame: int = 0, max_pixels: int = LIMIT) -> bool:
    return outcome(data, frame, max_pixels) == reason


# --- one picture


def test_the_pixels_are_those_that_the_decoder_gives_for_the_whole_file(astronaut):
    data = saved(Image.fromarray(astronaut))
    box = heif.parse(data, LIMIT)
    whole = pillow_heif.HeifFile(io.BytesIO(data)).to_pillow()
    assert (box.format, box.width, box.height, box.depth) == ("heif", 512, 512, 8)
    assert np.array_equal(np.asarray(shown(box)), np.asarray(whole))


def test_a_picture_in_tiles_is_one_picture(astronaut):
    data = saved(Image.fromarray(astronaut), tile_size=256)
    assert data.count(b"infe") > 4
    box = heif.parse(data, LIMIT)
    whole = pillow_heif.HeifFile(io.BytesIO(data)).to_pillow()
    assert heif.count(data) == 1
    assert np.array_equal(np.asarray(shown(box)), np.asarray(whole))


def test_grey_stays_grey(astronaut):
    assert shown(heif.parse(saved(Image.fromarray(astronaut).convert("L")), LIMIT)).mode == "L"


def test_transparency_comes_out_as_an_alpha_channel():
    picture = quarters()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    alpha = np.asarray(shown(heif.parse(saved(picture, quality=-1), LIMIT)).getchannel("A"), int)
    assert np.abs(alpha - np.asarray(picture.getchannel("A"), int)).max() <= 2


def test_ten_bits_become_eight():
    values = np.asarray(quarters()).astype(np.uint16) * 257
    out = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (128, 96), values.tobytes()).save(out)
    box = heif.parse(out.getvalue(), LIMIT)
    assert box.depth == 10
    assert (shown(box).mode, corners(shown(box))) == ("RGB", "rgby")


def test_bytes_in_the_meta_box_are_found():
    assert corners(shown(heif.parse(boxfile(still(inside_meta=True)), LIMIT))) == "rgby"


def test_a_file_named_by_the_general_brand_may_hold_av1():
    parts = coded(quarters(), "AVIF")
    assert heif.parse(boxfile(*parts, brand=b"mif1"), LIMIT).format == "avif"


# --- turning and cropping


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_exactly_once(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(quarters(), exif=exif.tobytes())  # written as irot and imir
    box = heif.parse(data, LIMIT)
    assert box.orientation == orientation
    turn = TURNS[orientation]
    upright = quarters() if turn is None else quarters().transpose(turn)
    assert corners(shown(box)) == corners(upright)
    assert ("orientation" in box.kinds) == (orientation != 1)


def test_an_exif_orientation_turns_nothing():
    box = heif.parse(boxfile(still(), exif_item(exif_block(orientation=6), 1)), LIMIT)
    assert (box.orientation, corners(shown(box))) == (1, "rgby")


def test_an_xmp_orientation_turns_nothing():
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    box = heif.parse(boxfile(still(), Part(b"mime", packet, content=b"application/rdf+xml")), LIMIT)
    assert box.orientation == 1


def test_turning_and_mirroring_count_in_the_files_order():
    turned, mirrored = box(b"irot", b"\1"), box(b"imir", b"\1")
    assert corners(shown(heif.parse(with_property(turned, mirrored), LIMIT))) == "ygbr"
    assert corners(shown(heif.parse(with_property(mirrored, turned), LIMIT))) == "rbgy"


def test_a_cropped_picture_shows_its_window_only():
    # the right half: 64 × 96 of 128 × 96, its centre 32 pixels to the right
    window = struct.pack(">IIIIiIiI", 64, 1, 96, 1, 32, 1, 0, 1)
    box_ = heif.parse(with_property(box(b"clap", window)), LIMIT)
    assert (box_.width, box_.height) == (64, 96)
    assert corners(shown(box_)) == "ggyy"


def test_a_crop_outside_the_picture_is_refused():
    outside = struct.pack(">IIIIiIiI", 10, 1, 10, 1, 500, 1, 0, 1)
    no_number = struct.pack(">IIIIiIiI", 10, 0, 10, 1, 0, 1, 0, 1)
    assert refused(with_property(box(b"clap", outside)), Reason.UNDECODABLE)
    assert refused(with_property(box(b"clap", no_number)), Reason.UNDECODABLE)


# --- several pictures


def two_pictures() -> bytes:
    file = pillow_heif.from_pillow(quarters())
    file.add_from_pillow(quarters().transpose(Image.Transpose.ROTATE_180))
    out = io.BytesIO()
    file.save(out, quality=90)
    return out.getvalue()


def test_every_picture_is_counted_and_comes_out():
    data = two_pictures()
    assert heif.count(data) == 2
    assert [corners(shown(heif.parse(data, LIMIT, frame))) for frame in range(2)] == ["rgby", "ybgr"]


def test_the_primary_picture_comes_first():
    other = coded(quarters().transpose(Image.Transpose.ROTATE_180))[0]
    data = boxfile(still(), other, primary=2)
    assert [corners(shown(heif.parse(data, LIMIT, frame))) for frame in range(2)] == ["ybgr", "rgby"]


def test_a_picture_that_the_file_does_not_hold_is_refused():
    assert refused(two_pictures(), Reason.UNDECODABLE, frame=2)
    assert refused(two_pictures(), Reason.UNDECODABLE, frame=-1)


def test_a_decoder_sees_no_other_picture():
    data = two_pictures()
    assert len(heif.parse(data, LIMIT, 1).clean) < len(data)
    assert heif.count(heif.parse(data, LIMIT, 1).clean) == 1


def test_what_describes_one_picture_says_nothing_about_another():
    block = Image.Exif()
    block[0x0132] = "2001:01:01 00:00:00"
    data = boxfile(still(), still(), exif_item(block.tobytes(), 2))
    assert heif.parse(data, LIMIT, 1).kept == {"capture_year": 2001}
    assert heif.parse(data, LIMIT, 0).kept == {}
    assert "exif" in heif.parse(data, LIMIT, 0).kinds


def auxiliary(urn: bytes) -> Part:
    part = still(links=[(b"auxl", [1])])
    part.properties.append(full(b"auxC", urn + b"\0"))
    return part


@pytest.mark.parametrize(
    ("further", "kind"),
    [
        (lambda: still(links=[(b"thmb", [1])]), "thumbnail"),
        (lambda: auxiliary(DEPTH), "depth_map"),
        (lambda: auxiliary(GAIN_MAP), "gain_map"),
        (lambda: auxiliary(MATTE), "mask"),
        (lambda: still(hidden=True), "hidden_picture"),
    ],
    ids=["thumbnail", "depth", "gain map", "matte", "hidden"],
)
def test_a_picture_that_does_not_stand_for_itself_is_dropped_and_named(further, kind):
    data = boxfile(still(), further())
    box = heif.parse(data, LIMIT)
    assert heif.count(data) == 1
    assert kind in box.kinds
    assert heif.count(box.clean) == 1
    assert box.clean.count(b"infe") == 1


def test_an_alpha_plane_is_no_picture():
    data = boxfile(still(), auxiliary(ALPHA))
    assert heif.count(data) == 1
    assert shown(heif.parse(data, LIMIT)).mode == "RGBA"


@pytest.mark.parametrize("primary", [1, 3], ids=["the base is primary", "the sum is primary"])
def test_a_gain_map_that_makes_a_brighter_picture_is_dropped(primary):
    brighter = Part(b"tmap", b"\0", [size_of(128, 96)], [(b"dimg", [1, 2])])
    data = boxfile(still(), still(), brighter, primary=primary)
    box = heif.parse(data, LIMIT)
    assert heif.count(data) == 1
    assert "gain_map" in box.kinds
    assert corners(shown(box)) == "rgby"


# --- sequences


def sequence(
    *pictures: Image.Image,
    alone: bytes = b"",
    handler: bytes = b"pict",
    matrix: tuple[int, ...] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
) -> bytes:
    """A burst: HEVC pictures as the samples of a track."""
    items = [coded(picture)[0] for picture in pictures]
    config = next(one for one in items[0].properties if one[4:8] == b"hvcC")
    head = bytes(24) + struct.pack(">HH", *pictures[0].size) + bytes(50)
    data = box(b"ftyp", b"hevc", bytes(4), b"hevc") + box(b"mdat", *(item.payload for item in items))
    number = struct.pack(">I", len(items))
    table = box(
        b"stbl",
        full(b"stsd", struct.pack(">I", 1), box(b"hvc1", head, config)),
        full(b"stsz", bytes(4), number, *(struct.pack(">I", len(item.payload)) for item in items)),
        full(b"stsc", struct.pack(">IIII", 1, 1, len(items), 1)),
        full(b"stco", struct.pack(">II", 1, data.index(b"mdat") + 4)),
        alone,
    )
    media = box(b"mdia", full(b"hdlr", bytes(4), handler, bytes(13)), box(b"minf", table))
    header = full(b"tkhd", bytes(36), *(struct.pack(">i", value << 16) for value in matrix))
    return data + box(b"moov", box(b"trak", header, media))


BURST = (quarters(), quarters().transpose(Image.Transpose.ROTATE_180))


def test_every_picture_of_a_burst_is_counted_and_comes_out():
    data = sequence(*BURST)
    assert heif.count(data) == 2
    assert [corners(shown(heif.parse(data, LIMIT, number))) for number in range(2)] == ["rgby", "ybgr"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_burst_is_turned_as_its_track_says(orientation):
    # where one step to the right and one step down lead, when the picture is shown
    steps = {1: (1, 0, 0, 1), 2: (-1, 0, 0, 1), 3: (-1, 0, 0, -1), 4: (1, 0, 0, -1)}
    steps |= {5: (0, 1, 1, 0), 6: (0, 1, -1, 0), 7: (0, -1, -1, 0), 8: (0, -1, 1, 0)}
    a, b, c, d = steps[orientation]
    box_ = heif.parse(sequence(quarters(), matrix=(a, b, 0, c, d, 0, 0, 0, 1)), LIMIT)
    turn = TURNS[orientation]
    assert box_.orientation == orientation
    assert corners(shown(box_)) == corners(quarters() if turn is None else quarters().transpose(turn))


def test_a_picture_that_builds_on_another_is_refused_with_a_reason():
    data = sequence(*BURST, alone=full(b"stss", struct.pack(">II", 1, 1)))
    assert outcome(data, 0) is None
    assert refused(data, Reason.UNSUPPORTED_FORMAT, frame=1)


def test_a_sequence_that_is_larger_inside_than_it_says_is_refused():
    data = sequence(Image.new("L", (1600, 1200)))
    lying = data.replace(bytes(24) + struct.pack(">HH", 1600, 1200), bytes(24) + struct.pack(">HH", 64, 64))
    assert refused(lying, Reason.TOO_MANY_PIXELS, max_pixels=64 * 64)


def test_what_is_said_about_a_burst_is_named_and_dropped():
    data = sequence(*BURST)
    start = data.index(b"moov") - 4
    said = data[:start] + box(b"moov", data[start + 8 :], box(b"udta", SECRET))
    assert heif.parse(said, LIMIT).kinds - heif.parse(data, LIMIT).kinds == {"other_box"}
    assert SECRET not in heif.parse(said, LIMIT).clean


def test_a_file_with_a_film_only_is_refused():
    data = sequence(*BURST, handler=b"vide")
    assert heif.count(data) == 1
    assert refused(data, Reason.UNDECODABLE)


# --- what comes with a picture


def test_what_an_encoder_embeds_is_named_and_does_not_reach_the_decoder():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(quarters(), exif=exif_block(), xmp=b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>", icc_profile=profile)
    box = heif.parse(data, LIMIT)
    assert {"exif", "gps", "xmp", "icc"} <= box.kinds
    assert box.icc == profile
    assert SECRET in data
    assert SECRET not in box.clean
    assert b"acsp" not in box.clean


UUID_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
UUID_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@pytest.mark.parametrize(
    ("residue", "kind"),
    [
        (box(b"uuid", UUID_XMP, SECRET), "xmp"),
        (box(b"uuid", UUID_C2PA, SECRET), "c2pa"),
        (box(b"uuid", bytes(16), SECRET), "other_box"),
        (box(b"jumb", SECRET), "c2pa"),
        (box(b"mpvd", SECRET), "motion_video"),
        (box(b"free", SECRET), "hidden_data"),
        (box(b"mdat", SECRET), "hidden_data"),
        (box(b"meta", SECRET), "other_box"),
        (box(b"sefd", SECRET), "other_box"),
        (SECRET, "trailing_data"),
    ],
    ids=["xmp", "c2pa", "uuid", "jumb", "mpvd", "free", "mdat", "second meta", "sefd", "trailing"],
)
def test_residue_behind_the_picture_is_named_and_does_not_reach_the_decoder(residue, kind):
    clean_file = heif.parse(boxfile(still()), LIMIT)
    box = heif.parse(boxfile(still(), after=residue), LIMIT)
    assert box.kinds == clean_file.kinds | {kind}
    assert SECRET not in box.clean


def test_empty_padding_is_nothing_to_name():
    assert heif.parse(boxfile(still(), after=box(b"free", bytes(8))), LIMIT).kinds == frozenset()


def test_a_video_beside_the_picture_is_named_and_no_picture():
    video = box(b"moov", box(b"trak", box(b"mdia", full(b"hdlr", bytes(4), b"vide", bytes(13)))))
    data = boxfile(still(), after=video)
    assert heif.count(data) == 1
    assert "motion_video" in heif.parse(data, LIMIT).kinds


@pytest.mark.parametrize(
    ("kind", "name"), [(b"crtt", "timestamps"), (b"udes", "text"), (b"clli", "colour_tags"), (b"abcd", "other_box")]
)
def test_a_property_that_is_not_about_decoding_is_named_and_dropped(kind, name):
    box_ = heif.parse(with_property(box(kind, SECRET)), LIMIT)
    assert name in box_.kinds
    assert SECRET not in box_.clean


def test_an_essential_property_that_is_not_known_stops_the_picture():
    part = still()
    part.properties.append(box(b"abcd", b""))
    assert refused(boxfile(part, essential=1), Reason.UNDECODABLE)


# --- colours


def nclx_box(primaries: int, transfer: int) -> bytes:
    return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, 6, 0x80))


def in_colours(primaries: int, transfer: int) -> bytes:
    part = still()
    part.properties = [one for one in part.properties if one[4:8] != b"colr"] + [nclx_box(primaries, transfer)]
    return boxfile(part)


def test_colour_numbers_of_srgb_need_no_profile():
    assert heif.parse(in_colours(1, 13), LIMIT).icc == b""


def test_colour_numbers_of_display_p3_become_a_profile():
    assert heif.parse(in_colours(12, 13), LIMIT).icc == nclx.profile(12, 13) != b""


def test_a_profile_counts_before_colour_numbers():
    part = still()
    part.properties += [nclx_box(12, 13), box(b"colr", b"prof", b"a profile")]
    assert heif.parse(boxfile(part), LIMIT).icc == b"a profile"


# --- limits and hostile bytes


def test_a_picture_beyond_the_limit_is_refused_from_its_header():
    assert refused(boxfile(still()), Reason.TOO_MANY_PIXELS, max_pixels=128 * 96 - 1)
    assert heif.parse(boxfile(still()), 128 * 96).width == 128


def with_size(width: int, height: int, picture: Image.Image) -> Part:
    part = coded(picture)[0]
    part.properties = [size_of(width, height) if one[4:8] == b"ispe" else one for one in part.properties]
    return part


def test_a_picture_that_is_larger_inside_than_it_says_is_refused():
    large = with_size(64, 64, Image.new("L", (1600, 1200)))
    assert refused(boxfile(large), Reason.TOO_MANY_PIXELS, max_pixels=64 * 64)


def test_a_picture_that_is_smaller_inside_than_it_says_is_refused():
    picture = with_size(640, 480, quarters())
    assert refused(boxfile(picture), Reason.UNDECODABLE)


def grid(columns: int, rows: int, width: int, height: int, *tiles: int) -> Part:
    payload = bytes([0, 0, rows - 1, columns - 1]) + struct.pack(">HH", width, height)
    return Part(b"grid", payload, [size_of(width, height)], [(b"dimg", list(tiles))])


def test_a_grid_shows_its_tiles():
    tile = coded(quarters(64, 64))[0]
    tile.hidden = True
    box = heif.parse(boxfile(grid(2, 1, 128, 64, 2, 2), tile), LIMIT)
    assert shown(box).size == (128, 64)
    assert corners(shown(box).crop((64, 0, 128, 64))) == "rgby"


def test_a_grid_that_is_larger_inside_than_it_says_is_refused():
    lying = grid(2, 1, 60_000, 60_000, 2, 2)
    lying.properties = [size_of(128, 64)]
    assert refused(boxfile(lying, coded(quarters(64, 64))[0]), Reason.TOO_MANY_PIXELS)


def test_many_large_tiles_behind_a_small_picture_are_refused():
    tile = coded(Image.new("L", (1024, 1024)))[0]
    tiles = [Part(tile.kind, tile.payload, tile.properties, hidden=True) for _ in range(5)]
    data = boxfile(grid(5, 1, 64, 64, 2, 3, 4, 5, 6), *tiles)
    assert refused(data, Reason.TOO_MANY_PIXELS, max_pixels=64 * 64)


def test_a_picture_composed_of_itself_ends():
    data = boxfile(grid(1, 1, 64, 64, 1))
    assert heif.count(data) == 1
    assert refused(data, Reason.UNSUPPORTED_FORMAT)


def test_another_coding_is_refused_with_a_reason():
    assert refused(boxfile(still(kind=b"avc1")), Reason.UNSUPPORTED_FORMAT)


def test_a_file_whose_primary_item_is_no_picture_is_refused():
    data = boxfile(exif_item(exif_block()), still())
    assert heif.count(data) == 1
    assert refused(data, Reason.UNDECODABLE)


@pytest.mark.parametrize("keep", [0, 3, 30, 200, 400])
def test_a_file_cut_short_is_refused(keep):
    data = boxfile(still())[:keep]
    assert heif.count(data) == 1
    assert refused(data, Reason.UNDECODABLE)


def test_a_picture_with_a_hole_is_refused():
    holed = still()
    holed.payload = holed.payload[:8] + bytes(len(holed.payload) - 8)
    assert refused(boxfile(holed), Reason.UNDECODABLE)


def test_a_decoder_that_fails_ends_as_undecodable():
    unreadable = still()
    unreadable.payload = struct.pack(">I", 40) + b"\x28\1" + bytes(range(38))
    assert refused(boxfile(unreadable), Reason.UNDECODABLE)


def test_any_changed_byte_ends_as_a_picture_or_a_reason():
    data = boxfile(still(), still(links=[(b"thmb", [1])]), exif_item(exif_block(), 1), after=box(b"free", b"x"))
    seen = set()
    random = np.random.default_rng(1)
    for _ in range(400):
        changed = bytearray(data)
        for at in random.integers(0, min(len(data), 900), 2):
            changed[at] = random.integers(0, 256)
        assert heif.count(bytes(changed)) >= 1
        seen.add(outcome(bytes(changed)))
    assert {None, Reason.UNDECODABLE} <= seen


# Files made to waste time -----------------------------------------------------------------------------------


def track_of(samples: int) -> bytes:
    """A track of so many one-byte pictures, in a few hundred bytes."""
    places = box(b"stsc", bytes(4), uint(1), uint(1), uint(samples), uint(1)) + box(b"stco", bytes(4), uint(1), uint(0))
    sizes = box(b"stsz", bytes(4), uint(1), uint(samples))
    table = box(b"stbl", box(b"stsd", bytes(4), uint(1), box(b"av01", bytes(78))), sizes, places)
    media = box(b"mdia", box(b"hdlr", bytes(8), b"pict", bytes(12)), box(b"minf", table))
    return box(b"trak", box(b"tkhd", bytes(84)), media)


def uint(value: int) -> bytes:
    return value.to_bytes(4)


@pytest.mark.parametrize(("tracks", "samples", "counted"), [(2, 400, 800), (16, 100_000, 1)])
def test_all_tracks_of_a_file_share_one_limit(tracks: int, samples: int, counted: int) -> None:
    film = box(b"moov", *[track_of(samples)] * tracks)
    data = box(b"ftyp", b"avis", bytes(4), b"avis") + film + box(b"mdat", bytes(150_000))
    started = time.process_time()
    assert heif.count(data) == counted
    assert time.process_time() - started < 1
