"""A lossy WebP is written again about as coarsely, and so about as large, as it was."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photo_anonymizer.metadata.encode import encode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.readers import vp8, webp
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.encoding import Encoding

POLICY = Policy(max_pixels=10_000_000)


def saved(pixels: np.ndarray, **options: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", **options)
    return out.getvalue()


def published(data: bytes) -> bytes:
    """As an unchanged photo is published."""
    stripped = strip(data, POLICY)
    return encode(np.asarray(Image.open(io.BytesIO(stripped.data)).convert("RGB")), stripped.encoding)


def grained(pixels: np.ndarray) -> np.ndarray:
    return np.clip(pixels + np.random.default_rng(1).normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("effort", [0, 4, 6])
@pytest.mark.parametrize("quality", [5, 30, 50, 75, 90, 98, 100])
def test_an_unchanged_photo_stays_about_as_large(astronaut, quality, effort):
    for pixels in (astronaut, grained(astronaut)):
        data = saved(pixels, quality=quality, method=effort)
        assert len(published(data)) < 1.2 * len(data)


def test_one_quality_for_all_would_not_do(astronaut):
    data = saved(astronaut, quality=50)
    assert len(encode(astronaut, Encoding(format="webp", quality=90))) > 1.2 * len(data)


@pytest.mark.parametrize("quality", [20, 50, 75, 90, 95])
def test_the_quality_is_nearly_that_of_the_input(astronaut, quality):
    assert abs(strip(saved(astronaut, quality=quality), POLICY).encoding.quality - quality) <= 2


def test_a_picture_with_transparency_has_a_quality_too(astronaut):
    see_through = np.dstack([astronaut, astronaut[..., 0]])
    assert abs(webp.quality(webp.parse(saved(see_through, quality=60), 10**6).clean) - 60) <= 2


@pytest.mark.parametrize(("step", "quality"), [(0, 100), (127, 0)])
def test_the_ends_of_the_scale(step, quality):
    assert vp8.quality(step) == quality


def test_a_finer_step_never_means_a_lower_quality():
    qualities = [vp8.quality(step) for step in range(128)]
    assert qualities == sorted(qualities, reverse=True)


# headers made here


def coded(bits: list[int]) -> bytes:
    """Bits coded with even odds: the arithmetic code of RFC 6386 section 7.3, in numbers of any length."""
    low, width, scale = 0, 255, 0
    for bit in bits:
        split = 1 + (((width - 1) * 128) >> 8)
        low, width = (low + split, width - split) if bit else (low, split)
        while width < 128:
            low, width, scale = low << 1, width << 1, scale + 1
    length = -(-(scale + 8) // 8) * 8
    return (low << (length - scale - 8)).to_bytes(length // 8)


def number(value: int, bits: int) -> list[int]:
    return [value >> place & 1 for place in reversed(range(bits))]


def optional(value: int, bits: int) -> list[int]:
    return [1, *number(abs(value), bits), int(value < 0)] if value else [0]


def frame(step: int, segments: list[int] | None = None, *, absolute: bool = True, adjusted: bool = False) -> bytes:
    """A key frame up to its quantiser (RFC 6386 section 19.2)."""
    bits = [0, 0, int(segments is not None)]
    if segments is not None:
        bits += [1, 1, int(absolute)]
        for value in segments:
            bits += optional(value, 7)
        bits += [*optional(-5, 6), *optional(0, 6), *optional(63, 6), *optional(1, 6)]
        bits += [1, *number(200, 8), 0, 1, *number(3, 8)]
    bits += [1, *number(40, 6), *number(5, 3)]
    bits += [1, 1, *(bit for value in (2, 0, -2, -2, 4, -2, 2, 4) for bit in optional(value, 6))] if adjusted else [0]
    bits += [*number(0, 2), *number(step, 7)]
    return bytes(10) + coded(bits + [1, 0] * 20)


STEPS = st.integers(0, 127)


@given(STEPS, st.booleans())
def test_one_quantiser_for_the_whole_picture_is_read(step, adjusted):
    assert vp8.quantiser(frame(step, adjusted=adjusted)) == step


@given(STEPS, st.lists(STEPS, min_size=4, max_size=4), st.booleans())
def test_of_segments_with_their_own_the_second_finest_is_read(step, segments, adjusted):
    assert vp8.quantiser(frame(step, segments, adjusted=adjusted)) == sorted(segments)[1]


@given(STEPS, st.lists(st.integers(-127, 127), min_size=4, max_size=4))
def test_segments_may_say_how_they_differ(step, segments):
    expected = min(max(step + sorted(segments)[1], 0), 127)
    assert vp8.quantiser(frame(step, segments, absolute=False)) == expected


@given(st.binary(max_size=200))
def test_any_bytes_have_a_quantiser_on_the_scale(data):
    assert 0 <= vp8.quantiser(data) <= 127
