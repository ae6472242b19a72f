"""Changed photos on pictures made here: where every labelled face goes can be counted by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from detection_figures import variants
from detection_figures.labels import Label, in_height
from detection_figures.variants import VARIANTS

from photo_anonymizer.model.geometry import Box

WIDTH, HEIGHT = 60, 40
FACE = Box(x0=30, y0=4, x1=46, y1=28)
"""16 px wide, 24 px high."""


@pytest.fixture
def photo() -> np.ndarray:
    """Grey, with the face white."""
    rgb = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    rgb[4:28, 30:46] = 255
    return rgb


def label(box: Box = FACE) -> Label:
    return Label(box, True, {"occlusion": 1})


def white(rgb: np.ndarray) -> Box:
    rows, columns = np.nonzero(rgb[..., 0] > 200)
    return Box(x0=columns.min(), y0=rows.min(), x1=columns.max() + 1, y1=rows.max() + 1)


@pytest.mark.parametrize(
    ("name", "shape", "there"),
    [
        ("turned by 90°", (60, 40), Box(x0=4, y0=14, x1=28, y1=30)),
        ("turned by 180°", (40, 60), Box(x0=14, y0=12, x1=30, y1=36)),
        ("turned by 270°", (60, 40), Box(x0=12, y0=30, x1=36, y1=46)),
        ("half size", (20, 30), Box(x0=15, y0=2, x1=23, y1=14)),
    ],
)
def test_labels_move_with_the_photo(photo, name: str, shape: tuple[int, int], there: Box) -> None:
    rgb, (moved,) = VARIANTS[name].change(photo, [label()])
    assert rgb.shape == (*shape, 3)
    assert moved.box == there == white(rgb)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_a_face_is_counted_by_its_height_before_the_change(photo, name: str) -> None:
    (moved,) = VARIANTS[name].change(photo, [label()])[1]
    assert moved.height_px == 24
    assert in_height(2)(moved)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_flags_and_invalid_faces_stay_what_they_are(photo, name: str) -> None:
    faces = [label(), Label(FACE, False, {})]
    moved = VARIANTS[name].change(photo, faces)[1]
    assert [(face.asked, face.flags) for face in moved] == [(True, {"occlusion": 1}), (False, {})]


@pytest.mark.parametrize("name", list(VARIANTS))
def test_the_original_is_not_touched(photo, name: str) -> None:
    before = photo.copy()
    VARIANTS[name].change(photo, [label()])
    assert (photo == before).all()


@pytest.mark.parametrize("name", ["darkened to 20 %", "JPEG quality 20", "noise (sigma 15)", "sunglasses"])
def test_changes_that_move_nothing_leave_the_boxes(photo, name: str) -> None:
    assert VARIANTS[name].change(photo, [label()])[1] == [label()]


def test_an_odd_side_is_halved_with_its_labels() -> None:
    rgb, (moved,) = variants.halved(np.zeros((41, 60, 3), np.uint8), [label()])
    assert rgb.shape == (20, 30, 3)
    assert moved.box.y1 == pytest.approx(28 * 20 / 41)


def test_darkening_leaves_a_fifth(photo) -> None:
    rgb, _ = variants.darkened(photo, [])
    assert rgb[0, 0].tolist() == [20, 20, 20]
    assert rgb[10, 35].tolist() == [51, 51, 51]


def test_noise_has_its_sigma_and_is_the_same_every_time() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    rgb, _ = variants.noisy(grey, [])
    assert float(rgb.astype(float).std()) == pytest.approx(15, rel=0.02)
    assert float(rgb.mean()) == pytest.approx(128, abs=0.2)
    assert (variants.noisy(grey, [])[0] == rgb).all()


def test_strong_compression_changes_the_picture_a_little(photo) -> None:
    difference = np.abs(variants.compressed(photo, [])[0].astype(int) - photo)
    assert 0 < difference.mean() < 10


def test_sunglasses_cover_the_eyes_and_nothing_below_the_nose(photo) -> None:
    dark = variants.with_sunglasses(photo, [label()])[0][..., 0] < 50
    eyes_y = 4 + round(24 * 0.4)
    assert dark[eyes_y, 30 + round(16 * 0.28)]
    assert dark[eyes_y, 30 + round(16 * 0.72)]
    assert not dark[4 + round(24 * 0.6) :].any()


def test_masks_cover_mouth_and_chin_but_not_the_eyes(photo) -> None:
    picture = variants.with_masks(photo, [label()])[0]
    covered = (picture == variants.MASK_RGB).all(axis=2)
    assert covered[4 + round(24 * 0.75), 38]
    assert covered[4 + round(24 * 0.95), 38]
    assert not covered[: 4 + round(24 * 0.5)].any()


def test_faces_too_small_to_wear_something_stay_bare(photo) -> None:
    small = Label(Box(x0=30, y0=4, x1=40, y1=19.9), True, {})
    for change in (variants.with_sunglasses, variants.with_masks):
        assert (change(photo, [small])[0] == photo).all()
        assert (change(photo, [label()])[0] != photo).any()


def test_a_face_at_the_edge_is_covered_as_far_as_it_shows(photo) -> None:
    edge = Label(Box(x0=-8, y0=-4, x1=8, y1=20), True, {})
    picture = variants.with_masks(photo, [edge])[0]
    assert (picture[14, 0] == variants.MASK_RGB).all()
