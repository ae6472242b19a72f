"""What every method must keep to, and why none of them can be undone."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces import face, noise_picture
from photo_anonymizer.config import load_config
from photo_anonymizer.methods import METHODS
from photo_anonymizer.methods.cells import cell_edges, cell_means
from photo_anonymizer.methods.ladder import choose_method, ladder
from photo_anonymizer.methods.region import region_of
from photo_anonymizer.methods.stage import noise_source, patch_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.patch import compose

NAMES = sorted(METHODS)
WHOLE = ("blur", "mask", "pixelate")
"""Methods that replace the whole region; the others follow the face's outline and have tests of their own."""
SIZES = [(3, 4), (8, 10), (24, 30), (120, 150), (960, 1200)]


def config(**changes: object):
    return load_config({"source": "x", **changes})


def chance(number: int = 0) -> np.random.Generator:
    return np.random.default_rng(number)


def step_of(method: str):
    return ladder(config(), method)[0]


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("size", SIZES)
def test_the_whole_face_changes_and_nothing_outside_the_patch_does(name: str, size: tuple[int, int]) -> None:
    width, height = size
    photo = noise_picture(width * 3, height * 3)
    someone = face(width, height, width, height)
    patch = patch_of(photo, someone, step_of(name), 0.08, chance())
    assert patch is not None
    result = compose(photo, [patch])
    rows, columns = patch.region.slices
    outside = np.ones(photo.shape[:2], bool)
    outside[rows, columns] = False
    assert np.array_equal(result[outside], photo[outside])
    cover = someone.box.cover((photo.shape[1], photo.shape[0]))
    assert cover is not None
    inner = result[cover.slices].astype(int) - photo[cover.slices]
    unchanged = (np.abs(inner).sum(axis=2) == 0).mean()
    assert unchanged < 0.15  # noise repeats a pixel's colour now and then


@pytest.mark.parametrize("name", NAMES)
def test_the_face_itself_is_replaced_entirely_and_only_the_edge_outside_is_soft(name: str) -> None:
    someone = face(100, 100, 80, 100)
    region = region_of(someone, (400, 400), scale=1.35, feather=0.08, shape="ellipse")
    assert region is not None
    x, y = region.core.centre
    rows, columns = np.mgrid[region.box.y0 : region.box.y1, region.box.x0 : region.box.x1] + 0.5
    inside = np.hypot((columns - x) / (region.core.width / 2), (rows - y) / (region.core.height / 2)) <= 1
    assert (region.alpha[inside] == 255).all()
    assert region.alpha[~inside].min() == 0


@given(seed=st.integers(0, 2**32 - 1), cells=st.integers(1, 8), side=st.integers(2, 9))
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("name", ["blur", "pixelate"])
def test_two_faces_that_share_the_cell_means_give_the_same_picture(name: str, seed: int, cells: int, side: int) -> None:
    """Irreversible: between such faces nothing in the output can decide, whatever restorer is trained on it."""
    width = cells * max(side, 4)
    one = noise_picture(width * 3, width * 3, seed)
    someone = face(width, width, width, width)
    step = step_of(name)
    parameters = {**step.parameters, "cells": cells}
    region = region_of(someone, (one.shape[1], one.shape[0]), scale=step.scale, feather=0.08, shape="ellipse")
    assert region is not None
    other = shuffled_within_cells(one, region, width, cells, seed)
    method = METHODS.load(name)()
    first, second = (
        method.paint(Subject(photo, someone, region), parameters, chance(seed)).pixels for photo in (one, other)
    )
    assert np.array_equal(first, second)


def shuffled_within_cells(photo: np.ndarray, region, face_width: int, cells: int, seed: int) -> np.ndarray:
    """The photo with the region's pixels of every cell in another order: other details, the same means."""
    rng, result = np.random.default_rng(seed + 1), photo.copy()
    patch, inside = result[region.box.slices], region.alpha > 0
    side = max(face_width / cells, 4.0)
    tops = cell_edges(region.box.height, max(1, round(region.box.height / side)))
    lefts = cell_edges(region.box.width, max(1, round(region.box.width / side)))
    for top, bottom in itertools.pairwise(tops):
        for left, right in itertools.pairwise(lefts):
            block, changed = patch[top:bottom, left:right], inside[top:bottom, left:right]
            block[changed] = rng.permutation(block[changed])
    return result


