"""The avatar is one drawn head for everybody, turned as the photo's head is, lit as that is, and knows nothing else."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces import face, head, noise_picture
from photo_anonymizer.config import load_config
from photo_anonymizer.detection import DETECTORS
from photo_anonymizer.methods import avatar
from photo_anonymizer.methods.avatar import GROWTHS, Avatar, filling, place_by_landmarks, place_by_mesh
from photo_anonymizer.methods.lamp import Lamp
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.face import Face, estimated_landmarks
from photo_anonymizer.model.geometry import intersection_over_union
from photo_anonymizer.model.pixels import Pixels
from subjects import posed, region_in

STYLES = ("head", "silhouette")
EVEN = Lamp(0, 0, 144)


def painted(subject: Subject, style: str = "head") -> Pixels:
    return Avatar().paint(subject, {"style": style}, np.random.default_rng(0)).pixels


def grey(level: int = 128, side: int = 400) -> Pixels:
    return np.full((side, side, 3), level, np.uint8)


def shown(rgb: Pixels, subject: Subject, style: str = "head") -> Pixels:
    """The whole photo with the avatar in it."""
    made = Avatar().paint(subject, {"style": style}, np.random.default_rng(0))
    result = rgb.astype(np.float64)
    share = made.alpha[..., np.newaxis] / 255
    result[subject.region.box.slices] *= 1 - share
    result[subject.region.box.slices] += made.pixels * share
    return result.astype(np.uint8)


def dark_middle(pixels: Pixels) -> tuple[float, float]:
    """Where eyes, brows and mouth are on the whole, (x, y), as seen from the picture's middle."""
    rows, columns = np.nonzero(pixels.max(axis=2) < 90)
    return float(columns.mean() - pixels.shape[1] / 2), float(rows.mean() - pixels.shape[0] / 2)


@pytest.fixture
def evenly_lit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avatar, "lamp_by_mesh", lambda _: EVEN)
    monkeypatch.setattr(avatar, "lamp_by_box", lambda _: EVEN)


class TestTheSameForEverybody:
    @pytest.mark.usefixtures("evenly_lit")
    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("logit", [20, -5])
    def test_nothing_of_the_face_enters_but_its_turn_place_size_and_light(self, style: str, logit: float) -> None:
        one = noise_picture(300, 300, 1)
        region, other = posed(one, 50, yaw_deg=20, roll_deg=9).region, one.copy()
        other[region.box.slices][region.alpha > 0] = noise_picture(300, 300, 2)[region.box.slices][region.alpha > 0]
        first, second = (painted(posed(rgb, 50, yaw_deg=20, roll_deg=9, logit=logit), style) for rgb in (one, other))
        assert np.array_equal(first, second)

    def test_the_colour_of_the_skin_does_not_enter(self) -> None:
        """Three skins of one brightness."""
        made = []
        for colour in ((200, 53, 43), (20, 137, 84), (96, 96, 96)):
            photo = np.full((300, 300, 3), (90, 100, 140), np.uint8)
            region = posed(photo, 50).region
            photo[region.box.slices][region.alpha > 0] = colour
            made.append(painted(posed(photo, 50)))
        assert np.array_equal(made[0], made[1])
        assert np.array_equal(made[0], made[2])

    @pytest.mark.usefixtures("evenly_lit")
    def test_two_faces_of_one_turn_differ_in_nothing_but_their_place(self) -> None:
        """The mesh's own form, which tells people apart, is reduced to turn, place and size."""
        photo = grey()
        plain, other = posed(photo, 60), posed(photo, 60)
        points = other.mesh.points
        points[:, :2] += np.random.default_rng(0).normal(0, 1.5, points[:, :2].shape)  # another face
        place, moved = place_by_mesh(plain), place_by_mesh(other)
        assert (place.yaw_deg, place.pitch_deg) == (moved.yaw_deg, moved.pitch_deg)
        assert moved.scale == pytest.approx(place.scale, rel=0.02)


