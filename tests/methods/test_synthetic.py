"""A face of nobody in place of somebody's."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from photo_anonymizer.config import load_config
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.mesh.light import Light
from photo_anonymizer.mesh.network import Mesh, look
from photo_anonymizer.mesh.pose import pose_of
from photo_anonymizer.mesh.texture import projection
from photo_anonymizer.mesh.topology import LEFT_EYE, LEFT_EYE_LIDS, RIGHT_EYE, RIGHT_EYE_LIDS
from photo_anonymizer.methods import synthetic
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.protocol import CannotPaintError, Painted
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.methods.surrogate.shape import drawn_moves, eyes_open, moved
from photo_anonymizer.methods.synthetic import Synthetic, _on_moved
from photo_anonymizer.model.geometry import intersection_over_union
from photo_anonymizer.model.patch import FACE_LAYER, Patch, compose
from photo_anonymizer.model.pixels import Pixels
from subjects import skin_photo, subject

PARAMETERS = {"donors": "rendered", "k": 10, "strength": 1.0}


def chance(number: int = 0) -> np.random.Generator:
    return np.random.default_rng(number)


def paint(someone: Subject, seed: int = 0) -> Painted:
    return Synthetic().paint(someone, PARAMETERS, chance(seed))


def shown(someone: Subject, painted: Painted) -> Pixels:
    patch = Patch(someone.region.box, painted.pixels, painted.alpha, FACE_LAYER, "test")
    return compose(someone.rgb, [patch])


@pytest.mark.parametrize("height_px", [48, 80, 200, 700])
def test_what_it_draws_is_a_face_to_the_network_that_knows_faces(height_px: int) -> None:
    someone = subject(height_px)
    assert look(someone.rgb, someone.face.box, someone.face.landmarks).logit < 0  # bare skin
    result = shown(someone, paint(someone))
    assert look(result, someone.face.box, someone.face.landmarks).logit > 0


def test_a_detector_finds_it() -> None:
    someone = subject(160)
    run = load_config({"source": "-", "detection": {"effort": "fast"}})
    found = faces_of(shown(someone, paint(someone)), run)
    assert max(intersection_over_union(face.box, someone.face.box) for face in found) > 0.5


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(0.35, 0, 0), (-0.35, 0.1, 0), (0, -0.2, 0.4), (0.2, 0, -1.4)])
def test_it_is_turned_like_the_one_that_it_replaces(yaw: float, pitch: float, roll: float) -> None:
    someone = subject(220, yaw=yaw, pitch=pitch, roll=roll)
    result = shown(someone, paint(someone))
    pose = pose_of(look(result, someone.face.box, someone.face.landmarks).points)
    off = [pose.yaw_rad - someone.pose.yaw_rad, pose.pitch_rad - someone.pose.pitch_rad, pose.roll_rad - roll]
    assert np.degrees(np.abs(off)).max() < 12


def test_nothing_outside_the_face_changes() -> None:
    someone = subject(150)
    result = shown(someone, paint(someone))
    hull = cv2.convexHull(np.ascontiguousarray(someone.mesh.points[:, :2]))
    changed = np.argwhere((result != someone.rgb).any(axis=2))
    assert len(changed) > 3000
    assert min(cv2.pointPolygonTest(hull, (float(x), float(y)), True) for y, x in changed[::7]) > -3


def test_the_middle_of_the_face_is_replaced_entirely() -> None:
    """No pixel of eyes, nose and mouth shines through."""
    someone = subject(200)
    painted = paint(someone)
    inner = someone.mesh.points[[33, 263, 1, 61, 291, 17, 9], :2] - (someone.region.box.x0, someone.region.box.y0)
    mask = np.zeros(painted.alpha.shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(inner.astype(np.int32)), 1)
    assert painted.alpha[mask > 0].min() == 255


def test_details_of_the_original_do_not_survive() -> None:
    """Of what tells two faces apart that are lit alike, the pictures that replace them have nothing in its place."""
    one = subject(200)
    drawn = one.rgb.copy()
    for x, y in one.mesh.points[::9, :2].astype(int):
        cv2.circle(drawn, (int(x), int(y)), 3, (90, 60, 50), -1)
    marked = subject(200, photo=drawn)
    for name in ("light", "texture"):  # lit alike, and with the same hints
        marked.__dict__[name] = getattr(one, name)
    first, second = paint(one), paint(marked)
    inside = cv2.erode((first.alpha == 255).astype(np.uint8), np.ones((25, 25))) > 0
    before = (marked.rgb.astype(int) - one.rgb).mean(axis=2)[one.region.box.slices][inside]
    after = (second.pixels.astype(int) - first.pixels).mean(axis=2)[inside]
    assert np.abs(before).mean() > 5
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.1


@pytest.mark.parametrize("brightness", [0.35, 0.7, 1.0])
def test_the_skin_keeps_its_tone(brightness: float) -> None:
    someone = subject(200, photo=skin_photo(440, brightness=brightness))
    result = shown(someone, paint(someone))
    cheeks = np.zeros(result.shape[:2], np.uint8)
    for loop in ((50, 36, 205, 187, 123), (280, 266, 425, 411, 352)):
        cv2.fillConvexPoly(cheeks, cv2.convexHull(someone.mesh.points[list(loop), :2]).astype(np.int32), 1)
    before, after = (rgb2lab(picture[cheeks > 0].mean(axis=0) / 255) for picture in (someone.rgb, result))
    assert float(deltaE_ciede2000(before, after)) < 6


def test_the_bright_side_stays_the_bright_side() -> None:
    someone = subject(200)
    result = shown(someone, paint(someone)).mean(axis=2)
    cheeks = someone.mesh.points[[50, 280], :2].astype(int)
    left, right = (result[y - 8 : y + 8, x - 8 : x + 8].mean() for x, y in cheeks)
    assert left > 1.05 * right


def test_closed_lids_stay_closed_and_open_ones_show_an_eye() -> None:
    open_eyes, closed = subject(240), subject(240)
    points = closed.mesh.points.copy()
    for upper, lower in (*LEFT_EYE_LIDS, *RIGHT_EYE_LIDS, (161, 163), (157, 154)):
        points[upper] = points[lower]
    closed.__dict__["mesh"] = type(closed.mesh)(points, 20.0)
    x, y = open_eyes.mesh.points[[33, 133], :2].mean(axis=0).astype(int)

    def contrast(someone: Subject) -> float:
        eye = shown(someone, paint(someone))[y - 5 : y + 6, x - 14 : x + 14].mean(axis=2)
        return float(np.ptp(eye[3:8]))

    assert contrast(open_eyes) > contrast(closed)


def test_eyes_are_drawn_a_second_time_as_open_as_they_were_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the face mesh reads of the result is nearer to what it read of the original than after drawing once."""

    def off() -> float:
        return float(np.mean([abs(read(share, seed) - wanted(share)) for share in (0.6, 0.8, 1.2) for seed in (0, 1)]))

    def wanted(share: float) -> float:
        return eyes_open(with_eyes_as_open(share).mesh.points)

    def read(share: float, seed: int) -> float:
        someone = with_eyes_as_open(share)
        result = shown(someone, paint(someone, seed))
        return eyes_open(look(result, someone.face.box, someone.face.landmarks).points)

    twice = off()
    monkeypatch.setattr(synthetic, "with_lids", lambda shape, _wanted, _read: shape)
    assert twice < 0.8 * off()