def test_the_mask_is_the_same_whoever_is_behind_it() -> None:
    someone, step = face(30, 30, 40, 50), step_of("mask")
    first = patch_of(noise_picture(120, 120, 1), someone, step, 0.08, chance(1))
    second = patch_of(noise_picture(120, 120, 2), someone, step, 0.08, chance(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.pixels, second.pixels)


@pytest.mark.parametrize("name", ["blur", "pixelate"])
@pytest.mark.parametrize("width", [40, 960])
def test_strength_follows_the_face_and_never_a_fixed_number_of_pixels(name: str, width: int) -> None:
    """A large face keeps as few cells as a small one: no more than a few dozen colours survive."""
    photo = cv2.resize(noise_picture(9, 9), (width * 3, width * 3), interpolation=cv2.INTER_CUBIC)
    someone = face(width, width, width, width)
    region = region_of(someone, (width * 3, width * 3), scale=1.35, feather=0.08, shape="ellipse")
    assert region is not None
    parameters = step_of(name).parameters | {"noise": 0}
    made = METHODS.load("pixelate")().paint(Subject(photo, someone, region), parameters, chance()).pixels
    assert len(np.unique(made.reshape(-1, 3), axis=0)) <= 49


@pytest.mark.parametrize("name", NAMES)
def test_a_task_that_is_run_again_makes_the_same_pixels(name: str) -> None:
    photo, someone = noise_picture(90, 90), face(20, 20, 40, 50)
    first, second = (
        patch_of(photo, someone, step_of(name), 0.08, noise_source(b"k" * 32, "picture", "f0000", step_of(name)))
        for _ in range(2)
    )
    assert first is not None
    assert second is not None
    assert np.array_equal(first.pixels, second.pixels)


def draw(key: bytes = b"k" * 32, picture: str = "picture", face_id: str = "f0000", **config_changes: object) -> int:
    run = config(method="pixelate", **config_changes)
    return int(noise_source(key, picture, face_id, ladder(run, "pixelate")[0]).integers(0, 2**60))


@pytest.mark.parametrize(
    "other",
    [
        {"key": b"x" * 32},
        {"picture": "p2"},
        {"face_id": "f0001"},
        {"pixelate": {"noise": 30}},
        {"pixelate": {"cells": 3}},
        {"region": {"hair": True}},
    ],
)
def test_noise_is_drawn_anew_for_every_key_picture_face_and_setting(other: dict[str, object]) -> None:
    assert draw() == draw()
    assert draw() != draw(**other)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("box", [(-20, -20, 40, 50), (80, 70, 40, 50), (-5, 30, 120, 20), (0, 0, 101, 67)])
def test_a_face_cut_by_the_border_is_changed_as_far_as_it_shows(name: str, box: tuple[int, int, int, int]) -> None:
    photo = noise_picture(101, 67)
    patch = patch_of(photo, face(*box), step_of(name), 0.08, chance())
    assert patch is not None
    compose(photo, [patch])


def test_a_face_outside_the_photo_has_no_patch() -> None:
    assert patch_of(noise_picture(50, 50), face(200, 200, 40, 50), step_of("mask"), 0.08, chance()) is None


@pytest.mark.parametrize("name", NAMES)
def test_overlapping_faces_leave_nothing_of_either(name: str) -> None:
    photo = noise_picture(200, 150)
    faces = [face(40, 30, 60, 75), face(75, 45, 60, 75, face_id="f0001")]
    patches = [patch_of(photo, someone, step_of(name), 0.08, chance()) for someone in faces]
    result = compose(photo, [patch for patch in patches if patch])
    for someone in faces:
        cover = someone.box.cover((200, 150))
        assert cover is not None
        same = (result[cover.slices] == photo[cover.slices]).all(axis=2).mean()
        assert same < 0.15


def test_cell_means_are_the_means() -> None:
    picture = noise_picture(37, 23)
    means = cell_means(picture, 3, 4)
    rows, columns = cell_edges(23, 3), cell_edges(37, 4)
    for row in range(3):
        for column in range(4):
            block = picture[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
            assert means[row, column] == pytest.approx(block.reshape(-1, 3).mean(axis=0))


def test_cells_of_a_tiny_face_are_not_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight pixels of face keep two cells across, not four."""
    monkeypatch.setattr("photo_anonymizer.methods.pixelate.TILES", 1)
    photo = noise_picture(40, 40)
    someone = face(16, 16, 8, 10)
    region = region_of(someone, (40, 40), scale=1.35, feather=0.08, shape="ellipse")
    assert region is not None
    parameters = {"cells": 4, "levels": 16, "noise": 0, "surroundings": 0}
    made = METHODS.load("pixelate")().paint(Subject(photo, someone, region), parameters, chance()).pixels
    changes = (np.diff(made[0].astype(int), axis=0) != 0).any(axis=1).sum()
    assert changes <= 3


class TestLadder:
    @pytest.mark.parametrize(
        ("purpose", "method"),
        [("internal_review", "blur"), ("strong_privacy", "mask"), ("public_release", "mask"), ("unsure", "mask")],
    )
    def test_auto_follows_the_purpose(self, purpose: str, method: str) -> None:
        assert choose_method(config(purpose=purpose)) == method

    @pytest.mark.parametrize("method", NAMES)
    def test_it_starts_with_what_was_configured_and_ends_with_a_solid_mask(self, method: str) -> None:
        steps = ladder(config(blur={"cells": 3}, pixelate={"cells": 3}), method)
        assert steps[0].method == method
        assert steps[0].parameters.get("cells", 3) == 3
        assert steps[-1].method == "mask"
        assert steps[-1].parameters["icon"] is None
        assert [step.scale for step in steps] == sorted(step.scale for step in steps)

    @pytest.mark.parametrize("method", NAMES)
    @pytest.mark.parametrize("hair", [False, True])
    def test_every_rung_covers_the_hair_when_asked_to(self, method: str, hair: bool) -> None:
        steps = ladder(config(region={"hair": hair}), method)
        assert {step.hair for step in steps} == {hair}
        assert {step.about()["hair"] for step in steps} == {hair}

    @pytest.mark.parametrize("method", WHOLE)
    def test_a_patch_with_hair_is_larger(self, method: str) -> None:
        photo, someone = noise_picture(300, 300), face(110, 110, 80, 100)
        bare, haired = (
            patch_of(photo, someone, ladder(config(region={"hair": hair}), method)[0], 0.08, chance())
            for hair in (False, True)
        )
        assert bare is not None
        assert haired is not None
        assert (haired.alpha == 255).sum() > 1.2 * (bare.alpha == 255).sum()
        assert haired.region.y0 < bare.region.y0
