"""A mask is opaque, and the same whoever is behind it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from faces import face, head, noise_picture
from photo_anonymizer.config import DRAWN_ICONS, load_config
from photo_anonymizer.mesh.topology import OVAL
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.mask import Mask
from photo_anonymizer.methods.protocol import Painted
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import Patch, compose
from photo_anonymizer.model.pixels import Pixels
from subjects import posed, region_in

OUTLINE = {"colour": "#102030", "icon": None, "outline": 1.25, "feather": 0.08}


def masked(rgb: Pixels, someone: Face, feather: float = 0.0, **mask: Any) -> Patch:
    step = ladder(load_config({"source": "x", "mask": mask}), "mask")[0]
    patch = patch_of(rgb, someone, step, feather, np.random.default_rng(0))
    assert patch is not None
    return patch


def painted(subject: Subject, parameters: dict[str, Any]) -> Painted:
    return Mask().paint(subject, parameters, np.random.default_rng(0))


class TestShapes:
    @pytest.mark.parametrize(
        ("shape", "corner_covered"), [("ellipse", False), ("rectangle", True), ("rounded", False), ("outline", False)]
    )
    def test_they_are_of_the_chosen_colour(self, shape: str, corner_covered: bool) -> None:
        photo = noise_picture(100, 100)
        result = compose(photo, [masked(photo, face(30, 30, 30, 40), shape=shape, colour="#102030")])
        assert tuple(result[50, 45]) == (0x10, 0x20, 0x30)
        assert (tuple(result[25, 26]) == (0x10, 0x20, 0x30)) == corner_covered

    def test_a_rounded_box_lies_between_ellipse_and_rectangle(self) -> None:
        photo, someone = noise_picture(200, 200), head(100, 100, 40, 0.4)
        covered = {}
        for shape in ("ellipse", "rounded", "rectangle"):
            covered[shape] = np.zeros((200, 200), bool)
            patch = masked(photo, someone, shape=shape)
            covered[shape][patch.region.slices] = patch.alpha == 255
        assert not (covered["ellipse"] & ~covered["rounded"]).any()
        assert not (covered["rounded"] & ~covered["rectangle"]).any()
        assert covered["ellipse"].sum() < covered["rounded"].sum() < covered["rectangle"].sum()


class TestOutline:
    def test_forehead_ears_and_jaw_are_inside_and_less_is_covered_than_by_an_ellipse(self) -> None:
        subject = posed(noise_picture(300, 300), 60)
        made = painted(subject, OUTLINE)
        box = subject.region.box
        oval = subject.mesh.points[list(OVAL), :2]
        middle = (oval.min(axis=0) + oval.max(axis=0)) / 2

        def within(times: float) -> np.ndarray:
            inside = np.zeros(made.alpha.shape, np.uint8)
            cv2.fillConvexPoly(inside, np.int32(middle + times * (oval - middle) - (box.x0, box.y0)), 1)
            return inside == 1

        assert (made.alpha[within(1.05)] == 255).all()
        assert (made.alpha[within(1.23)] == 255)[subject.region.alpha[within(1.23)] == 255].all()
        assert (made.alpha[~within(1.5)] == 0).all()
        assert made.about == {"shape": "outline"}
        assert (made.alpha == 255).sum() < 0.95 * (subject.region.alpha == 255).sum()

    def test_it_never_leaves_the_region(self) -> None:
        subject = posed(noise_picture(300, 300), 60, roll_deg=50)
        assert (painted(subject, {**OUTLINE, "outline": 2.5}).alpha <= subject.region.alpha).all()

    def test_the_detected_box_is_covered_whatever_the_mesh_says(self) -> None:
        subject = posed(noise_picture(300, 300), 60)
        subject.mesh.points[:] = subject.mesh.points / 20 + 140
        made, box = painted(subject, OUTLINE), subject.region.box
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1] + 0.5
        own = subject.face.box
        away = np.hypot((x - own.centre[0]) / (own.width / 2), (y - own.centre[1]) / (own.height / 2))
        assert (made.alpha[away <= 0.98] == 255).all()

    @pytest.mark.parametrize(
        "subject",
        [
            posed(noise_picture(300, 300), 60, logit=-1),
            posed(noise_picture(300, 300), 60, yaw_deg=45),
            posed(noise_picture(60, 60), 8),
        ],
        ids=["unsure", "turned to the side", "small"],
    )
    def test_where_the_mesh_does_not_tell_it_is_an_ellipse_and_says_so(self, subject: Subject) -> None:
        made = painted(subject, OUTLINE)
        assert np.array_equal(made.alpha, subject.region.alpha)
        assert made.about == {"shape": "ellipse"}

    def test_its_records_say_what_it_became(self) -> None:
        photo = np.full((200, 200, 3), 128, np.uint8)
        assert masked(photo, face(60, 60, 60, 80), shape="outline").parameters["shape"] == "ellipse"


class TestLocalColour:
    def test_it_is_that_of_what_is_around(self) -> None:
        photo = np.full((120, 120, 3), (96, 160, 32), np.uint8)
        photo[40:90, 40:80] = 255
        patch = masked(photo, face(42, 42, 35, 45), colour="local")
        assert (patch.pixels == (96, 160, 32)).all()

    def test_nothing_that_is_covered_even_a_little_enters(self) -> None:
        one, someone = noise_picture(120, 120, 1), face(42, 42, 35, 45)
        region = region_in(one, someone)
        other = one.copy()
        other[region.box.slices][region.alpha > 0] = 255
        first, second = (
            painted(Subject(rgb, someone, region), {"colour": "local", "icon": None}) for rgb in (one, other)
        )
        assert np.array_equal(first.pixels, second.pixels)

    def test_a_face_that_fills_the_photo_has_grey(self) -> None:
        patch = masked(noise_picture(40, 40), face(-20, -20, 80, 80), colour="local", shape="rectangle")
        assert (patch.pixels == 128).all()


class TestIcon:
    @pytest.mark.parametrize("name", DRAWN_ICONS)
    def test_each_covers_the_whole_circle(self, name: str) -> None:
        photo = noise_picture(300, 300)
        plain = masked(photo, face(110, 110, 80, 100), shape="icon", icon="smile", colour="#ff00ff")
        patch = masked(photo, face(110, 110, 80, 100), shape="icon", icon=name, colour="#ff00ff")
        assert np.array_equal(patch.alpha, plain.alpha)
        assert (patch.pixels != (255, 0, 255)).any(axis=2).mean() > 0.25

    def test_it_turns_with_the_head(self) -> None:
        plain = np.zeros((320, 320, 3), np.uint8)
        straight, quarter = (
            masked(plain, head(160, 160, 50, turn), shape="icon", colour="#c0c0c0") for turn in (0, np.pi / 2)
        )
        middle = straight.pixels.shape[0] // 2, straight.pixels.shape[1] // 2

        def ink(pixels: np.ndarray) -> np.ndarray:
            dark = np.argwhere(pixels.sum(axis=2) < 200)
            return dark.mean(axis=0) - middle

        # The mouth is the larger half of the ink: below the middle upright, beside it when the head lies on its side.
        assert ink(straight.pixels)[0] > 5
        assert abs(ink(straight.pixels)[1]) < 3
        assert ink(quarter.pixels)[1] < -5

    def test_it_grows_with_the_head(self) -> None:
        photo = np.zeros((600, 600, 3), np.uint8)
        small, large = (
            masked(photo, head(300, 300, half), shape="icon", colour="#c0c0c0").pixels for half in (20, 120)
        )
        ink = [(pixels.sum(axis=2) < 300).sum() for pixels in (small, large)]
        assert ink[1] / ink[0] == pytest.approx(6**2, rel=0.1)

    @pytest.mark.parametrize("half_width", [0.5, 2, 7, 33, 500])
    def test_every_size_has_one(self, half_width: float) -> None:
        photo = np.zeros((1500, 1500, 3), np.uint8)
        patch = masked(photo, head(750, 750, half_width), shape="icon", icon="heart")
        assert patch.pixels.shape[:2] == patch.alpha.shape

    def test_no_icon_named_is_the_smile(self) -> None:
        photo, someone = noise_picture(100, 100), face(30, 30, 30, 40)
        unnamed, named = (masked(photo, someone, shape="icon", icon=name) for name in (None, "smile"))
        assert np.array_equal(unnamed.pixels, named.pixels)

    def test_a_users_picture_is_shown(self, tmp_path: Any) -> None:
        cv2.imwrite(str(tmp_path / "blue.png"), np.full((9, 9, 3), (200, 0, 0), np.uint8))
        patch = masked(noise_picture(100, 100), face(30, 30, 30, 40), shape="icon", icon=str(tmp_path / "blue.png"))
        assert tuple(patch.pixels[patch.pixels.shape[0] // 2, patch.pixels.shape[1] // 2]) == (0, 0, 200)
