"""Which pixels change for a face: its head, however it is turned, and a soft edge outside it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from faces import HEAD_ASPECT, face, head
from photo_anonymizer.methods.region import MIN_SIDE_PX, Region, Shape, region_of
from photo_anonymizer.model.face import Face, Landmarks, estimated_landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.head import head_outline

SHAPES: tuple[Shape, ...] = ("ellipse", "rectangle", "rounded", "circle")
SIDE_PX = 240
MIDDLE = SIDE_PX / 2
ROLLS = st.floats(-math.pi, math.pi)
YAWS = st.floats(-math.pi / 2, math.pi / 2)


def region(
    seen: Face, shape: Shape = "ellipse", *, scale: float = 1.35, feather: float = 0.08, hair: bool = False
) -> Region:
    found = region_of(seen, (SIDE_PX, SIDE_PX), scale=scale, feather=feather, shape=shape, hair=hair)
    assert found is not None
    return found


def on_photo(found: Region) -> np.ndarray:
    """The region's alpha on the whole photo."""
    alpha = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    alpha[found.box.slices] = found.alpha
    return alpha


def ellipse_pixels(centre: tuple[float, float], half_axes: tuple[float, float], roll_rad: float = 0) -> np.ndarray:
    """Bool (SIDE_PX, SIDE_PX): pixels whose centres lie in the ellipse."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
    x, y = x - centre[0], y - centre[1]
    across = x * math.cos(roll_rad) + y * math.sin(roll_rad)
    down = y * math.cos(roll_rad) - x * math.sin(roll_rad)
    return np.hypot(across / half_axes[0], down / half_axes[1]) <= 1


def as_before(box: Box, shape: Shape, scale: float) -> np.ndarray:
    """The enlarged box itself, its ellipse, or a circle as wide as its longer side."""
    core, (x, y) = box.scaled(scale), box.centre
    if shape == "rectangle":
        rows, columns = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
        return (abs(columns - x) <= core.width / 2) & (abs(rows - y) <= core.height / 2)
    longer = max(core.width, core.height)
    width, height = (longer, longer) if shape == "circle" else (core.width, core.height)
    return ellipse_pixels((x, y), (width / 2, height / 2))


def elongation(alpha: np.ndarray, roll_rad: float) -> float:
    """How much longer the changed pixels are along the head than across it: ratio of standard deviations."""
    y, x = np.nonzero(alpha == 255)
    x, y = x - x.mean(), y - y.mean()
    across = x * math.cos(roll_rad) + y * math.sin(roll_rad)
    along = y * math.cos(roll_rad) - x * math.sin(roll_rad)
    return float(along.std() / across.std())


class TestCore:
    @pytest.mark.parametrize("shape", SHAPES)
    @given(
        x=st.floats(-20, 200),
        y=st.floats(-20, 200),
        width=st.floats(2, 90),
        height=st.floats(2, 90),
        scale=st.floats(1.2, 3),
        marks=st.sampled_from(["none", "frontal", "left", "right", "above"]),
        hair=st.booleans(),
    )
    @settings(max_examples=60, deadline=None)
    def test_of_an_upright_face_it_contains_all_of_the_enlarged_box_shape(
        self, shape: Shape, x: float, y: float, width: float, height: float, scale: float, marks: str, hair: bool
    ) -> None:
        seen = face(x, y, width, height)
        if marks == "none":
            seen = seen.model_copy(update={"landmarks": estimated_landmarks(seen.box)})
        elif marks != "frontal":
            aside, up = {"left": (-0.25, 0), "right": (0.25, 0), "above": (0, -0.2)}[marks]
            moved = {
                name: (px + aside * width, py + up * height)
                for name, (px, py) in zip(Landmarks.model_fields, seen.landmarks.points, strict=True)
            }
            seen = seen.model_copy(update={"landmarks": Landmarks(**moved)})
        core = as_before(seen.box, shape, scale)
        assume(core.any())
        assert (on_photo(region(seen, shape, scale=scale, hair=hair))[core] == 255).all()

    @pytest.mark.parametrize("shape", SHAPES)
    @given(half_width=st.floats(4, 40), roll=ROLLS, yaw=YAWS, scale=st.floats(1.2, 1.6))
    @settings(max_examples=60, deadline=None)
    def test_it_contains_the_head_with_a_margin_however_it_is_turned(
        self, shape: Shape, half_width: float, roll: float, yaw: float, scale: float
    ) -> None:
        half_axes = 0.97 * scale * half_width, 0.97 * scale * half_width * HEAD_ASPECT
        alpha = on_photo(region(head(MIDDLE, MIDDLE, half_width, roll, yaw_rad=yaw), shape, scale=scale))
        assert (alpha[ellipse_pixels((MIDDLE, MIDDLE), half_axes, roll)] == 255).all()

    @pytest.mark.parametrize("shape", ["ellipse", "rectangle"])
    @pytest.mark.parametrize("degrees", [0, 30, 45, 60, 90, 135, 180, -45, -120])
    def test_it_lies_along_the_head(self, shape: Shape, degrees: float) -> None:
        roll = math.radians(degrees)
        assert elongation(on_photo(region(head(MIDDLE, MIDDLE, 40, roll), shape)), roll) > 1.15

    @pytest.mark.parametrize("shape", ["ellipse", "rectangle"])
    @pytest.mark.parametrize("degrees", [45, 135, -45])
    def test_a_shape_that_ignores_the_roll_would_be_noticed(self, shape: Shape, degrees: float) -> None:
        """What the test above would see of a region that is always upright."""
        roll = math.radians(degrees)
        turned = head(MIDDLE, MIDDLE, 40, roll)
        ignoring = turned.model_copy(update={"landmarks": estimated_landmarks(turned.box)})
        assert elongation(on_photo(region(ignoring, shape)), roll) < 1.1

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("hair", [False, True])
    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_of_a_head_on_its_side_or_upside_down_it_is_the_upright_one_turned(
        self, shape: Shape, hair: bool, quarters: int
    ) -> None:
        upright = on_photo(region(head(MIDDLE, MIDDLE, 30, yaw_rad=0.7), shape, hair=hair)).astype(int)
        seen = head(MIDDLE, MIDDLE, 30, quarters * math.pi / 2, yaw_rad=0.7)
        turned = on_photo(region(seen, shape, hair=hair)).astype(int)
        assert abs(turned - np.rot90(upright, -quarters)).max() <= 3
        assert abs(turned - np.rot90(upright, 1 - quarters)).max() == 255

    @pytest.mark.parametrize("degrees", [0, 90, 180, -120])
    def test_hair_is_covered_where_the_top_of_the_head_is(self, degrees: float) -> None:
        roll = math.radians(degrees)
        seen = head(MIDDLE, MIDDLE, 30, roll)
        above = MIDDLE + 65 * math.sin(roll), MIDDLE - 65 * math.cos(roll)
        below = MIDDLE - 65 * math.sin(roll), MIDDLE + 65 * math.cos(roll)
        bare, haired = on_photo(region(seen)), on_photo(region(seen, hair=True))
        assert haired[int(above[1]), int(above[0])] == 255
        assert bare[int(above[1]), int(above[0])] == 0
        assert haired[int(below[1]), int(below[0])] == 0

    @pytest.mark.parametrize("roll", [0, 0.8])
    def test_it_is_not_needlessly_large(self, roll: float) -> None:
        """About as many pixels as the head's own ellipse at that scale has."""
        wanted = ellipse_pixels((MIDDLE, MIDDLE), (1.35 * 40, 1.35 * 40 * HEAD_ASPECT), roll).sum()
        assert (on_photo(region(head(MIDDLE, MIDDLE, 40, roll), feather=0)) == 255).sum() < 1.15 * wanted

    @pytest.mark.parametrize("shape", SHAPES)
    def test_the_smallest_face_changes_some_pixels_all_the_same(self, shape: Shape) -> None:
        core = region(face(100, 100, 0.5, 0.5), shape).core
        assert min(core.width, core.height) >= MIN_SIDE_PX

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("roll", [0, 0.6, 2.5])
    def test_its_bounds_are_told(self, shape: Shape, roll: float) -> None:
        found = region(head(MIDDLE, MIDDLE, 30, roll), shape, feather=0)
        rows, columns = np.nonzero(on_photo(found) == 255)
        core = found.core
        assert (columns.min(), rows.min()) == pytest.approx((core.x0, core.y0), abs=2.5)
        assert (columns.max() + 1, rows.max() + 1) == pytest.approx((core.x1, core.y1), abs=2.5)


