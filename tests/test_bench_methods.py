"""What one face costs: memory is kept within bounds, and the command that says so finds what it is to find."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import numpy as np
import pytest

from photo_anonymizer.config import MethodName, load_config

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench_methods.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_methods", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("method", get_args(MethodName))
def test_a_face_of_200_px_takes_at_most_twenty_times_its_crop_in_memory(bench: ModuleType, method: MethodName) -> None:
    photo, face = bench.photo_with_face(200)
    assert 185 < face.box.height < 215
    assert photo.shape == (1000, 1000, 3)
    paint = bench.painter(load_config({"source": "-", "method": method}), method, photo, face)
    assert 0 < bench.peak_crops(paint) <= bench.AIM_CROPS


def test_memory_that_is_taken_is_seen(bench: ModuleType) -> None:
    photo, face = bench.photo_with_face(200)
    paint = bench.painter(load_config({"source": "-"}), "mask", photo, face)

    def wasteful(seed: int) -> object:
        taken = np.ones(10_000_000, np.uint8)
        return paint(seed + int(taken[0]))

    assert bench.peak_crops(wasteful) > bench.AIM_CROPS


def test_a_face_that_the_method_cannot_do_is_not_timed(bench: ModuleType) -> None:
    photo, face = bench.photo_with_face(200)
    paint = bench.painter(load_config({"source": "-"}), "synthetic", np.zeros_like(photo), face)
    with pytest.raises(SystemExit, match="cannot do this face"):
        paint(0)
