"""What the avatar takes over of a photo's light: whence it comes and how bright it is, roughly and without colour."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces import noise_picture
from photo_anonymizer.methods.lamp import ASIDE_STEP, BRIGHTNESS_STEP, Lamp, lamp_by_box, lamp_by_mesh
from photo_anonymizer.model.pixels import Pixels
from subjects import posed


def ramp(across: float, down: float, middle: float = 128) -> Pixels:
    """Grey, brighter towards one side by so much a pixel."""
    y, x = np.mgrid[-150:150, -150:150]
    return np.repeat(np.clip(middle + across * x + down * y, 0, 255)[..., np.newaxis], 3, axis=2).astype(np.uint8)


class TestByMesh:
    @pytest.mark.parametrize(("across", "down"), [(0.8, 0), (-0.8, 0), (0, 0.6), (0, -0.6)])
    def test_the_light_comes_from_where_the_face_is_brighter(self, across: float, down: float) -> None:
        lamp = lamp_by_mesh(posed(ramp(across, down), 60))
        assert math.copysign(1, lamp.across * across + lamp.down * down) == 1
        assert (lamp.across != 0) == (across != 0)
        assert (lamp.down != 0) == (down != 0)

    @pytest.mark.parametrize("level", [16, 64, 160, 240])
    def test_it_is_as_bright_as_the_face(self, level: int) -> None:
        assert lamp_by_mesh(posed(ramp(0, 0, level), 60)).brightness == level

    def test_colours_of_one_brightness_are_one_lamp(self) -> None:
        lamps = set()
        for colour in ((200, 53, 43), (20, 137, 84), (96, 96, 96)):
            photo = np.full((300, 300, 3), colour, np.uint8)
            lamps.add(lamp_by_mesh(posed(photo, 60)))
        assert len(lamps) == 1

    def test_it_is_rounded(self) -> None:
        lamp = lamp_by_mesh(posed(noise_picture(300, 300), 60))
        assert (lamp.across % ASIDE_STEP, lamp.down % ASIDE_STEP, lamp.brightness % BRIGHTNESS_STEP) == (0, 0, 0)


class TestByBox:
    def test_it_is_as_bright_as_the_face(self) -> None:
        photo = ramp(0, 0, 32)
        photo[120:180, 120:180] = 192
        assert lamp_by_box(posed(photo, 20)).brightness == 192

    def test_a_face_beyond_the_photo_has_a_usual_one(self) -> None:
        subject = posed(ramp(0, 0), 20)
        aside = subject.face.model_copy(update={"box": subject.face.box.model_copy(update={"x0": 900.0, "x1": 950.0})})
        subject.__dict__["face"] = aside
        assert lamp_by_box(subject).brightness == 128


ASIDE = st.floats(-1, 1)


@given(across=ASIDE, down=ASIDE, brightness=st.floats(0, 255))
def test_every_lamp_shines_from_the_front_and_neither_blinds_nor_goes_out(
    across: float, down: float, brightness: float
) -> None:
    lamp = Lamp(across, down, brightness)
    assert math.hypot(*lamp.direction) == pytest.approx(1)
    assert lamp.direction[2] < 0
    assert 0 <= lamp.contrast <= 0.7
    assert 0 <= lamp.gain <= 1.2


@given(first=st.floats(0, 255), second=st.floats(0, 255))
def test_a_brighter_lamp_makes_a_brighter_head(first: float, second: float) -> None:
    darker, brighter = sorted((first, second))
    assert Lamp(0, 0, darker).gain <= Lamp(0, 0, brighter).gain


@given(across=ASIDE, down=ASIDE, roll=st.floats(-math.pi, math.pi))
def test_a_lamp_that_is_turned_back_is_the_same(across: float, down: float, roll: float) -> None:
    back = Lamp(across, down, 100).turned(roll).turned(-roll)
    assert (back.across, back.down) == pytest.approx((across, down), abs=1e-9)


def test_a_lamp_turns_clockwise() -> None:
    below = Lamp(0.5, 0, 100).turned(math.pi / 2)
    assert (below.across, below.down) == pytest.approx((0, 0.5))
