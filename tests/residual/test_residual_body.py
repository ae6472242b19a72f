"""The body that belongs to a face, and what becomes of patterns on it: a real person, NASA's Eileen Collins."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from faces import head
from photo_anonymizer.model.face import Face, Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.head import head_outline
from photo_anonymizer.model.patch import CUE_LAYER, compose
from photo_anonymizer.residual import CUES
from photo_anonymizer.residual.body import find_body
from photo_anonymizer.residual.clothing_pattern import ClothingPattern


def face_at(x0: float, y0: float, x1: float, y1: float, face_id: str = "f0000") -> Face:
    box = Box(x0=x0, y0=y0, x1=x1, y1=y1)
    x, y = box.centre
    points = Landmarks(
        left_eye=(x - 9, y), right_eye=(x + 9, y), nose=(x, y), left_mouth=(x - 9, y), right_mouth=(x, y)
    )
    return Face(face_id=face_id, box=box, landmarks=points, score=1.0, band="accept", detectors=("test",))


FACE = face_at(179, 56.6, 271.2, 177.8)
CUE = ClothingPattern(0.5)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return np.asarray(data.astronaut())


@pytest.fixture(scope="module")
def plain(astronaut) -> np.ndarray:
    """The same person in a suit without anything on it."""
    body = find_body(astronaut, FACE, [FACE])
    mask = np.zeros(astronaut.shape[:2], np.uint8)
    mask[body.box.slices] = cv2.resize(body.mask, (body.box.width, body.box.height))
    mask = cv2.dilate((mask > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    mask[:165] = False
    shading = np.linspace(0, 40, 512)[np.newaxis, :, np.newaxis]
    suit = np.broadcast_to(np.array([200, 90, 60]) - shading, astronaut.shape)
    return np.where(mask[..., np.newaxis], suit, astronaut).astype(np.uint8)


def whole_alpha(patches, size_hw) -> np.ndarray:
    alpha = np.zeros(size_hw, np.uint8)
    for patch in patches:
        alpha[patch.region.slices] = np.maximum(alpha[patch.region.slices], patch.alpha)
    return alpha


def test_the_registry_knows_the_cue():
    assert CUES.load("clothing_pattern") is ClothingPattern


def test_the_body_is_below_the_face_and_nothing_else(astronaut):
    body = find_body(astronaut, FACE, [FACE])
    assert body.found_by == "pose"
    mask = np.zeros(astronaut.shape[:2], np.uint8)
    mask[body.box.slices] = cv2.resize(body.mask, (body.box.width, body.box.height))
    assert mask[300:450, 130:230].mean() > 240  # suit
    assert mask[70:160, 190:260].max() == 0  # face
    assert mask[:150, :150].max() == 0  # flag
    assert mask[:250, 340:].mean() < 10  # shuttle


def test_a_turned_head_is_left_out_as_it_lies(astronaut):
    """The chin of a head turned by 60° reaches the shoulder, which an upright ellipse would leave in the mask."""
    turned = head(225, 165, 60, np.pi / 3)
    body = find_body(astronaut, turned, [turned])
    mask = np.zeros(astronaut.shape[:2], np.uint8)
    mask[body.box.slices] = cv2.resize(body.mask, (body.box.width, body.box.height))
    inside = np.zeros_like(mask)
    cv2.fillConvexPoly(inside, head_outline(turned, 1.2).polygon().astype(np.int32), 1)
    assert mask[inside == 1].max() == 0
    assert mask[300:450, 130:230].mean() > 100  # suit


def test_other_faces_are_left_out(astronaut):
    other = face_at(140, 320, 200, 400, "f0001")
    body = find_body(astronaut, FACE, [FACE, other])
    mask = np.zeros(astronaut.shape[:2], np.uint8)
    mask[body.box.slices] = cv2.resize(body.mask, (body.box.width, body.box.height))
    assert mask[310:410, 134:206].max() == 0


def test_around_a_face_that_is_kept_the_others_body_is_looked_at_as_well(astronaut):
    """Nothing else hides what lies around it; the kept face itself stays out."""
    other = face_at(140, 320, 200, 400, "f0001")
    around, within = {}, {}
    for kept in ("", "person"):
        body = find_body(astronaut, FACE, [FACE, other.model_copy(update={"kept": kept})])
        mask = np.zeros(astronaut.shape[:2], np.uint8)
        mask[body.box.slices] = cv2.resize(body.mask, (body.box.width, body.box.height))
        within[kept] = mask[325:395, 145:195].max()
        around[kept] = np.r_[mask[325:395, 131:137].ravel(), mask[325:395, 203:209].ravel()].mean()
    assert within == {"": 0, "person": 0}
    assert around[""] < 10
    assert around["person"] > 200


def test_a_face_without_a_body_falls_back_to_the_segmentation():
    grey = np.full((400, 400, 3), 127, np.uint8)
    body = find_body(grey, face_at(150, 40, 220, 130), [])
    assert body.found_by == "segmentation"
    assert body.presence < 0.5


def test_a_decorated_suit_gets_one_patch_below_the_faces(astronaut):
    (patch,) = CUE.patches(astronaut, FACE, [FACE])
    assert patch.layer == CUE_LAYER
    assert patch.author == "residual.clothing_pattern"
    assert patch.face_id == FACE.face_id
    assert patch.parameters["found_by"] == "pose"
    assert patch.parameters["cell_px"] == pytest.approx(46, abs=2)
    assert 0 < patch.parameters["flagged_share"] <= 1


def test_nothing_else_of_the_photo_changes(astronaut):
    patches = CUE.patches(astronaut, FACE, [FACE])
    after = compose(astronaut, patches)
    untouched = whole_alpha(patches, astronaut.shape[:2]) == 0
    assert np.array_equal(after[untouched], astronaut[untouched])
    assert untouched[:150, :150].all()
    assert untouched[70:160, 190:260].all()


def test_the_photo_is_not_written_to(astronaut):
    before = astronaut.copy()
    CUE.patches(astronaut, FACE, [FACE])
    assert np.array_equal(astronaut, before)


def test_a_plain_suit_is_left_alone(plain):
    assert CUE.patches(plain, FACE, [FACE]) == []


@pytest.mark.parametrize("print_", ["text", "stripes"])
def test_prints_on_a_plain_suit_go(plain, print_):
    printed = plain.copy()
    if print_ == "text":
        cv2.putText(printed, "NOWAK", (110, 370), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (250, 250, 250), 4)
    else:
        printed[330:390:8, 110:230] = printed[331:390:8, 110:230] = printed[332:390:8, 110:230] = 250
    after = compose(printed, CUE.patches(printed, FACE, [FACE]))
    area = slice(330, 385), slice(115, 225)
    assert after[area].std(axis=(0, 1)).max() < 12
    assert printed[area].std(axis=(0, 1)).max() > 40
    strokes = (printed != plain).any(axis=2)[area]
    assert contrast_of(after[area], strokes) < contrast_of(printed[area], strokes) / 15


def contrast_of(rgb: np.ndarray, strokes: np.ndarray) -> float:
    return float(np.abs(rgb[strokes].mean(axis=0) - rgb[~strokes].mean(axis=0)).max())


def test_the_same_input_gives_the_same_patch(astronaut):
    (first,), (second,) = (CUE.patches(astronaut, FACE, [FACE]) for _ in range(2))
    assert first.about() == second.about()
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.alpha, second.alpha)


@pytest.mark.parametrize("corner", [(-30, -30), (470, -20), (-40, 470), (480, 490), (200, 480)])
def test_faces_at_the_border(astronaut, corner):
    face = face_at(*corner, corner[0] + 70, corner[1] + 90)
    for patch in CUE.patches(astronaut, face, [face]):
        compose(astronaut, [patch])


def test_a_face_far_outside_has_no_body(astronaut):
    assert find_body(astronaut, face_at(5000, 5000, 5050, 5070), []) is None
    assert CUE.patches(astronaut, face_at(5000, 5000, 5050, 5070), []) == []


@pytest.mark.parametrize("size_hw", [(40, 40), (1, 1), (3, 200), (200, 3)])
def test_tiny_photos(size_hw):
    noise = np.random.default_rng(3).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    face = face_at(0, 0, 24, 30)
    compose(noise, CUE.patches(noise, face, [face]))


def test_a_grey_photo(astronaut):
    grey = np.repeat(cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)[..., np.newaxis], 3, axis=2)
    (patch,) = CUE.patches(grey, FACE, [FACE])
    assert np.ptp(patch.pixels.astype(int), axis=2).max() <= 1


def test_a_large_photo_is_treated_like_a_small_one(astronaut):
    large = cv2.resize(astronaut, (1536, 1536), interpolation=cv2.INTER_CUBIC)
    face = face_at(*(3 * value for value in (179, 56.6, 271.2, 177.8)))
    (small_patch,), (large_patch,) = CUE.patches(astronaut, FACE, [FACE]), CUE.patches(large, face, [face])
    share = large_patch.parameters["flagged_share"]
    assert share == pytest.approx(small_patch.parameters["flagged_share"], abs=0.1)