def with_eyes_as_open(share: float) -> Subject:
    someone = subject(160)
    points = someone.mesh.points.copy()
    for loop in (LEFT_EYE, RIGHT_EYE):
        at = list(loop)
        points[at, 1] = points[at, 1].mean() + share * (points[at, 1] - points[at, 1].mean())
    someone.__dict__["mesh"] = Mesh(points, 20.0)
    return someone


def test_two_faces_are_not_the_same_nobody() -> None:
    someone = subject(200)
    first, second = paint(someone, 1), paint(someone, 2)
    assert np.abs(first.pixels.astype(int) - second.pixels)[first.alpha == 255].mean() > 4


def test_the_same_chance_draws_the_same_face() -> None:
    first, second = paint(subject(120), 5), paint(subject(120), 5)
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.alpha, second.alpha)


def test_the_records_say_where_the_face_comes_from() -> None:
    assert paint(subject(60)).about["source"] == "rendered"


def test_a_face_that_the_network_does_not_know_is_left_to_another_method() -> None:
    with pytest.raises(CannotPaintError, match="mesh_in_doubt"):
        paint(subject(200, logit=-3))


def doubtful(someone: Subject) -> Subject:
    other = Subject(someone.rgb, someone.face.model_copy(update={"band": "doubt"}), someone.region)
    other.__dict__["mesh"] = someone.mesh
    return other


