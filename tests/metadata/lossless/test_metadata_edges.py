"""Beyond the edges of a carried JPEG there is nothing but its last column and row once more."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jpegs import MAX_PIXELS, box_of, cropped, drawn, saved, with_segment
from photo_anonymizer.metadata.lossless.carry import carried
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip

QUALITIES = (50, 60, 75, 85, 90, 95, 98, 100)
SAMPLINGS = {"4:4:4": {"subsampling": 0}, "4:2:2": {"subsampling": 1}, "4:2:0": {"subsampling": 2}, "grey": {}}
WAYS = {"bytes": {}, "progressive": {"progressive": True}, "optimised": {"optimize": True}}


def written(pixels: np.ndarray, sampling: str, **options: object) -> bytes:
    return saved(pixels[..., 1] if sampling == "grey" else pixels, **SAMPLINGS[sampling], **options)


def with_orientation(data: bytes, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return with_segment(data, 0xE1, exif.tobytes())


# Ordinary photos --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_photos_of_odd_sizes_are_carried(astronaut: np.ndarray, sampling: str, quality: int) -> None:
    for width, height in ((505, 257), (511, 263), (500, 260), (497, 249), (101, 67), (17, 240), (1, 1)):
        data = written(astronaut[:height, :width], sampling, quality=quality)
        assert carried(box_of(data)) is not None, (width, height)


def test_grainy_photos_of_odd_sizes_are_carried(astronaut: np.ndarray) -> None:
    grain = np.random.default_rng(0).normal(0, 12, astronaut.shape)
    grainy = np.clip(astronaut + grain, 0, 255).astype(np.uint8)
    for quality in QUALITIES:
        assert carried(box_of(written(grainy[:251, :501], "4:2:0", quality=quality))) is not None, quality


@pytest.mark.parametrize(("orientation", "size"), [(4, (501, 256)), (6, (501, 256)), (8, (512, 249))])
def test_a_side_that_does_not_move_may_be_odd(astronaut: np.ndarray, orientation: int, size: tuple[int, int]) -> None:
    width, height = size
    data = with_orientation(written(astronaut[:height, :width], "4:2:0"), orientation)
    turned = strip(data, Policy(max_pixels=MAX_PIXELS))
    assert turned.lossless
    assert carried(box_of(turned.data)) is not None


# Something beyond the edges ---------------------------------------------------------------------------------


def with_text(below: int, contrast: int) -> np.ndarray:
    """A picture of 505 × 257 pixels with dark text on light ground in the rows and columns beyond, (264, 512, 3)."""
    ramp = np.tile(np.linspace(60, 200, 512), (264, 1))
    text = Image.new("L", (512, 264), 128 + contrast // 2)
    ImageDraw.Draw(text).text((2, 255), "JANE DOE 52.5200N 13.4050E", fill=128 - contrast // 2)
    ramp[below:] = np.asarray(text)[below:]
    return np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("below", [257, 260])
def test_text_below_the_picture_is_not_published(below: int, sampling: str, way: str, quality: int) -> None:
    whole = written(with_text(below, 120), sampling, quality=quality, **WAYS[way])
    hidden = _declared(whole, 512, below)
    assert carried(box_of(hidden)) is None
    assert not strip(hidden, Policy(max_pixels=MAX_PIXELS)).lossless


@pytest.mark.parametrize("quality", QUALITIES)
def test_faint_text_is_not_published(quality: int) -> None:
    """As faint as the steps of the table let it be: what they round away is not in the file."""
    contrast = max(6, 2 * (105 - quality))
    hidden = _declared(written(with_text(257, contrast), "4:4:4", quality=quality), 512, 257)
    assert carried(box_of(hidden)) is None


@pytest.mark.parametrize(
    ("sampling", "size"),
    [
        *(("4:2:2", size) for size in ((88, 64), (90, 64), (96, 61))),
        *(("4:2:0", size) for size in ((88, 64), (90, 64), (96, 56), (96, 50))),
    ],
)
def test_colour_beyond_the_edge_is_not_published(sampling: str, size: tuple[int, int]) -> None:
    width, height = size
    pixels = np.full((64, 96, 3), 120, np.uint8)
    plain = written(pixels, sampling)
    assert carried(box_of(cropped(plain, width, height))) is not None
    y, x = np.mgrid[:64, :96]
    beyond = ((x >= width) | (y >= height)) & ((x // 4 + y // 4) % 2 == 0)
    pixels[beyond] = (160, 110, 60)
    assert carried(box_of(cropped(written(pixels, sampling), width, height))) is None


def test_photos_with_different_edges_and_tables_are_judged_apart(astronaut: np.ndarray) -> None:
    """What is known about one edge and table must never be used for another."""
    for quality, (width, height) in itertools.product((95, 50, 75), ((505, 257), (509, 250), (505, 260))):
        fair = written(astronaut[:height, :width], "4:2:0", quality=quality)
        assert carried(box_of(fair)) is not None
        assert carried(box_of(_declared(written(astronaut, "4:2:0", quality=quality), width, 512))) is None
        assert carried(box_of(_declared(written(astronaut, "4:2:0", quality=quality), 512, height))) is None


@pytest.mark.parametrize("place", ["right", "below", "corner"])
@pytest.mark.parametrize("channel", range(3))
def test_one_planted_block_is_noticed(channel: int, place: str) -> None:
    """A patch of four samples beyond the edge, in one block among all those at the edge."""
    pixels = np.full((104, 104, 3), 120, np.uint8)
    size = (100, 100)
    assert carried(box_of(cropped(written(pixels, "4:4:4"), *size))) is not None
    y, x = {"right": (41, 102), "below": (102, 41), "corner": (102, 102)}[place]
    pixels[y : y + 2, x : x + 2, channel] += 60
    assert carried(box_of(cropped(written(pixels, "4:4:4"), *size))) is None


@pytest.mark.parametrize("orientation", [2, 4, 6, 8])
def test_a_turned_picture_is_looked_at_too(orientation: int) -> None:
    right, below = cropped(saved(drawn(96, 64)), 91, 64), cropped(saved(drawn(96, 64)), 96, 59)
    for hidden in (right, below):
        assert not strip(with_orientation(hidden, orientation), Policy(max_pixels=MAX_PIXELS)).lossless


def test_a_crop_without_loss_leaves_nothing_of_what_was_cut_off(astronaut: np.ndarray) -> None:
    whole = saved(astronaut, subsampling=2)
    assert carried(box_of(whole)) is not None
    for width, height in ((509, 512), (512, 507), (505, 505)):
        assert carried(box_of(cropped(whole, width, height))) is None


def _declared(data: bytes, width: int, height: int) -> bytes:
    """The same coded blocks under a smaller size, in a file of any kind."""
    at = data.index(b"\xff\xc2" if b"\xff\xc2\x00\x11" in data or b"\xff\xc2\x00\x0b" in data else b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2) + width.to_bytes(2) + data[at + 4 :]
