"""Edits in a JPEG: touched blocks show the edit and nothing else, all others keep their coefficients."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jpegs import before, box_of, cropped, drawn, sampled, saved, segment, shown
from photo_anonymizer.imagefile import coefficients_of, decode
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.metadata.lossless import exchange
from photo_anonymizer.metadata.lossless.carry import carried
from photo_anonymizer.model.coefficients import Coefficients, Component
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.patch import FACE_LAYER, Patch, compose
from photo_anonymizer.render import jpeg_blocks
from photo_anonymizer.render.jpeg_blocks import with_edits

SAMPLINGS = ("4:4:4", "4:2:2", "4:4:0", "4:2:0", "4:1:1", "grey")
SIZES = [(192, 160), (101, 67), (17, 33), (9, 200), (300, 270), (8, 8), (1, 1)]
MOST = 10**7


def stripped(data: bytes) -> bytes:
    """What strip hands on."""
    result = carried(box_of(data))
    assert result is not None
    return result.data


def patch(x0: int, y0: int, x1: int, y1: int, *, colour: tuple[int, int, int] = (180, 140, 90)) -> Patch:
    """An ellipse of one colour with a soft edge of three pixels."""
    height, width = y1 - y0, x1 - x0
    y, x = np.mgrid[:height, :width]
    radius = np.hypot((x - (width - 1) / 2) / (width / 2), (y - (height - 1) / 2) / (height / 2))
    alpha = np.clip((1 - radius) * min(width, height) / 6, 0, 1) * 255
    return Patch(
        region=PixelBox(x0=x0, y0=y0, x1=x1, y1=y1),
        pixels=np.full((height, width, 3), colour, np.uint8),
        alpha=alpha.astype(np.uint8),
        layer=FACE_LAYER,
        author="methods.test",
    )


def block(x0: int, y0: int, x1: int, y1: int, *, colour: tuple[int, int, int] = (180, 140, 90)) -> Patch:
    """A rectangle of one colour without a soft edge."""
    made = patch(x0, y0, x1, y1, colour=colour)
    made.alpha[:] = 255
    return made


def edited(original: bytes, *patches: Patch) -> bytes:
    made = with_edits(original, compose(decode(original), patches), patches)
    assert made is not None
    assert inspect(made) == ()
    return made


def read(data: bytes) -> Coefficients:
    return coefficients_of(data, MOST)


def masked(patches: tuple[Patch, ...], picture: Coefficients) -> np.ndarray:
    covered = np.zeros((picture.height, picture.width), bool)
    for one in patches:
        covered[one.region.slices] |= one.alpha > 0
    return covered


def area(picture: Coefficients, one: Component, row: int, column: int) -> tuple[slice, slice]:
    """The pixels that a block is seen in, with those beside them whose colours are smoothed into it."""
    across, down = picture.factors[0] // one.across, picture.factors[1] // one.down
    beside_x, beside_y = int(across > 1), int(down > 1)
    return (
        slice(max(0, row * 8 * down - beside_y), (row + 1) * 8 * down + beside_y),
        slice(max(0, column * 8 * across - beside_x), (column + 1) * 8 * across + beside_x),
    )


def touched(picture: Coefficients, one: Component, covered: np.ndarray) -> np.ndarray:
    """Which blocks of a component may differ, found block by block."""
    places = itertools.product(*map(range, one.blocks.shape[:2]))
    return np.reshape([covered[area(picture, one, *place)].any() for place in places], one.blocks.shape[:2])


def assert_only_touched_blocks_changed(original: bytes, made: bytes, *patches: Patch) -> None:
    old, new = read(original), read(made)
    covered, may_change = masked(patches, old), np.zeros((old.height, old.width), bool)
    for was, now in zip(old.components, new.components, strict=True):
        assert (was.across, was.down) == (now.across, now.down)
        assert np.array_equal(was.steps, now.steps)
        changed = (was.blocks != now.blocks).any(axis=(2, 3))
        allowed = touched(old, was, covered)
        assert not (changed & ~allowed).any()
        for place in np.argwhere(changed):
            may_change[area(old, was, *place)] = True
    assert not (decode(made) != decode(original)).any(axis=2)[~may_change].any()


# What stays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_blocks_that_no_mask_touches_keep_their_coefficients(sampling: str, size: tuple[int, int]) -> None:
    width, height = size
    original = stripped(sampled(drawn(width, height), sampling))
    edit = patch(width // 3, height // 4, width // 3 + (width + 2) // 3, height // 4 + (height + 2) // 3)
    assert_only_touched_blocks_changed(original, edited(original, edit), edit)


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"restart_marker_blocks": 2}, {"optimize": True}, {"keep_rgb": True}, {"quality": 100}],
    ids=str,
)
def test_however_the_input_was_written(options: dict[str, object]) -> None:
    original = stripped(saved(drawn(120, 90), **options))
    edit = patch(30, 20, 80, 71)
    made = edited(original, edit)
    assert_only_touched_blocks_changed(original, made, edit)
    assert np.abs(shown(made)[40:51, 50:61] - (180, 140, 90)).max() <= 6


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.sampled_from(SAMPLINGS),
    st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=4),
    st.integers(30, 100),
)
@settings(max_examples=40, deadline=None)
def test_wherever_the_patches_lie(
    size: tuple[int, int], sampling: str, places: list[tuple[float, float, float, float]], quality: int
) -> None:
    width, height = size
    original = stripped(sampled(drawn(width, height), sampling, quality))
    edits = []
    for left, top, across, down in places:
        x, y = int(left * (width - 1)), int(top * (height - 1))
        edits.append(block(x, y, x + 1 + int(across * (width - x - 1)), y + 1 + int(down * (height - y - 1))))
    assert_only_touched_blocks_changed(original, edited(original, *edits), *edits)


@pytest.mark.parametrize(
    ("sampling", "beside"), [("4:4:4", []), ("4:2:2", [(2, 1), (2, 4)]), ("4:2:0", [(1, 1), (1, 2), (2, 1)])]
)
def test_a_block_of_colour_beside_the_mask_counts_where_decoders_smooth(
    sampling: str, beside: list[tuple[int, int]]
) -> None:
    original = stripped(sampled(np.full((64, 96, 3), (90, 120, 200), np.uint8), sampling))
    edit = block(32, 16, 64, 32)  # whole blocks in every component
    composed = compose(decode(original), [edit])
    composed[15:33, 31:65] = edit.pixels[0, 0]  # so that a sample taken from there can be told
    made = with_edits(original, composed, [edit])
    assert made is not None
    (luma, *colours), (new_luma, *new_colours) = read(original).components, read(made).components
    assert (luma.blocks != new_luma.blocks).any(axis=(2, 3)).nonzero()[0].tolist() == [2] * 4 + [3] * 4
    for was, now in zip(colours, new_colours, strict=True):
        changed = (was.blocks != now.blocks).any(axis=(2, 3))
        assert all(changed[place] for place in beside)
        assert changed.sum() == {"4:4:4": 8, "4:2:2": 2 * 4, "4:2:0": 3 * 4}[sampling]


def test_many_patches_across_the_tiles_of_a_larger_picture() -> None:
    original = stripped(sampled(drawn(700, 530), "4:2:0"))
    edits = [patch(x, y, x + 36, y + 44) for x in range(5, 660, 61) for y in range(3, 480, 83)]
    assert_only_touched_blocks_changed(original, edited(original, *edits), *edits)


def test_a_mask_that_covers_nothing_changes_nothing() -> None:
    original = stripped(sampled(drawn(), "4:2:0"))
    nothing = block(10, 10, 40, 40)
    nothing.alpha[:] = 0
    assert_only_touched_blocks_changed(original, edited(original, nothing), nothing)
    assert np.array_equal(shown(edited(original, nothing)), shown(original))


def test_the_size_of_the_file_follows_the_input() -> None:
    for options in ({}, {"optimize": True}, {"progressive": True}):
        data = saved(drawn(320, 240), **options)
        assert len(edited(stripped(data), patch(90, 60, 200, 190))) < 1.1 * len(data)


# What is shown ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_region_decodes_to_the_composed_picture(sampling: str) -> None:
    original = stripped(sampled(drawn(192, 160), sampling))
    y, x = np.mgrid[:80, :96]
    edit = patch(40, 30, 136, 110)
    edit.pixels[:] = np.stack([80 + x, 200 - x, 90 + y], axis=-1)
    if sampling == "grey":
        edit.pixels[:] = edit.pixels[..., :1]
    wanted = compose(decode(original), [edit])
    difference = np.abs(decode(edited(original, edit)).astype(int) - wanted)[edit.region.slices]
    assert difference[edit.alpha == 255].mean() < 1.5
    assert difference.mean() < 3


def test_a_coloured_patch_in_a_grey_photo_is_as_bright_as_its_colour() -> None:
    original = stripped(sampled(drawn(64, 64), "grey"))
    made = edited(original, block(16, 16, 48, 48, colour=(255, 0, 0)))
    assert len(read(made).components) == 1
    assert np.abs(shown(made)[20:44, 20:44] - 76).max() <= 3


def test_beside_the_mask_a_touched_block_shows_what_it_showed() -> None:
    original = stripped(sampled(drawn(96, 96), "4:2:0"))
    edit = block(20, 20, 44, 44, colour=(128, 128, 128))
    outside = ~masked((edit,), read(original))
    difference = np.abs(shown(edited(original, edit)) - shown(original))[outside]
    assert difference.mean() < 0.5


# What is gone -----------------------------------------------------------------------------------------------


def with_secret(seed: int, width: int = 160, height: int = 144) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a pattern in its middle that reaches beyond black and white when it is encoded; and the pattern,
    (64, 64, 3) of -1 and 1.
    """
    pattern = np.random.default_rng(seed).choice([-1, 1], (16, 16, 3)).repeat(4, axis=0).repeat(4, axis=1)
    picture = drawn(width, height)
    picture[40:104, 48:112] = np.where(pattern > 0, 255, 0)
    return picture, pattern