@pytest.mark.parametrize(("height_px", "logit"), [(200, 20.0), (36, 0.0), (20, 0.0)])
def test_no_face_is_drawn_where_it_is_in_doubt_that_there_is_one(height_px: int, logit: float) -> None:
    """On a wall, a coat or a necklace a drawn face would be a ghost."""
    with pytest.raises(CannotPaintError, match="face_in_doubt"):
        paint(doubtful(subject(height_px, logit=logit)))


@pytest.mark.parametrize(("height_px", "logit"), [(36, 10.0), (14, 0.0)])
def test_a_small_face_in_doubt_is_drawn_where_the_mesh_sees_it_or_nobody_would_notice(
    height_px: int, logit: float
) -> None:
    assert paint(doubtful(subject(height_px, logit=logit))).alpha.any()


def test_a_profile_is_left_to_another_method() -> None:
    with pytest.raises(CannotPaintError, match="profile_view"):
        paint(subject(200, yaw=math.radians(60)))


def with_landmarks(someone: Subject, **changes: tuple[float, float]) -> Subject:
    """The same face, with some of the detector's landmarks elsewhere."""
    marks = someone.face.landmarks.model_copy(update=changes)
    made = Subject(someone.rgb, someone.face.model_copy(update={"landmarks": marks}), someone.region)
    made.__dict__["mesh"] = someone.mesh
    return made


def test_a_profile_that_only_the_detector_sees_is_left_to_another_method() -> None:
    someone = subject(200)
    _, y = someone.face.landmarks.nose
    beyond = someone.face.landmarks.right_eye[0] + 12
    with pytest.raises(CannotPaintError, match="profile_view"):
        paint(with_landmarks(someone, nose=(beyond, y)))


def test_a_mesh_that_lies_elsewhere_than_the_landmarks_is_not_believed() -> None:
    someone = subject(200)
    lower = {name: (x, y + 25) for name, (x, y) in someone.face.landmarks.model_dump().items()}
    with pytest.raises(CannotPaintError, match="mesh_in_doubt"):
        paint(with_landmarks(someone, **lower))
    near = {name: (x, y + 5) for name, (x, y) in someone.face.landmarks.model_dump().items()}
    assert paint(with_landmarks(someone, **near)).alpha.any()


def test_a_face_behind_something_is_left_to_another_method() -> None:
    photo = skin_photo(440)
    photo[205:330, 90:350] = (20, 60, 200)  # a mask of cloth
    with pytest.raises(CannotPaintError, match="partly_hidden"):
        paint(subject(200, photo=photo))


