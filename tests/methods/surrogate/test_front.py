"""What lies in front of a face."""

from __future__ import annotations

import cv2
import numpy as np

from photo_anonymizer.mesh.topology import LEFT_BROW, LEFT_EYE, RIGHT_EYE, texture_points
from photo_anonymizer.methods.surrogate.front import (
    COARSE_PX,
    SIDE_PX,
    bridge_is_bare,
    dark_hair,
    hidden_share,
    in_front,
    lab_of,
    wears_dark_glasses,
    wears_glasses,
)

SKIN = np.array([200, 160, 140], np.float32)


def face() -> np.ndarray:
    return np.broadcast_to(SKIN, (SIDE_PX, SIDE_PX, 3)).copy()


def lab(texture: np.ndarray) -> np.ndarray:
    return lab_of(cv2.resize(texture, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA))


def test_bare_skin_has_nothing_in_front() -> None:
    assert in_front(lab(face()), lab(face())).max() == 0
    assert hidden_share(lab(face())) == 0


def test_a_strand_from_the_outline_is_in_front() -> None:
    texture = face()
    texture[: round(0.3 * SIDE_PX), 150:175] = (20, 15, 10)
    found = in_front(lab(texture), lab(face()))
    assert found[round(0.2 * COARSE_PX), 81] > 0.9
    assert found[round(0.2 * COARSE_PX), 30] == 0


def test_a_dark_spot_on_the_skin_is_not() -> None:
    texture = face()
    texture[60:70, 100:110] = (20, 15, 10)
    assert in_front(lab(texture), lab(face())).max() == 0


def test_brows_are_not() -> None:
    texture = face()
    x, y = (texture_points()[list(LEFT_BROW)].mean(axis=0) * SIDE_PX).astype(int)
    texture[y - 4 : y + 5, : x + 20] = (20, 15, 10)
    assert in_front(lab(texture), lab(face()))[y // 2, x // 2] == 0


def test_a_mask_of_cloth_hides_the_middle_and_a_shadow_does_not() -> None:
    cloth, shade = face(), face()
    cloth[120:, :] = (40, 120, 200)
    shade[120:, :] *= 0.6
    assert hidden_share(lab(cloth)) > 0.5
    assert hidden_share(lab(shade)) < 0.1


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


def behind(lens: tuple[float, float, float], *, both: bool = True) -> np.ndarray:
    """A face with an ellipse of that colour over an eye or both."""
    texture = face()
    for loop in (LEFT_EYE, RIGHT_EYE) if both else (LEFT_EYE,):
        x, y = (texture_points()[list(loop)].mean(axis=0) * SIDE_PX).astype(int)
        cv2.ellipse(texture, ((int(x), int(y) + 4), (60, 44), 0), lens, -1)
    return texture


def test_sunglasses_are_known_by_the_dark_below_both_eyes() -> None:
    skin = lab(face())
    assert wears_dark_glasses(lab(behind((25, 20, 20))), skin)
    assert not wears_dark_glasses(lab(behind((25, 20, 20), both=False)), skin)
    assert not wears_dark_glasses(lab(behind((150, 115, 100))), skin)  # a shadow, or make-up
    assert not wears_dark_glasses(skin, skin)


def test_dark_hair_has_lost_its_colour_and_skin_in_the_shade_has_not() -> None:
    texture = face()
    texture[:, :60] = (22, 20, 19)
    texture[:, 200:] *= 0.35
    hair = dark_hair(lab_of(texture))
    assert hair[:, :60].all()
    assert not hair[:, 60:].any()


def test_in_a_photo_without_colour_nothing_is_taken_for_dark_hair() -> None:
    texture = np.repeat(face()[..., :1], 3, axis=2)
    texture[:, :60] = 20
    assert not dark_hair(lab_of(texture)).any()
