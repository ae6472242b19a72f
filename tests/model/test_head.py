"""Where a head is: what the box says, enlarged by what the landmarks say, turned as the head is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faces import face, head
from photo_anonymizer.model.face import Face, Landmarks, estimated_landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.head import (
    MAX_GROWTH,
    HeadOutline,
    head_outline,
    head_roll_rad,
    head_yaw_rad,
    usable_landmarks,
)

ROLLS = st.floats(-math.pi, math.pi)
YAWS = st.floats(-math.pi / 2, math.pi / 2)
SCALES = st.floats(1.2, 3)
SIDES = st.floats(3, 2000)
PLACES = st.floats(-500, 500)
BOXES = st.builds(lambda x, y, w, h: Box(x0=x, y0=y, x1=x + w, y1=y + h), PLACES, PLACES, SIDES, SIDES)
ANY_POINT = st.tuples(*[st.floats(-3000, 3000) | st.sampled_from([math.nan, math.inf, -math.inf])] * 2)
ANY_LANDMARKS = st.builds(
    Landmarks, left_eye=ANY_POINT, right_eye=ANY_POINT, nose=ANY_POINT, left_mouth=ANY_POINT, right_mouth=ANY_POINT
)
OUTLINES = st.builds(HeadOutline, st.tuples(PLACES, PLACES), ROLLS, SIDES, SIDES, SIDES, SIDES)


def of(box: Box, landmarks: Landmarks) -> Face:
    return face(0, 0, 1, 1).model_copy(update={"box": box, "landmarks": landmarks})


def without_landmarks(box: Box) -> Face:
    return of(box, estimated_landmarks(box))


def reaches(outline: HeadOutline) -> np.ndarray:
    return np.array([outline.up, outline.down, outline.left, outline.right])


def contains(outer: Box, inner: Box) -> bool:
    slack = 1e-6 * (inner.width + inner.height)
    return (
        outer.x0 <= inner.x0 + slack
        and outer.y0 <= inner.y0 + slack
        and outer.x1 >= inner.x1 - slack
        and outer.y1 >= inner.y1 - slack
    )


def is_angle(found_rad: float, wanted_rad: float, tolerance_rad: float = 1e-6) -> bool:
    return abs(math.remainder(found_rad - wanted_rad, math.tau)) <= tolerance_rad


class TestRoll:
    @given(roll=ROLLS, yaw=YAWS)
    def test_it_is_the_heads_also_on_the_side_upside_down_and_in_profile(self, roll: float, yaw: float) -> None:
        assert is_angle(head_roll_rad(head(0, 0, 50, roll, yaw_rad=yaw).landmarks), roll)

    @given(roll=ROLLS)
    def test_it_does_not_matter_which_eye_is_called_left(self, roll: float) -> None:
        seen = head(0, 0, 50, roll, aspect=1.1).landmarks
        swapped = seen.model_copy(update={"left_eye": seen.right_eye, "right_eye": seen.left_eye})
        assert is_angle(head_roll_rad(swapped), roll)

    def test_a_bowed_heads_eyes_tell_it_although_eyes_and_mouth_are_near_each_other(self) -> None:
        bowed = Landmarks(
            left_eye=(10, 40), right_eye=(70, 40), nose=(44, 50), left_mouth=(24, 46), right_mouth=(64, 46)
        )
        assert is_angle(head_roll_rad(bowed), 0, math.radians(5))

    @pytest.mark.parametrize("degrees", [0, 30, 90, 150, 180, -90, -135])
    def test_up_is_where_it_says(self, degrees: float) -> None:
        outline = head_outline(head(100, 100, 30, math.radians(degrees)), 1.35)
        up = outline.in_photo(0.0, -1.0)
        assert up == pytest.approx((100 + math.sin(math.radians(degrees)), 100 - math.cos(math.radians(degrees))))


class TestYaw:
    @given(roll=ROLLS, yaw=st.floats(-1.3, 1.3))
    def test_it_is_the_heads_however_that_is_tilted(self, roll: float, yaw: float) -> None:
        assert head_yaw_rad(head(0, 0, 50, roll, yaw_rad=yaw).landmarks) == pytest.approx(yaw, abs=0.25)

    @given(box=BOXES)
    def test_a_face_without_landmarks_looks_straight_ahead(self, box: Box) -> None:
        assert head_yaw_rad(without_landmarks(box).landmarks) == pytest.approx(0, abs=1e-6)

    @given(box=BOXES, landmarks=ANY_LANDMARKS)
    def test_landmarks_that_make_no_face_are_replaced_by_an_upright_faces(self, box: Box, landmarks: Landmarks) -> None:
        usable = usable_landmarks(of(box, landmarks))
        assert usable in (landmarks, estimated_landmarks(box))
        assert abs(head_yaw_rad(usable)) <= math.pi / 2


class TestWhatTheBoxSays:
    @given(box=BOXES, roll=ROLLS, scale=SCALES, hair=st.booleans())
    def test_the_bounds_contain_the_enlarged_box_however_the_head_is_turned(
        self, box: Box, roll: float, scale: float, hair: bool
    ) -> None:
        x, y = box.centre
        marks = head(x, y, min(box.width, box.height) / 2, roll).landmarks
        assert contains(head_outline(of(box, marks), scale, hair=hair).bounds(), box.scaled(scale))

    @given(box=BOXES, scale=SCALES, landmarks=ANY_LANDMARKS)
    def test_they_do_with_any_landmarks(self, box: Box, scale: float, landmarks: Landmarks) -> None:
        assert contains(head_outline(of(box, landmarks), scale).bounds(), box.scaled(scale))

    @given(x=st.floats(0, 900), width=SIDES, aspect=st.floats(1.05, 1.4), scale=SCALES)
    def test_without_landmarks_it_is_the_ellipse_of_the_enlarged_box(
        self, x: float, width: float, aspect: float, scale: float
    ) -> None:
        box = Box(x0=x, y0=x, x1=x + width, y1=x + aspect * width)
        outline = head_outline(without_landmarks(box), scale)
        assert outline.roll_rad == pytest.approx(0, abs=1e-9)
        assert outline.bounds().width == pytest.approx(scale * box.width, rel=0.02)
        assert outline.bounds().height == pytest.approx(scale * box.height, rel=0.02)

    @given(roll=ROLLS, aspect=st.floats(1.1, 1.5))
    def test_of_a_turned_head_it_is_the_head_and_hardly_more(self, roll: float, aspect: float) -> None:
        """At 45° the box does not tell a round head from a long one: a tenth of the margin may go."""
        outline = head_outline(head(0, 0, 100, roll, aspect=aspect), 1.35)
        enlarged = 135 * np.array([aspect, aspect, 1, 1])
        assert (reaches(outline) >= 0.9 * enlarged).all()
        assert (reaches(outline) <= 1.25 * enlarged).all()

    @pytest.mark.parametrize(("width", "height"), [(10, 100), (100, 10)])
    def test_half_a_face_is_taken_for_the_head_that_it_belongs_to(self, width: float, height: float) -> None:
        outline = head_outline(without_landmarks(Box(x0=0, y0=0, x1=width, y1=height)), 1.35)
        assert 1 <= (outline.up + outline.down) / (outline.left + outline.right) <= 1.6


class TestWhatTheLandmarksSay:
    @given(yaw=st.floats(0.5, math.pi / 2), roll=ROLLS)
    def test_a_head_that_shows_its_side_reaches_to_the_ear_behind_and_not_further_ahead(
        self, yaw: float, roll: float
    ) -> None:
        frontal = head_outline(head(0, 0, 100, roll), 1.35)
        to_the_right = head_outline(head(0, 0, 100, roll, yaw_rad=yaw), 1.35)
        to_the_left = head_outline(head(0, 0, 100, roll, yaw_rad=-yaw), 1.35)
        assert to_the_right.left > 1.05 * frontal.left
        assert to_the_right.right == pytest.approx(frontal.right, rel=0.02)
        assert to_the_left.right == pytest.approx(to_the_right.left)
        assert to_the_left.left == pytest.approx(to_the_right.right)

    def test_in_profile_it_reaches_an_ear_that_the_narrow_box_misses(self) -> None:
        """Eyes and mouth 40 px apart at the box's right edge: the ear's rim is some 70 px behind them."""
        profile = of(
            Box(x0=100, y0=100, x1=160, y1=210),
            Landmarks(
                left_eye=(148, 145),
                right_eye=(150, 145),
                nose=(162, 165),
                left_mouth=(148, 185),
                right_mouth=(150, 185),
            ),
        )
        outline = head_outline(profile, 1.35)
        assert outline.centre[0] - outline.left < 149 - 70
        assert profile.box.scaled(1.35).x0 > 149 - 70

    @given(box=BOXES, scale=SCALES, landmarks=ANY_LANDMARKS)
    def test_whatever_they_say_the_outline_grows_within_the_limit(
        self, box: Box, scale: float, landmarks: Landmarks
    ) -> None:
        """No side further than the longer side of the enlarged box allows, also where the roll is nonsense."""
        outline = head_outline(of(box, landmarks), scale)
        longest = scale * max(box.width, box.height) / 2
        assert np.isfinite(reaches(outline)).all()
        assert reaches(outline).max() <= MAX_GROWTH * 1.6 * longest
        assert np.hypot(*np.subtract(outline.centre, box.centre)) == pytest.approx(0)

    @pytest.mark.parametrize(
        "nonsense",
        [
            {"left_eye": (math.nan, 0.0)},
            {"nose": (math.inf, 0.0)},
            {"left_mouth": (9000.0, 0.0)},
            dict.fromkeys(Landmarks.model_fields, (130.0, 150.0)),
        ],
    )
    def test_landmarks_that_make_no_face_are_as_good_as_none(self, nonsense: dict[str, tuple[float, float]]) -> None:
        seen = face(100, 100, 80, 104)
        broken = seen.model_copy(update={"landmarks": seen.landmarks.model_copy(update=nonsense)})
        assert head_outline(broken, 1.35) == head_outline(without_landmarks(seen.box), 1.35)


class TestHair:
    @given(roll=ROLLS, yaw=YAWS, scale=SCALES)
    def test_it_adds_above_and_beside_and_not_below(self, roll: float, yaw: float, scale: float) -> None:
        seen = head(0, 0, 100, roll, yaw_rad=yaw)
        bare, haired = head_outline(seen, scale), head_outline(seen, scale, hair=True)
        assert haired.up > 1.1 * bare.up
        assert haired.left + haired.right > 1.05 * (bare.left + bare.right)
        assert haired.down == bare.down
        assert (reaches(haired) >= reaches(bare)).all()

    def test_a_face_without_landmarks_has_hair_too(self) -> None:
        seen = without_landmarks(Box(x0=0, y0=0, x1=100, y1=130))
        assert head_outline(seen, 1.35, hair=True).up > 1.1 * head_outline(seen, 1.35).up

    @given(box=BOXES, landmarks=ANY_LANDMARKS)
    def test_it_is_limited_like_everything_that_landmarks_say(self, box: Box, landmarks: Landmarks) -> None:
        seen = of(box, landmarks)
        bare, haired = head_outline(seen, 1.35), head_outline(seen, 1.35, hair=True)
        assert (reaches(haired) <= MAX_GROWTH * reaches(bare) * (1 + 1e-9)).all()


class TestOutline:
    @given(outline=OUTLINES)
    @settings(deadline=None)
    def test_the_bounds_touch_it_on_all_sides(self, outline: HeadOutline) -> None:
        points, bounds = outline.polygon(4000), outline.bounds()
        size = max(reaches(outline))
        assert points.min(axis=0) == pytest.approx((bounds.x0, bounds.y0), abs=1e-4 * size)
        assert points.max(axis=0) == pytest.approx((bounds.x1, bounds.y1), abs=1e-4 * size)

    @given(outline=OUTLINES)
    def test_the_bounds_with_corners_are_those_of_the_rectangle_about_it(self, outline: HeadOutline) -> None:
        corners = np.array(
            [
                outline.in_photo(across, down)
                for across in (-outline.left, outline.right)
                for down in (-outline.up, outline.down)
            ]
        )
        bounds = outline.bounds(corners=True)
        assert corners.min(axis=0) == pytest.approx((bounds.x0, bounds.y0))
        assert corners.max(axis=0) == pytest.approx((bounds.x1, bounds.y1))

    @given(outline=OUTLINES)
    def test_the_circle_contains_it(self, outline: HeadOutline) -> None:
        circle = outline.circle()
        distances = np.hypot(*(outline.polygon(720) - circle.centre).T)
        assert distances.max() <= circle.up * (1 + 1e-9)
        assert len(set(reaches(circle))) == 1

    @given(outline=OUTLINES, x=PLACES, y=PLACES)
    def test_points_come_back_from_the_heads_frame(self, outline: HeadOutline, x: float, y: float) -> None:
        assert outline.in_photo(*outline.in_head(x, y)) == pytest.approx((x, y), abs=1e-6)