def levels_of(pattern: np.ndarray, data: bytes) -> float:
    """How much of the pattern a file shows, in grey levels: the slope of a regression."""
    seen = shown(data)[40:104, 48:112].astype(float)
    seen -= seen.mean(axis=(0, 1))
    return abs(float((seen * pattern).mean()))


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_nothing_of_the_original_remains_under_the_mask(sampling: str, quality: int) -> None:
    picture, pattern = with_secret(1)
    if sampling == "grey":
        pattern = pattern[..., 1:2]
    original = stripped(sampled(picture, sampling, quality))
    assert levels_of(pattern, original) > 20
    assert levels_of(pattern, edited(original, block(40, 32, 120, 112))) < 0.1
    # A mask that ends where the pattern ends: what is left comes from the pixels beside it, into which the original's
    # own decoder had smoothed the pattern's colours. Encoding the whole composed picture leaves as much.
    assert levels_of(pattern, edited(original, block(48, 40, 112, 104))) < 0.5


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_a_block_under_the_mask_is_the_same_whatever_was_there(sampling: str) -> None:
    edit = block(48, 40, 112, 104)
    one, other = (read(edited(stripped(sampled(with_secret(seed)[0], sampling, 50)), edit)) for seed in (1, 2))
    covered = masked((edit,), one)
    seen = 0
    for first, second in zip(one.components, other.components, strict=True):
        across, down = one.factors[0] // first.across, one.factors[1] // first.down
        for row, column in itertools.product(*map(range, first.blocks.shape[:2])):
            inside = covered[8 * down * row : 8 * down * (row + 1), 8 * across * column : 8 * across * (column + 1)]
            if inside.all():
                seen += 1
                assert np.array_equal(first.blocks[row, column], second.blocks[row, column])
    assert seen >= 64


