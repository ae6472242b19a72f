"""What a JPEG file holds: its picture, further pictures, and what is dropped, each under its name."""

from __future__ import annotations

import dataclasses
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jpegs import MAX_PIXELS, SECRET, before, box_of, drawn, multi, saved, segment, shown, with_segment
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.lossless.carry import carried
from photo_anonymizer.metadata.readers import jpeg
from photo_anonymizer.model.record import Reason

PLAIN = saved(drawn())
LEFT, RIGHT = saved(drawn(96, 64)[:, ::-1]), saved(drawn(48, 32))
XMP = b"http://ns.adobe.com/xap/1.0/\0"
XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
STEREO, PANORAMA, ANGLE, UNDEFINED, LARGE_THUMBNAIL = 0x020002, 0x020001, 0x020003, 0, 0x010002


def refused(data: bytes, frame: int = 0) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        jpeg.parse(data, MAX_PIXELS, frame)
    assert "Jane" not in str(caught.value)
    return caught.value


# Kinds ------------------------------------------------------------------------------------------------------


def extended(part: bytes, offset: int) -> bytes:
    return XMP_MORE + b"0" * 32 + struct.pack(">II", 1000, offset) + part


KINDS = {
    "exif": with_segment(PLAIN, 0xE1, b"Exif\0\0II*\0" + SECRET),
    "xmp": with_segment(PLAIN, 0xE1, XMP + b"<x:xmpmeta/>"),
    "xmp_extended": with_segment(PLAIN, 0xE1, extended(SECRET, 0)),
    "gain_map": with_segment(PLAIN, 0xE1, XMP + b'<rdf hdrgm:Version="1.0"/>'),
    "depth_map": with_segment(PLAIN, 0xE1, XMP + b'<rdf GDepth:Format="RangeInverse"/>'),
    "motion_video": with_segment(PLAIN, 0xE1, XMP + b'<rdf GCamera:MotionPhoto="1"/>'),
    "face_regions": with_segment(PLAIN, 0xE1, XMP + b"<mwg-rs:Regions/>"),
    "icc": with_segment(PLAIN, 0xE2, b"ICC_PROFILE\0\1\1" + SECRET),
    "c2pa": with_segment(PLAIN, 0xEB, b"JP\0\1\0\0\0\1\0\0\0\x20jumb\0\0\0\x18jumdc2pa" + SECRET),
    "app11": with_segment(PLAIN, 0xEB, SECRET),
    "iptc": with_segment(PLAIN, 0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0"),
    "photoshop": with_segment(PLAIN, 0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\0"),
    "thumbnail": with_segment(PLAIN, 0xED, b"Photoshop 3.0\x008BIM\x04\x0c\0\0\0\0\0\0"),
    "comment": with_segment(PLAIN, 0xFE, SECRET),
    "app7": with_segment(PLAIN, 0xE7, SECRET),
    "app1": with_segment(PLAIN, 0xE1, SECRET),
    "app2": with_segment(PLAIN, 0xE2, SECRET),
    "stray_bytes": PLAIN[:20] + SECRET + PLAIN[20:],
    "trailing_data": PLAIN + SECRET,
    "mpf": multi(PLAIN, (STEREO, LEFT)),
}
BEHIND = {
    "mp4": ("motion_video", PLAIN + b"\0\0\0\x18ftypmp42" + SECRET),
    "samsung video": ("motion_video", PLAIN + SECRET + b"MotionPhoto_Data" + SECRET),
    "samsung depth": ("depth_map", PLAIN + SECRET + b"DualShot_DepthMap_1"),
    "iso gain map": ("gain_map", with_segment(PLAIN, 0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))),
    "microvideo": ("motion_video", with_segment(PLAIN, 0xE1, XMP + b"<GCamera:MicroVideo>1</GCamera:MicroVideo>")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_dropped_is_named(kind: str) -> None:
    assert kind not in box_of(PLAIN).kinds
    box = box_of(KINDS[kind])
    assert kind in box.kinds
    assert SECRET not in box.clean
    assert carried(dataclasses.replace(box, icc=b"")) == carried(box_of(PLAIN))


@pytest.mark.parametrize("name", BEHIND)
def test_by_products_of_phones_are_named(name: str) -> None:
    kind, data = BEHIND[name]
    assert kind in box_of(data).kinds
    assert jpeg.count(data) == 1


def test_extended_packet_is_read_in_the_order_of_its_parts() -> None:
    data = with_segment(PLAIN, 0xE1, extended(b"-rs:Regions>", 10))
    data = with_segment(data, 0xE1, extended(b"<mwg", 0))
    # The later insertion stands first in the file; offsets decide, so both orders read the same.
    assert "face_regions" in box_of(data).kinds
    swapped = with_segment(with_segment(PLAIN, 0xE1, extended(b"<mwg", 0)), 0xE1, extended(b"-rs:Regions>", 10))
    assert "face_regions" in box_of(swapped).kinds


# Further pictures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [STEREO, PANORAMA, ANGLE, UNDEFINED])
def test_declared_pictures_are_pictures_of_their_own(kind: int) -> None:
    data = multi(PLAIN, (kind, LEFT), (kind, RIGHT))
    assert jpeg.count(data) == 3
    for frame, expected in enumerate((PLAIN, LEFT, RIGHT)):
        assert np.array_equal(shown(box_of(data, frame).clean), shown(expected))


def test_further_picture_has_its_own_metadata() -> None:
    data = multi(with_segment(PLAIN, 0xFE, SECRET), (STEREO, with_segment(LEFT, 0xE7, SECRET)))
    assert {"comment", "mpf"} <= box_of(data, 0).kinds
    assert box_of(data, 1).kinds == {"app7"}


@pytest.mark.parametrize("frame", [-1, 2, 99])
def test_other_frames_do_not_exist(frame: int) -> None:
    assert refused(multi(PLAIN, (STEREO, LEFT)), frame).reason == Reason.UNDECODABLE
    assert refused(PLAIN, 1).reason == Reason.UNDECODABLE


def test_large_thumbnails_are_dropped() -> None:
    data = multi(PLAIN, (LARGE_THUMBNAIL, RIGHT))
    assert jpeg.count(data) == 1
    assert {"thumbnail", "mpf"} <= box_of(data).kinds
    assert "trailing_data" not in box_of(data).kinds


MAPS = {
    "gain_map": (XMP + b'<rdf hdrgm:Version="1.0" hdrgm:GainMapMax="2.3"/>', 0xE1),
    "gain_map (Apple)": (XMP + b"<apdi>urn:com:apple:photo:2020:aux:hdrgainmap</apdi>", 0xE1),
    "gain_map (ISO)": (b"urn:iso:std:iso:ts:21496:-1\0" + bytes(40), 0xE2),
    "depth_map": (XMP + b"<apdi>kCGImageAuxiliaryDataTypeDisparity</apdi>", 0xE1),
    "mask": (XMP + b"<apdi>kCGImageAuxiliaryDataTypePortraitEffectsMatte</apdi>", 0xE1),
}


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_dropped(name: str) -> None:
    payload, marker = MAPS[name]
    data = multi(PLAIN, (UNDEFINED, with_segment(RIGHT, marker, payload)))
    assert jpeg.count(data) == 1
    assert name.split()[0] in box_of(data).kinds
    assert refused(data, 1).reason == Reason.UNDECODABLE


@pytest.mark.parametrize(
    ("kind", "payload", "marker"),
    [
        (UNDEFINED, XMP + b'<rdf hdrgm:Version="1.0"/>', 0xE1),
        (UNDEFINED, XMP + b'<rdf GDepth:Format="RangeInverse"/>', 0xE1),
        (UNDEFINED, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4), 0xE2),
        (STEREO, *MAPS["gain_map"]),
    ],
)
def test_photo_that_a_map_belongs_to_is_no_map(kind: int, payload: bytes, marker: int) -> None:
    data = multi(PLAIN, (kind, with_segment(LEFT, marker, payload)))
    assert jpeg.count(data) == 2
    assert np.array_equal(shown(box_of(data, 1).clean), shown(LEFT))


def test_map_among_pictures_takes_no_number() -> None:
    gain = with_segment(RIGHT, 0xE1, MAPS["gain_map"][0])
    data = multi(PLAIN, (UNDEFINED, gain), (STEREO, LEFT))
    assert jpeg.count(data) == 2
    assert np.array_equal(shown(box_of(data, 1).clean), shown(LEFT))


@pytest.mark.parametrize("shift", [-1, 1, 10**6, -(10**3)])
def test_declared_picture_that_is_not_there_holds_the_file(shift: int) -> None:
    data = multi(PLAIN, (STEREO, LEFT), shift=shift)
    assert jpeg.count(data) == 1
    assert refused(data).reason == Reason.SEVERAL_PICTURES


def test_unreadable_block_holds_the_file() -> None:
    data = with_segment(PLAIN, 0xE2, b"MPF\0" + SECRET)
    assert jpeg.count(data) == 1
    assert refused(data).reason == Reason.SEVERAL_PICTURES


def test_more_pictures_counted_than_listed_hold_the_file() -> None:
    data = multi(PLAIN, (STEREO, LEFT))
    more = data.replace(struct.pack("<HHII", 0xB001, 4, 1, 2), struct.pack("<HHII", 0xB001, 4, 1, 3))
    assert more != data
    assert refused(more).reason == Reason.SEVERAL_PICTURES


def test_broken_further_picture_is_refused_by_itself() -> None:
    data = multi(PLAIN, (STEREO, LEFT[: len(LEFT) // 2]))
    assert jpeg.count(data) == 2
    assert box_of(data).width == 96
    assert refused(data, 1).reason == Reason.UNDECODABLE


def test_undeclared_small_picture_is_trailing_data() -> None:
    assert box_of(PLAIN + RIGHT).kinds == {"trailing_data"}


def test_undeclared_picture_as_large_as_the_first_holds_the_file() -> None:
    assert refused(PLAIN + LEFT).reason == Reason.SEVERAL_PICTURES
    assert refused(RIGHT + bytes(100) + PLAIN).reason == Reason.SEVERAL_PICTURES


def test_undeclared_map_as_large_as_the_picture_is_dropped() -> None:
    gain = with_segment(LEFT, 0xE1, MAPS["gain_map"][0])
    assert {"gain_map", "trailing_data"} <= box_of(PLAIN + gain).kinds


# Other processes --------------------------------------------------------------------------------------------


def with_frame(marker: int, precision: int = 8, height: int = 64) -> bytes:
    at = PLAIN.index(b"\xff\xc0")
    return PLAIN[:at] + bytes([0xFF, marker, 0, 17, precision]) + struct.pack(">H", height) + PLAIN[at + 7 :]


UNSUPPORTED = {
    "lossless": with_frame(0xC3),
    "hierarchical": with_frame(0xC5),
    "arithmetic": with_frame(0xC9),
    "12 bits": with_frame(0xC1, precision=12),
    "only after its pixels": with_frame(0xC0, height=0),
    "arithmetic-coded": before(PLAIN, b"\xff\xda", segment(0xCC, b"\0\1")),
}


@pytest.mark.parametrize("word", UNSUPPORTED)
def test_other_processes_are_refused_by_name(word: str) -> None:
    error = refused(UNSUPPORTED[word])
    assert error.reason == Reason.UNSUPPORTED_FORMAT
    assert word in error.detail


def test_height_behind_the_scan_is_refused() -> None:
    late = PLAIN[:-2] + segment(0xDC, b"\0\x40") + PLAIN[-2:]
    assert refused(late).reason == Reason.UNSUPPORTED_FORMAT


def test_too_many_pixels_are_refused_from_the_header() -> None:
    with pytest.raises(PhotoError) as caught:
        jpeg.parse(PLAIN, 96 * 64 - 1)
    assert caught.value.reason == Reason.TOO_MANY_PIXELS
    assert jpeg.parse(PLAIN, 96 * 64).width == 96


# Hostile bytes ----------------------------------------------------------------------------------------------

_SEEDS = [multi(PLAIN, (STEREO, LEFT), (UNDEFINED, RIGHT)), KINDS["c2pa"], KINDS["xmp_extended"], PLAIN + LEFT]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.sampled_from(_SEEDS),
    edits=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=8),
    cut=st.none() | st.integers(0, 4000),
)
def test_count_never_raises_and_frames_can_be_read_or_are_refused(
    seed: bytes, edits: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(seed)
    for at, value in edits:
        data[min(at, len(data) - 1)] = value
    for frame in range(jpeg.count(bytes(data[:cut]))):
        try:
            assert jpeg.parse(bytes(data[:cut]), MAX_PIXELS, frame).clean.startswith(b"\xff\xd8")
        except PhotoError:
            continue


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8\xff", b"\xff\xd8\xff" + bytes(50), b"\xff\xd8" + b"\xff" * 99]
)
def test_no_picture_counts_as_one(data: bytes) -> None:
    assert jpeg.count(data) == 1


def test_thousands_of_declared_pictures_cost_nothing() -> None:
    data = multi(PLAIN, *[(STEREO, b"")] * 4000) + RIGHT * 2000
    started = time.process_time()
    assert jpeg.count(data) == 1
    assert refused(data).reason == Reason.SEVERAL_PICTURES
    assert time.process_time() - started < 1


def test_many_scans_cost_no_more_than_their_bytes() -> None:
    start = PLAIN.index(b"\xff\xda")
    data = PLAIN[:-2] + PLAIN[start : start + 20] * 40_000 + PLAIN[-2:]
    started = time.process_time()
    jpeg.parse(data, MAX_PIXELS)
    assert time.process_time() - started < 2


# Files made to waste time -----------------------------------------------------------------------------------


EMPTY = b"\xff\xfe\x00\x02"


def block(entries: bytes, count: int, more: bytes = b"") -> bytes:
    """A multi-picture block with a directory of these entries."""
    return segment(0xE2, b"MPF\0II*\0" + struct.pack("<IH", 8, count) + entries + bytes(4) + more)


def naming_one_place(count: int, place: bytes) -> bytes:
    """Entries that all name the same place behind the picture."""
    rows = b"".join(struct.pack("<IIIHH", 0, 100, 0x11111111 if at else 0, 0, 0) for at in range(count + 1))
    entries = struct.pack("<HHII", 0xB001, 4, 1, count + 1) + struct.pack("<HHII", 0xB002, 7, len(rows), 38)
    data = PLAIN[:20] + block(entries, 2, rows) + PLAIN[20:]
    return data.replace(struct.pack("<I", 0x11111111), struct.pack("<I", len(data) - 28)) + place


CLAIMED = block(struct.pack("<HHII", 0xB001, 4, 1, 65_000) + struct.pack("<HHII", 0xB002, 7, 0, 0), 2)
BUSY = {
    "many pictures at one place": naming_one_place(32, b"\xff\xd8" + EMPTY * 65_000),
    "as many as are read": naming_one_place(256, b"\xff\xd8" + EMPTY * 65_000),
    "empty comments": multi(PLAIN)[:-2] + EMPTY * 1_000_000 + b"\xff\xd9",
    "empty comments behind": multi(PLAIN)[:20] + EMPTY * 1_000_000 + multi(PLAIN)[20:],
    "fill bytes": multi(PLAIN)[:-2] + b"\xff" * 10_000_000,
    "restart markers outside a scan": multi(PLAIN)[:20] + b"\xff\xd0" * 5_000_000 + multi(PLAIN)[20:],
    "blocks that claim thousands of pictures": PLAIN[:20] + CLAIMED * 20_000 + PLAIN[20:],
    "blocks full of entries": PLAIN[:20] + block(struct.pack("<HHII", 0xB001, 4, 1, 9) * 4096, 4096) * 300 + PLAIN[20:],
    "starts of hidden pictures": multi(PLAIN) + (b"\xff\xd8" + EMPTY * 30) * 64 + EMPTY * 65_000,
}


@pytest.mark.parametrize("name", BUSY)
def test_counting_wastes_no_time(name: str) -> None:
    started = time.process_time()
    assert jpeg.count(BUSY[name]) == 1
    assert time.process_time() - started < 1


@pytest.mark.parametrize("name", ["many pictures at one place", "empty comments", "empty comments behind"])
def test_a_file_of_too_many_segments_is_refused(name: str) -> None:
    assert refused(BUSY[name]).reason == Reason.UNDECODABLE


def test_as_many_segments_as_any_camera_writes_are_read() -> None:
    many = multi(PLAIN[:20] + EMPTY * 10_000 + PLAIN[20:], (STEREO, LEFT))
    assert jpeg.count(many) == 2
    assert jpeg.parse(many, MAX_PIXELS, 1).width == 96


def test_the_same_place_is_read_once_however_often_it_is_named() -> None:
    """Reading it 33 times would take more segments than a file may have."""
    data = naming_one_place(33, b"\xff\xd8" + EMPTY * 10_000 + LEFT[2:])
    assert jpeg.count(data) == 34