class TestEdge:
    @pytest.mark.parametrize("shape", SHAPES)
    @given(roll=ROLLS, yaw=YAWS, feather=st.floats(0, 0.5), hair=st.booleans())
    @settings(max_examples=40, deadline=None)
    def test_it_is_soft_outside_the_core_only_and_ends_inside_the_box(
        self, shape: Shape, roll: float, yaw: float, feather: float, hair: bool
    ) -> None:
        seen = head(MIDDLE, MIDDLE, 18, roll, yaw_rad=yaw)
        found = region(seen, shape, feather=feather, hair=hair)
        alpha = on_photo(found)
        outline = head_outline(seen, 1.35, hair=hair)
        y, x = np.mgrid[:SIDE_PX, :SIDE_PX] + 0.5
        across, down = outline.in_head(x, y)
        aside = across / np.where(across > 0, outline.right, outline.left)
        radius = np.hypot(aside, down / np.where(down > 0, outline.down, outline.up))
        assert (alpha[radius <= 1] == 255).all()
        rim = np.concatenate([found.alpha[0], found.alpha[-1], found.alpha[:, 0], found.alpha[:, -1]])
        assert rim.max() <= (0.02 if feather <= 0.1 else 0.1) * 255

    def test_a_wider_edge_changes_more_pixels_a_little(self) -> None:
        seen = head(MIDDLE, MIDDLE, 30, 0.4)
        narrow, wide = on_photo(region(seen, feather=0)), on_photo(region(seen, feather=0.3))
        assert ((wide > 0) & (wide < 255)).sum() > 3 * ((narrow > 0) & (narrow < 255)).sum()
        assert (wide >= narrow).all()
