"""What lies in front of a face."""

from __future__ import annotations

import numpy as np

from photo_anonymizer.mesh.topology import LEFT_BROW, texture_points
from photo_anonymizer.methods.surrogate.front import (
    SIDE_PX,
    bridge_is_bare,
    hidden_share,
    in_front,
    lab_of,
    wears_glasses,
)

SKIN = np.array([200, 160, 140], np.float32)


def face() -> np.ndarray:
    return np.broadcast_to(SKIN, (SIDE_PX, SIDE_PX, 3)).copy()


def test_bare_skin_has_nothing_in_front() -> None:
    assert in_front(lab_of(face()), lab_of(face())).max() == 0
    assert hidden_share(lab_of(face())) == 0


def test_a_strand_from_the_outline_is_in_front() -> None:
    texture = face()
    texture[: round(0.3 * SIDE_PX), 150:175] = (20, 15, 10)
    found = in_front(lab_of(texture), lab_of(face()))
    assert found[round(0.2 * SIDE_PX), 162] > 0.9
    assert found[round(0.2 * SIDE_PX), 60] == 0


def test_a_dark_spot_on_the_skin_is_not() -> None:
    texture = face()
    texture[60:70, 100:110] = (20, 15, 10)
    assert in_front(lab_of(texture), lab_of(face())).max() == 0


def test_brows_are_not() -> None:
    texture = face()
    x, y = (texture_points()[list(LEFT_BROW)].mean(axis=0) * SIDE_PX).astype(int)
    texture[y - 4 : y + 5, : x + 20] = (20, 15, 10)
    assert in_front(lab_of(texture), lab_of(face()))[y, x] == 0


def test_a_mask_of_cloth_hides_the_middle_and_a_shadow_does_not() -> None:
    cloth, shade = face(), face()
    cloth[120:, :] = (40, 120, 200)
    shade[120:, :] *= 0.6
    assert hidden_share(lab_of(cloth)) > 0.5
    assert hidden_share(lab_of(shade)) < 0.1


def framed(darkness: float) -> np.ndarray:
    """A face with a bar of that darkness across the bridge of the nose."""
    texture = face()
    y = round(texture_points()[6, 1] * SIDE_PX)
    texture[y - 4 : y + 4, 60:196] *= 1 - darkness
    return texture


def test_dark_frames_are_glasses_and_a_crease_is_none() -> None:
    assert wears_glasses(framed(0.8))
    assert not wears_glasses(framed(0.15))
    assert not wears_glasses(face())


def test_a_bridge_with_anything_across_is_not_bare() -> None:
    assert bridge_is_bare(face())
    assert not bridge_is_bare(framed(0.3))
