"""Edits, not pictures: what is outside the masks does not change, and what is stored comes back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faces import noise_picture
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.patch import CUE_LAYER, FACE_LAYER, Patch, compose, load_edits, load_patches, save_patches


def patch(x0: int, y0: int, x1: int, y1: int, *, colour: int, alpha: int = 255, layer: int = FACE_LAYER) -> Patch:
    shape = y1 - y0, x1 - x0
    return Patch(
        PixelBox(x0=x0, y0=y0, x1=x1, y1=y1),
        np.full((*shape, 3), colour, np.uint8),
        np.full(shape, alpha, np.uint8),
        layer,
        "methods.test",
        {"cells": 3},
        "f0001",
    )


def test_nothing_changes_outside_the_region_and_the_input_stays_as_it_is() -> None:
    photo = noise_picture(101, 67)
    before = photo.copy()
    result = compose(photo, [patch(10, 20, 40, 50, colour=9)])
    outside = np.ones(photo.shape[:2], bool)
    outside[20:50, 10:40] = False
    assert np.array_equal(result[outside], photo[outside])
    assert (result[20:50, 10:40] == 9).all()
    assert np.array_equal(photo, before)


def test_an_alpha_of_zero_keeps_the_photo_and_255_replaces_it() -> None:
    photo = noise_picture(20, 20)
    assert np.array_equal(compose(photo, [patch(0, 0, 20, 20, colour=7, alpha=0)]), photo)
    assert (compose(photo, [patch(0, 0, 20, 20, colour=7)]) == 7).all()


def test_faces_lie_above_residual_cues_whatever_the_order_of_the_list() -> None:
    photo = noise_picture(20, 20)
    cue, face = patch(0, 0, 20, 20, colour=1, layer=CUE_LAYER), patch(0, 0, 20, 20, colour=2)
    assert (compose(photo, [face, cue]) == 2).all()


def test_a_patch_beyond_the_photo_is_an_error_not_a_clipped_patch() -> None:
    with pytest.raises(ValueError, match="reaches beyond"):
        compose(noise_picture(20, 20), [patch(10, 10, 21, 20, colour=1)])


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((5, 4, 3), np.uint8), np.zeros((5, 5), np.uint8)),
        (np.zeros((5, 5, 3), np.float32), np.zeros((5, 5), np.uint8)),
        (np.zeros((5, 5, 3), np.uint8), np.zeros((4, 5), np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_the_region_are_refused(pixels: Any, alpha: Any) -> None:
    with pytest.raises(ValueError, match="want"):
        Patch(PixelBox(x0=0, y0=0, x1=5, y1=5), pixels, alpha, FACE_LAYER, "methods.test")


def test_patches_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    made = [patch(1, 2, 5, 9, colour=3), patch(0, 0, 4, 4, colour=200, alpha=7, layer=CUE_LAYER)]
    save_patches(tmp_path / "p.npz", made)
    back = load_patches(tmp_path / "p.npz")
    assert [item.about() for item in back] == [item.about() for item in made]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(made, back, strict=True))
    assert all(np.array_equal(a.alpha, b.alpha) for a, b in zip(made, back, strict=True))
    assert load_edits(tmp_path / "p.npz") == [item.about() for item in made]


def test_files_of_patches_are_read_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that parse headers at the same time trip over each other in CPython 3.11."""
    save_patches(tmp_path / "photo.npz", [patch(0, 0, 4, 4, colour=9)])
    inside, most, load = [0], [0], np.load

    class Slow:
        def __init__(self, *args: Any, **options: Any) -> None:
            self._stored = load(*args, **options)

        def __enter__(self) -> Any:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            return self._stored

        def __exit__(self, *_: object) -> None:
            inside[0] -= 1
            self._stored.close()

    monkeypatch.setattr("photo_anonymizer.model.patch.np.load", Slow)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(load_patches, [tmp_path / "photo.npz"] * 8))
    assert {len(patches) for patches in read} == {1}
    assert most == [1]


def test_a_photo_without_patches_has_an_empty_file_of_them(tmp_path: Path) -> None:
    save_patches(tmp_path / "p.npz", [])
    assert load_patches(tmp_path / "p.npz") == []