@pytest.mark.parametrize(("yaw", "expected"), [(0.0, True), (0.6, False)])
def test_frames_are_drawn_where_they_were_but_not_on_a_head_whose_nose_throws_a_shadow(
    yaw: float, expected: bool
) -> None:
    bare = subject(240, yaw=yaw)
    photo = bare.rgb.copy()
    (x0, y0), (x1, y1) = bare.mesh.points[[193, 417], :2].astype(int)
    cv2.rectangle(photo, (x0 - 30, (y0 + y1) // 2 + 4), (x1 + 30, (y0 + y1) // 2 + 12), (15, 12, 10), -1)
    assert subject(240, yaw=yaw, photo=photo).wears_glasses == expected
    assert not bare.wears_glasses


def test_sunglasses_are_replaced_by_sunglasses_and_not_by_eyes() -> None:
    someone = subject(160)
    photo = someone.rgb.copy()
    for loop in (LEFT_EYE, RIGHT_EYE):
        x, y = someone.mesh.points[list(loop), :2].mean(axis=0).astype(int)
        cv2.ellipse(photo, ((int(x), int(y) + 3), (44, 34), 0), (20, 18, 18), -1)
    hidden = subject(160, photo=photo)
    assert hidden.wears_dark_glasses
    assert not someone.wears_dark_glasses
    result = shown(hidden, paint(hidden))
    x, y = hidden.mesh.points[list(LEFT_EYE), :2].mean(axis=0).astype(int)
    assert result[y - 6 : y + 7, x - 10 : x + 11].max() < 70


def test_hair_over_the_forehead_stays() -> None:
    photo = skin_photo(440)
    photo[:160, 235:] = (25, 20, 18)
    someone = subject(200, photo=photo)
    result = shown(someone, paint(someone))
    strand = (slice(138, 150), slice(255, 268))
    assert np.abs(result[strand].astype(int) - photo[strand]).mean() < 25


def test_the_other_method_takes_over_and_the_records_say_why() -> None:
    step = ladder(load_config({"source": "-"}), "synthetic")[0]
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    someone = subject(100, photo=noise)
    patch = patch_of(noise, someone.face, step, 0.08, chance())
    assert patch is not None
    assert patch.author == "methods.blur"
    assert (patch.parameters["instead_of"], patch.parameters["because"]) == ("synthetic", "mesh_in_doubt")


@pytest.mark.parametrize("centre", [(10.0, 220.0), (430.0, 220.0), (220.0, 5.0), (220.0, 436.0)])
def test_a_face_that_the_photo_cuts_has_a_defined_result(centre: tuple[float, float]) -> None:
    someone = subject(200, photo=skin_photo(440), centre=centre)
    step = ladder(load_config({"source": "-"}), "synthetic")[0]
    patch = patch_of(someone.rgb, someone.face, step, 0.08, chance())
    assert patch is not None
    assert (patch.region.x1, patch.region.y1) <= (440, 440)
    painted = paint(someone)
    assert painted.alpha.shape == (someone.region.box.height, someone.region.box.width)
    assert painted.alpha.max() == 255


@pytest.mark.parametrize("height_px", [4, 4000])
def test_extreme_sizes_have_a_defined_result(height_px: int) -> None:
    painted = paint(subject(height_px))
    assert painted.alpha.max() > 0


def test_a_grey_photo_stays_grey() -> None:
    photo = skin_photo(440)
    photo[:] = photo.mean(axis=2, keepdims=True)
    someone = subject(200, photo=photo)
    result = shown(someone, paint(someone)).astype(int)
    assert np.abs(np.ptp(result, axis=2)).mean() < 3


def test_a_light_that_seems_green_from_one_side_makes_no_green_cheek() -> None:
    """As it does where the mesh lies on something green there."""
    someone = subject(200)
    terms = np.zeros((9, 3))
    terms[0], terms[1] = (170, 130, 110), (60, -60, 0)
    someone.__dict__["light"] = Light(terms)
    result = shown(someone, paint(someone))
    left, right = (hue(result, someone.mesh.points[number, :2]) for number in (50, 280))
    assert right / left < 1.6  # 2.2 where hues are let be


def hue(rgb: Pixels, at: np.ndarray) -> float:
    """Red by green about a place."""
    x, y = at.astype(int)
    red, green, _ = rgb[y - 6 : y + 7, x - 6 : x + 7].reshape(-1, 3).mean(axis=0)
    return float(red / green)


def test_what_lies_in_front_stays_where_it_was_however_features_move() -> None:
    someone = subject(160, yaw=0.3)
    new_shape = moved(someone.shape, drawn_moves(np.random.default_rng(1), 2.0))
    before = projection(someone.mesh.points, someone.region.box)
    after = projection(someone.pose.placed(new_shape), someone.region.box)
    front = np.zeros((128, 128), np.float32)
    cv2.circle(front, (50, 40), 14, 1.0, -1)  # on brow and eye, where much moves
    there = before.shown(front) * before.covered
    off = np.abs(after.shown(_on_moved(front, new_shape - someone.shape)) * after.covered - there).sum()
    left_alone = np.abs(after.shown(front) * after.covered - there).sum()
    assert off < 0.4 * left_alone
