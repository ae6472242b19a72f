"""What a JPEG written from pixels takes over from the input's encoding."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from jpegs import box_of, drawn, saved, segment
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.lossless.settings import jpeg_encoding
from photo_anonymizer.metadata.lossless.steps import LUMA
from photo_anonymizer.model.encoding import Encoding
from photo_anonymizer.model.record import Reason

UNEVEN = [[int(step) for step in table.ravel()] for table in (LUMA, LUMA.T)]


def settings_of(data: bytes, **options: object) -> Encoding:
    return jpeg_encoding(box_of(data).clean, **options)


def test_tables_are_row_by_row() -> None:
    data = saved(drawn(), qtables=UNEVEN)
    assert settings_of(data).tables == (tuple(UNEVEN[0]), tuple(UNEVEN[1]))
    stored = data[data.index(b"\xff\xdb") + 5 :][:64]
    assert list(stored[:6]) == [16, 11, 12, 14, 12, 10]  # zigzag


def test_tables_of_a_turned_picture_are_turned() -> None:
    luma, chroma = settings_of(saved(drawn(), qtables=UNEVEN), turned=True).tables
    assert np.array_equal(np.reshape(luma, (8, 8)), np.reshape(UNEVEN[0], (8, 8)).T)
    assert np.array_equal(np.reshape(chroma, (8, 8)), np.reshape(UNEVEN[1], (8, 8)).T)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_subsampling_stays(subsampling: int) -> None:
    assert settings_of(saved(drawn(), subsampling=subsampling)).subsampling == subsampling


def test_subsampling_that_a_turn_makes_unwritable_becomes_full() -> None:
    assert settings_of(saved(drawn(), subsampling=1), turned=True).subsampling == 0
    assert settings_of(saved(drawn(), subsampling=2), turned=True).subsampling == 2


@pytest.mark.parametrize("progressive", [False, True])
def test_order_stays(progressive: bool) -> None:
    assert settings_of(saved(drawn(), progressive=progressive)).progressive is progressive


def test_grey_stays_grey_with_one_table() -> None:
    encoding = settings_of(saved(drawn()[..., 0]))
    assert encoding.grey
    assert len(encoding.tables) == 1
    assert not settings_of(saved(drawn())).grey


def test_profile_is_noted() -> None:
    assert settings_of(saved(drawn()), profile="Adobe RGB (1998)").profile == "Adobe RGB (1998)"
    assert settings_of(saved(drawn())).profile == ""


def with_first_table(data: bytes, payload: bytes) -> bytes:
    at = data.index(b"\xff\xdb")
    (size,) = struct.unpack_from(">H", data, at + 2)
    return data[:at] + segment(0xDB, payload) + data[at + 2 + size :]


def test_wide_steps_end_at_the_coarsest_of_baseline() -> None:
    data = with_first_table(saved(drawn()), b"\x10" + struct.pack(">64H", 200, *[260] * 63))
    assert settings_of(data).tables[0][0] == 200
    assert max(settings_of(data).tables[0]) == 255


def test_last_definition_of_a_table_counts() -> None:
    data = saved(drawn(), qtables=[[3] * 64, [4] * 64])
    at = data.index(b"\xff\xda")
    again = data[:at] + segment(0xDB, b"\0" + bytes([9] * 64)) + data[at:]
    assert settings_of(again).tables[0] == (9,) * 64


@pytest.mark.parametrize("payload", [b"\3" + bytes([9] * 64), b"\0" + bytes(64)], ids=["missing", "zero"])
def test_unusable_table_is_undecodable(payload: bytes) -> None:
    with pytest.raises(PhotoError) as caught:
        settings_of(with_first_table(saved(drawn()), payload))
    assert caught.value.reason == Reason.UNDECODABLE


@pytest.mark.parametrize("options", [{}, {"subsampling": 0, "progressive": True}, {"quality": 55, "subsampling": 1}])
def test_picture_written_again_is_like_its_input(options: dict[str, object]) -> None:
    data = saved(drawn(320, 240), **options)
    again = encode(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), settings_of(data))
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(again))
    assert before.quantization == after.quantization
    assert before.layer == after.layer
    assert len(again) <= 1.2 * len(data)
