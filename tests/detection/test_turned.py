"""What is found in a turned photo lies where it is in the photo."""

from __future__ import annotations

import math

import numpy as np
import pytest

from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.turned import turned, turned_back
from photo_anonymizer.model.face import estimated_landmarks
from photo_anonymizer.model.geometry import Box

SIZE_WH = 90, 60
BLOCK = Box(x0=10, y0=5, x1=30, y1=20)


def block_in(picture: np.ndarray) -> Box:
    rows, columns = np.nonzero(picture[:, :, 0])
    return Box(x0=columns.min(), y0=rows.min(), x1=columns.max() + 1, y1=rows.max() + 1)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_a_box_comes_back_to_where_it_was(quarters: int) -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[5:20, 10:30] = 255
    seen = block_in(turned(picture, quarters))
    assert turned_back(Detection(seen, None, 0.5), quarters, SIZE_WH).box == BLOCK


@pytest.mark.parametrize(("quarters", "roll_deg"), [(0, 0), (1, 90), (2, 180), (3, -90)])
def test_the_roll_tells_how_the_head_lies(quarters: int, roll_deg: float) -> None:
    upright = Box(x0=20, y0=20, x1=40, y1=45)
    found = turned_back(Detection(upright, estimated_landmarks(upright), 0.5), quarters, SIZE_WH)
    assert found.landmarks is not None
    turn = math.degrees(found.landmarks.roll_rad)
    assert abs((turn - roll_deg + 180) % 360 - 180) < 1e-6
    assert all(found.box.x0 < x < found.box.x1 and found.box.y0 < y < found.box.y1 for x, y in found.landmarks.points)


def test_without_landmarks_there_are_none_afterwards() -> None:
    assert turned_back(Detection(BLOCK, None, 0.5), 1, SIZE_WH).landmarks is None
