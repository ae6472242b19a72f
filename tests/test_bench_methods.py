"""What one face costs: memory is kept within bounds, and the command that says so finds what it is to find."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from photo_anonymizer.config import MethodName, load_config

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from bench_methods import AIM_CROPS, painter, peak_crops, photo_with_face


@pytest.mark.parametrize("method", get_args(MethodName))
def test_a_face_of_200_px_takes_at_most_twenty_times_its_crop_in_memory(method: MethodName) -> None:
    photo, face = photo_with_face(200)
    assert 185 < face.box.height < 215
    assert photo.shape == (1000, 1000, 3)
    paint = painter(load_config({"source": "-", "method": method}), method, photo, face)
    assert 0 < peak_crops(paint) <= AIM_CROPS


def test_memory_that_is_taken_is_seen() -> None:
    photo, face = photo_with_face(200)
    paint = painter(load_config({"source": "-"}), "mask", photo, face)

    def wasteful(seed: int) -> object:
        taken = np.ones(10_000_000, np.uint8)
        return paint(seed + int(taken[0]))

    assert peak_crops(wasteful) > AIM_CROPS


def test_a_face_that_the_method_cannot_do_is_not_timed() -> None:
    photo, face = photo_with_face(200)
    paint = painter(load_config({"source": "-"}), "synthetic", np.zeros_like(photo), face)
    with pytest.raises(SystemExit, match="cannot do this face"):
        paint(0)