@pytest.mark.usefixtures("evenly_lit")
class TestTurn:
    def test_it_looks_where_the_head_looks(self) -> None:
        left, ahead, right = (dark_middle(painted(posed(grey(), 80, yaw_deg=yaw)))[0] for yaw in (-30, 0, 30))
        assert left < ahead - 8
        assert right > ahead + 8

    @pytest.mark.parametrize("style", STYLES)
    def test_left_and_right_are_mirror_images(self, style: str) -> None:
        photo = grey()
        left, right = (shown(photo, posed(photo, 80, yaw_deg=yaw), style) for yaw in (-30, 30))
        assert np.abs(left[:, ::-1].astype(int) - right).mean() < 1.5
        assert np.abs(left.astype(int) - right).mean() > 4

    def test_it_is_bowed_as_the_head_is(self) -> None:
        up, down = (dark_middle(painted(posed(grey(), 80, pitch_deg=pitch)))[1] for pitch in (-25, 25))
        assert down > up + 10

    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_on_its_side_or_upside_down_it_is_the_upright_one_turned(self, style: str, quarters: int) -> None:
        photo = grey()
        upright = shown(photo, posed(photo, 80, yaw_deg=20), style)
        turned = shown(photo, posed(photo, 80, yaw_deg=20, roll_deg=90 * quarters), style)
        assert np.abs(np.rot90(upright, -quarters).astype(int) - turned).mean() < 1.5

    def test_a_profile_is_drawn_too(self) -> None:
        photo = grey(60)
        made = painted(posed(photo, 80, yaw_deg=90))
        assert made.max() > 150

    @pytest.mark.parametrize("yaw_deg", [-50, -20, 0, 20, 50])
    def test_landmarks_tell_it_where_the_mesh_does_not(self, yaw_deg: int) -> None:
        subject = posed(grey(), 80, yaw_deg=yaw_deg, roll_deg=30, logit=-3)
        place = place_by_landmarks(subject)
        assert abs(place.yaw_deg - yaw_deg) <= 10
        assert place.roll_rad == pytest.approx(math.radians(30), abs=0.02)

    def test_without_landmarks_it_looks_straight_ahead(self) -> None:
        someone = face(100, 100, 120, 160)
        someone = someone.model_copy(update={"landmarks": estimated_landmarks(someone.box)})
        place = place_by_landmarks(Subject(grey(), someone, region_in(grey(), someone)))
        assert (place.yaw_deg, place.pitch_deg, place.roll_rad) == (0, 0, 0)

    @given(half_width=st.floats(16, 90), yaw=st.integers(-25, 25), roll=st.integers(-180, 180))
    @settings(max_examples=25, deadline=None)
    def test_mesh_and_landmarks_put_it_in_about_the_same_place(self, half_width: float, yaw: int, roll: int) -> None:
        subject = posed(grey(), half_width, yaw_deg=yaw, roll_deg=roll)
        one, other = place_by_mesh(subject), place_by_landmarks(subject)
        assert math.dist(one.pivot, other.pivot) < 0.25 * half_width
        assert other.scale == pytest.approx(one.scale, rel=0.25)

    def test_the_records_say_what_told_it(self) -> None:
        for logit, told in ((20, "mesh"), (-3, "landmarks")):
            made = Avatar().paint(
                posed(grey(), 60, yaw_deg=21, logit=logit), {"style": "head"}, np.random.default_rng(0)
            )
            assert made.about["turned_by"] == told
            assert made.about["yaw_deg"] == pytest.approx(21, abs=6)