def test_nothing_of_the_original_remains_beyond_the_edge() -> None:
    """Encoders repeat the last column and row in the rest of their blocks: there a face at the edge would stay."""
    picture = np.full((85, 99, 3), 255, np.uint8)
    made = edited(stripped(sampled(picture, "4:2:0")), block(60, 50, 99, 85, colour=(0, 0, 0)))
    beyond = shown(cropped(made, 112, 96))[64:, 72:]
    assert beyond.shape == (32, 40, 3)
    assert beyond.max() <= 4


# Where it cannot be -----------------------------------------------------------------------------------------


def cannot_be_edited(original: bytes, size: tuple[int, int] = (96, 64)) -> bool:
    composed = np.zeros((size[1], size[0], 3), np.uint8)
    return with_edits(original, composed, [block(10, 10, 40, 40)]) is None


def test_four_inks_are_left_to_the_encoder() -> None:
    out = io.BytesIO()
    Image.fromarray(drawn()).convert("CMYK").save(out, "JPEG")
    assert cannot_be_edited(out.getvalue())
    assert not cannot_be_edited(saved(drawn()))


def test_a_file_that_is_no_jpeg_is_left_to_the_encoder() -> None:
    assert cannot_be_edited(b"\x89PNG\r\n\x1a\n")
    assert cannot_be_edited(saved(drawn())[:300])


@pytest.mark.parametrize("size", [(96, 63), (96, 65), (64, 96)])
def test_a_file_of_another_size_than_the_picture_is_left_to_the_encoder(size: tuple[int, int]) -> None:
    assert cannot_be_edited(saved(drawn(96, 64)), size)


def test_thirds_of_colour_are_left_to_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    original = stripped(sampled(drawn(), "4:1:1"))
    picture = read(original)
    luma, *colours = picture.components
    thirds = replace(picture, components=(replace(luma, across=3), *colours))
    monkeypatch.setattr(jpeg_blocks, "coefficients_of", lambda *_: thirds)
    assert cannot_be_edited(original)


def test_coefficients_beyond_those_of_eight_bits_are_left_to_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    original = stripped(sampled(drawn(), "4:2:0"))
    picture = read(original)
    picture.components[0].blocks[0, 0, 0, 0] = -1500
    monkeypatch.setattr(jpeg_blocks, "coefficients_of", lambda *_: picture)
    assert cannot_be_edited(original)


# The file ---------------------------------------------------------------------------------------------------


def test_only_coefficients_are_exchanged() -> None:
    """Nothing that lies in the file beside its picture is published with other coefficients."""
    secret = segment(0xFE, b"Jane-Doe")
    original = before(stripped(sampled(drawn(), "4:2:0")), b"\xff\xdb", secret)
    made = exchange.with_coefficients(original, read(original))
    assert inspect(original) != ()
    assert inspect(made) == ()
