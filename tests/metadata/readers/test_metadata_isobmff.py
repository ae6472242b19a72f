"""Boxes are read as the standard asks, and hostile ones end the reading."""

from __future__ import annotations

import pytest

from boxfile import box
from photo_anonymizer.metadata.readers.isobmff import (
    MAX_BOXES,
    Box,
    BrokenBoxError,
    Fields,
    boxes,
    child,
    leading,
    needed,
)


def read(data: bytes) -> tuple[Box, ...]:
    return boxes(data, 0, len(data))


def test_boxes_are_found_one_behind_the_other():
    data = box(b"free", b"ab") + box(b"mdat", b"c")
    assert [(one.kind, one.content(data)) for one in read(data)] == [(b"free", b"ab"), (b"mdat", b"c")]


def test_a_size_of_64_bit_is_read():
    data = (1).to_bytes(4) + b"mdat" + (20).to_bytes(8) + b"wide" + box(b"free")
    assert [one.content(data) for one in read(data)] == [b"wide", b""]


def test_a_size_of_0_reaches_to_the_end():
    data = box(b"free") + bytes(4) + b"mdat" + b"the rest"
    assert read(data)[1].content(data) == b"the rest"


@pytest.mark.parametrize(
    "broken",
    [
        (7).to_bytes(4) + b"free",
        (9).to_bytes(4) + b"free",
        (1).to_bytes(4) + b"free" + (15).to_bytes(8),
        (1).to_bytes(4) + b"free" + (2**63).to_bytes(8),
        (8).to_bytes(4) + b"\0\1\2\3",
        b"\0\0",
    ],
    ids=["too small", "beyond the end", "small 64 bit", "huge 64 bit", "no name", "half a header"],
)
def test_bytes_that_are_no_box_are_refused(broken):
    with pytest.raises(BrokenBoxError):
        read(box(b"free") + broken)


def test_what_follows_the_last_box_is_told_apart():
    data = box(b"free") + b"\xff\xd8\xff trailing"
    assert leading(data, 0, len(data))[1] == 8


def test_more_boxes_than_the_limit_are_refused():
    assert len(read(box(b"free") * MAX_BOXES)) == MAX_BOXES
    with pytest.raises(BrokenBoxError):
        read(box(b"free") * (MAX_BOXES + 1))


def test_a_box_inside_ends_where_its_parent_ends():
    outer = box(b"meta", (100).to_bytes(4) + b"free")
    data = outer + bytes(200)
    with pytest.raises(BrokenBoxError):
        boxes(data, 8, len(outer))


def test_a_missing_box_is_told():
    inside = read(box(b"free"))
    assert child(inside, b"mdat") is None
    with pytest.raises(BrokenBoxError):
        needed(inside, b"mdat")


def test_numbers_are_big_endian_and_end_with_their_box():
    data = box(b"abcd", b"\1\2\xff\xfe") + b"beyond"
    fields = Fields(data, Box(b"abcd", 0, 8, 12))
    assert (fields.uint(2), fields.sint(2), fields.left) == (0x0102, -2, 0)
    with pytest.raises(BrokenBoxError):
        fields.uint(1)


def test_text_ends_at_its_zero_byte_or_with_its_box():
    data = box(b"abcd", b"one\0two") + b"beyond"
    fields = Fields(data, Box(b"abcd", 0, 8, 15))
    assert (fields.text(), fields.text(), fields.text()) == (b"one", b"two", b"")