class TestLight:
    def brightness(self, pixels: Pixels) -> tuple[float, float]:
        """Of the left and the right half of the head's middle."""
        rows, columns = pixels.shape[:2]
        middle = pixels[rows // 3 : 2 * rows // 3]
        return float(middle[:, columns // 4 : columns // 2].mean()), float(
            middle[:, columns // 2 : 3 * columns // 4].mean()
        )

    @pytest.mark.parametrize("roll_deg", [0, 180])
    def test_the_side_is_bright_from_which_light_comes(self, monkeypatch: pytest.MonkeyPatch, roll_deg: int) -> None:
        for across in (-0.6, 0.6):
            monkeypatch.setattr(avatar, "lamp_by_mesh", lambda _, across=across: Lamp(across, 0, 144))
            left, right = self.brightness(painted(posed(grey(), 80, roll_deg=roll_deg)))
            assert (right > left + 5) == (across > 0)
            assert (left > right + 5) == (across < 0)

    @pytest.mark.parametrize("style", STYLES)
    def test_in_a_dark_photo_it_is_dark(self, style: str) -> None:
        night, day = (painted(posed(grey(level), 80), style) for level in (25, 180))
        assert night.max() < 120 < day.max()

    def test_in_a_photo_without_colour_it_has_none(self) -> None:
        made = painted(posed(grey(), 80))
        assert np.array_equal(made[..., 0], made[..., 1])
        assert np.array_equal(made[..., 0], made[..., 2])
        coloured = grey()
        coloured[:200] = (90, 110, 160)
        assert not np.array_equal(*painted(posed(coloured, 80))[..., :2].transpose(2, 0, 1))


class TestPlace:
    @given(half_width=st.floats(3, 80), yaw=st.integers(-80, 80), roll=st.integers(-180, 180))
    @settings(max_examples=25, deadline=None)
    def test_the_whole_region_is_replaced(self, half_width: float, yaw: int, roll: int) -> None:
        subject = posed(noise_picture(300, 300), half_width, yaw_deg=yaw, roll_deg=roll)
        made = Avatar().paint(subject, {"style": "head"}, np.random.default_rng(0))
        assert np.array_equal(made.alpha, subject.region.alpha)

    @given(half_width=st.floats(3, 80), yaw=st.integers(-80, 80), scale=st.floats(1.2, 3))
    @settings(max_examples=25, deadline=None)
    def test_it_is_enlarged_within_limits_to_fill_its_region(self, half_width: float, yaw: int, scale: float) -> None:
        subject = posed(noise_picture(300, 300), half_width, yaw_deg=yaw)
        place = place_by_landmarks(subject)
        grown = filling(place, region_in(subject.rgb, subject.face, scale=scale)).scale / place.scale
        assert GROWTHS[0] - 1e-9 <= grown <= GROWTHS[1] + 1e-9

    def test_above_the_brows_only_the_head_is_seen_where_hair_stays(self) -> None:
        """A green background never shows between head and hair."""
        photo = np.full((400, 400, 3), (0, 255, 0), np.uint8)
        subject = posed(photo, 80)
        made, alpha = painted(subject), subject.region.alpha
        upper = made[: made.shape[0] // 3][alpha[: made.shape[0] // 3] == 255].astype(int)
        green = upper[:, 1] - upper[:, [0, 2]].max(axis=1) > 40
        assert green.mean() < 0.06

    def test_beside_the_neck_lies_what_is_around(self) -> None:
        photo = np.full((400, 400, 3), (0, 255, 0), np.uint8)
        made = painted(posed(photo, 80))
        assert tuple(made[-3, 3]) == (0, 255, 0)

    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("width", [0.5, 4, 9, 31, 33, 130, 1100])
    def test_every_size_has_one(self, style: str, width: float) -> None:
        side = max(40, int(2 * width))
        photo = noise_picture(side, side)
        someone = face(side / 2 - width / 2, side / 2 - width / 2, width, 1.3 * width)
        subject = Subject(photo, someone, region_in(photo, someone))
        made = painted(subject, style)
        assert made.shape == (*subject.region.alpha.shape, 3)
        assert made.dtype == np.uint8

    @pytest.mark.parametrize(
        "someone", [face(-30, -20, 60, 80), face(170, 150, 60, 80), face(-200, -200, 600, 700), head(0, 100, 40, 1.2)]
    )
    def test_a_face_cut_by_the_border_has_a_part_of_one(self, someone: Face) -> None:
        photo = noise_picture(200, 200)
        subject = Subject(photo, someone, region_in(photo, someone))
        assert painted(subject).shape[:2] == subject.region.alpha.shape

    @pytest.mark.usefixtures("evenly_lit")
    def test_large_ones_look_like_small_ones(self) -> None:
        small, large = (painted(posed(grey(side=side), side / 5)) for side in (300, 1500))
        shrunk = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - small).mean() < 4


class TestLook:
    @pytest.mark.parametrize("name", ["mediapipe_full_range", "mediapipe_short_range", "retinaface"])
    @pytest.mark.parametrize("yaw_deg", [-25, 0, 25])
    def test_a_detector_takes_it_for_a_face(self, name: str, yaw_deg: int) -> None:
        photo = grey(150, 300)
        subject = posed(photo, 45, yaw_deg=yaw_deg)
        detector = DETECTORS.load(name)(load_config({"source": "x"}).detection, 1)
        found = detector.detect(shown(photo, subject))
        assert any(intersection_over_union(one.box, subject.face.box) > 0.3 for one in found)

    def test_a_silhouette_has_no_features(self) -> None:
        subject = posed(grey(150, 300), 45)
        middle = painted(subject, "silhouette")[40:-60, 40:-40].astype(np.float32)
        fine = np.abs(middle - cv2.GaussianBlur(middle, (0, 0), 5))
        assert fine.max() < 6
        features: Any = painted(subject)[40:-60, 40:-40].astype(np.float32)
        assert np.abs(features - cv2.GaussianBlur(features, (0, 0), 5)).max() > 40
