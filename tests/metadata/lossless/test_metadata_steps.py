"""Quantisation tables are only published if an encoder would choose them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from jpegs import MAX_PIXELS, box_of, drawn, saved
from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.lossless.carry import carried
from photo_anonymizer.metadata.lossless.settings import jpeg_encoding
from photo_anonymizer.metadata.lossless.steps import CHROMA, LUMA, is_usual, usual
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip

TEXTS = (
    b"JOHN DOE, 52.5200N 13.4050E, SN 0123456789",
    b"Jane Doe",
    b"2024:05:17 12:01",
    b"SN 01234567",
    b"the quick brown fox jumps over the lazy dog, and then once more",
)
FLAT = np.full((64, 64, 3), 120, np.uint8)


def tables_of(data: bytes) -> list[tuple[int, ...]]:
    """Row by row."""
    return [tuple(table) for table in Image.open(io.BytesIO(data)).quantization.values()]


def with_text(data: bytes, text: bytes, at: int, table: int = 0) -> bytes:
    """The text in a quantisation table, from this place in zigzag order on."""
    start = [place for place in range(len(data)) if data.startswith(b"\xff\xdb", place)][table] + 5 + at
    return data[:start] + text + data[start + len(text) :]


@pytest.mark.parametrize("quality", range(1, 101))
def test_tables_of_every_libjpeg_quality_are_usual(quality: int) -> None:
    luma, chroma = tables_of(saved(FLAT, quality=quality))
    assert is_usual(luma)
    assert is_usual(chroma)


@pytest.mark.parametrize("factor", [0.013, 0.2, 0.3333, 1, 1.7, 9])
@pytest.mark.parametrize("base", [LUMA, LUMA.T, CHROMA], ids=["luma", "turned", "chroma"])
def test_multiples_are_usual_whether_rounded_or_cut_off(base: np.ndarray, factor: float) -> None:
    for whole in (np.floor, np.rint, np.ceil):
        assert is_usual(np.clip(whole(factor * base), 1, 255).astype(int).ravel().tolist())


def test_tables_that_are_equal_in_both_directions_are_usual() -> None:
    y, x = np.mgrid[:8, :8]
    for table in (np.full((8, 8), 7), 4 + x + y, 3 + 2 * np.maximum(x, y), 20 + x * y):
        assert is_usual(table.ravel().tolist())


@pytest.mark.parametrize("text", TEXTS, ids=["name and place", "name", "time", "number", "words"])
@pytest.mark.parametrize("quality", [30, 50, 75, 95])
@pytest.mark.parametrize("table", [0, 1])
def test_text_in_a_table_is_never_published(table: int, quality: int, text: bytes) -> None:
    for at in range(0, 65 - len(text), 4):
        for options in ({}, {"progressive": True}):
            data = with_text(saved(FLAT, quality=quality, **options), text, at, table)
            assert carried(box_of(data)) is None
            tables = jpeg_encoding(box_of(data).clean).tables
            assert all(is_usual(one) for one in tables)
            assert text not in encode(FLAT, jpeg_encoding(box_of(data).clean))


def test_a_photo_with_text_in_a_table_is_written_from_its_pixels() -> None:
    data = with_text(saved(drawn(), quality=75), TEXTS[0], 0)
    stripped = strip(data, Policy(max_pixels=MAX_PIXELS))
    assert not stripped.final
    assert TEXTS[0] not in bytes(stripped.data)
    assert all(is_usual(table) for table in stripped.encoding.tables)


def test_one_changed_step_is_noticed() -> None:
    steps = list(tables_of(saved(FLAT, quality=50))[0])
    assert is_usual(steps)
    steps[20] += 4
    assert not is_usual(steps)


def test_usual_steps_stay_and_others_become_the_nearest() -> None:
    luma, chroma = tables_of(saved(FLAT, quality=50))
    assert usual(luma, chroma=False) == luma
    spoiled = (*luma[:20], luma[20] + 9, *luma[21:])
    near = np.array(usual(spoiled, chroma=False))
    assert np.abs(near - np.array(luma)).max() <= 1
    assert is_usual(near.tolist())
    spoiled = (*chroma[:20], chroma[20] - 30, *chroma[21:])
    assert np.abs(np.array(usual(spoiled, chroma=True)) - np.array(chroma)).max() <= 2
