"""Persons by their bodies: where the head is, which face is its own, and how sure two looks are together.

A network made here answers where the real one would, so that every figure can be counted by hand; NASA's portrait of
Eileen Collins and pictures without anybody are for the real one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from skimage import data

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection import persons as module
from photo_anonymizer.detection.persons import (
    BESIDE_FACES_ODDS,
    CHIN_HEADS,
    CIRCLE_HEADS,
    LARGE_PX,
    SECOND_LOOKS,
    SIDE_PX,
    SMALLEST_HEAD,
    persons,
)
from photo_anonymizer.model.geometry import Box

ANCHORS = module.anchor_centres(SIDE_PX, module.ANCHORS_PER_CELL)
SMALL = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
"""A photo that is looked at as a whole only, pixel by pixel."""
UNSEEN = -9.0


class Network:
    """Answers each look with the logit that ``sees`` gives for it, at the anchor nearest to the chin.

    The body stands upright; its head is ``height`` px of the square high.
    """

    def __init__(
        self, sees: Callable[[int], float], chin: tuple[float, float] = (112, 112), height: float = 40
    ) -> None:
        self.sees, self.chin, self.height = sees, np.array(chin), height
        self.pictures: list[np.ndarray] = []

    def __call__(self, name: str, batch: np.ndarray) -> list[np.ndarray]:
        assert name == "pose_detection"
        assert batch.shape == (1, SIDE_PX, SIDE_PX, 3)
        self.pictures.append(batch[0])
        values, logits = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), UNSEEN, np.float32)
        # In the second look the head is as high as a fifth of the square, and lies 1.2 heads above its middle.
        chin, height = self.chin, self.height
        if len(self.pictures) > 1:
            height = SIDE_PX / 5
            chin = np.array([SIDE_PX / 2, SIDE_PX / 2 - (1.2 - CHIN_HEADS) * height])
        place = int(np.linalg.norm(ANCHORS - chin, axis=1).argmin())
        hip = chin + np.array([0, 2 * height])
        circle, shoulder = hip - np.array([0, CIRCLE_HEADS * height]), chin + np.array([0, height / 2])
        points = [chin, (0, 0), hip, circle, shoulder, chin]
        values[0, place] = (np.array(points) - ANCHORS[place]).reshape(-1)
        logits[0, place] = self.sees(len(self.pictures))
        return [values, logits]


@pytest.fixture
def seen(monkeypatch) -> Callable[..., Network]:
    """Puts a :class:`Network` in the place of the real one."""

    def put(sees: Callable[[int], float], **where) -> Network:
        network = Network(sees, **where)
        monkeypatch.setattr(module.tflite, "run", network)
        return network

    return put


def face_at(x: float, y: float, side: float = 40) -> Box:
    return Box(x0=x - side / 2, y0=y - side / 2, x1=x + side / 2, y1=y + side / 2)


def score_of(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


class TestHead:
    def test_the_proposals_lie_on_grids_of_8_16_and_32_px(self) -> None:
        assert ANCHORS.shape == (2254, 2)
        assert ANCHORS[0].tolist() == [4, 4]
        assert ANCHORS[28 * 28 * 2].tolist() == [8, 8]
        assert ANCHORS[-1].tolist() == [208, 208]

    def test_it_lies_above_the_chin_and_is_as_high_as_the_body_s_circle_says(self, seen) -> None:
        seen(lambda _: 3.0, chin=(100, 120), height=40)
        (person,) = persons(SMALL)
        assert person.head.height == pytest.approx(40, abs=0.01)
        assert person.head.centre == pytest.approx((100, 120 - CHIN_HEADS * 40), abs=0.01)
        assert person.up == pytest.approx((0, -1))

    def test_it_is_given_in_the_photo_s_own_pixels(self, seen) -> None:
        seen(lambda look: 3.0 if look == 1 else UNSEEN, chin=(112, 112), height=40)
        wide = np.zeros((224, 448, 3), np.uint8)
        head = persons(wide, [face_at(20, 20)])[0].head
        assert head.height == pytest.approx(80, abs=0.01)
        assert head.centre == pytest.approx((224, 112 - CHIN_HEADS * 80), abs=0.01)

    def test_it_is_never_smaller_than_what_the_network_can_see(self, seen) -> None:
        seen(lambda _: 3.0, height=0.5)
        assert persons(SMALL)[0].head.height == pytest.approx(SMALLEST_HEAD * SIDE_PX)


class TestScore:
    def test_both_looks_count_the_first_twice(self, seen) -> None:
        seen(lambda look: 1.5 if look == 1 else -0.6)
        assert persons(SMALL)[0].score == pytest.approx(score_of((2 * 1.5 - 0.6) / 3), abs=1e-6)

    def test_a_person_whom_the_second_look_does_not_see_is_in_doubt(self, seen) -> None:
        seen(lambda look: 1.0 if look == 1 else UNSEEN)
        assert persons(SMALL)[0].score < DetectionConfig().person_score

    def test_nobody_is_found_where_the_network_sees_nobody(self, seen) -> None:
        network = seen(lambda _: UNSEEN)
        assert persons(SMALL) == ()
        assert len(network.pictures) == 1

    def test_beside_faces_more_certainty_is_asked(self, seen) -> None:
        seen(lambda _: 0.0)
        assert persons(SMALL)[0].score == pytest.approx(0.5)
        seen(lambda _: 0.0)
        odds = BESIDE_FACES_ODDS
        assert persons(SMALL, [face_at(10, 10, 8)])[0].score == pytest.approx(odds / (1 + odds))

    def test_one_look_cannot_decide_alone(self, seen) -> None:
        seen(lambda look: 1e9 if look == 1 else -1e9)
        assert persons(SMALL)[0].score < 1

    def test_an_answer_that_is_no_number_is_not_taken_for_nobody(self, seen) -> None:
        seen(lambda _: math.nan)
        assert not persons(SMALL)[0].score < DetectionConfig().person_score


class TestFaces:
    HEAD = (112, 112 - CHIN_HEADS * 40)

    @pytest.mark.parametrize(("away_heads", "whose"), [(0, "its own"), (0.95, "its own"), (1.05, "somebody else's")])
    def test_a_face_within_a_head_s_height_is_the_person_s(self, seen, away_heads: float, whose: str) -> None:
        seen(lambda _: 3.0)
        found = persons(SMALL, [face_at(self.HEAD[0] + 40 * away_heads, self.HEAD[1])])
        assert len(found) == (whose != "its own")

    def test_a_large_face_reaches_further(self, seen) -> None:
        seen(lambda _: 3.0)
        assert persons(SMALL, [face_at(self.HEAD[0] + 50, self.HEAD[1], side=60)]) == ()

    def test_no_second_look_is_spent_on_who_has_a_face(self, seen) -> None:
        network = seen(lambda _: 3.0)
        persons(SMALL, [face_at(*self.HEAD)])
        assert len(network.pictures) == 1


class TestCost:
    def test_parts_are_looked_at_where_no_face_was_found(self, seen) -> None:
        network = seen(lambda _: UNSEEN)
        persons(np.zeros((600, 900, 3), np.uint8))
        assert len(network.pictures) == 1 + 4

    def test_beside_faces_the_whole_is_enough(self, seen) -> None:
        network = seen(lambda _: UNSEEN)
        persons(np.zeros((800, 1200, 3), np.uint8), [face_at(50, 50)])
        assert len(network.pictures) == 1

    def test_but_not_in_large_photos(self, seen) -> None:
        network = seen(lambda _: UNSEEN)
        persons(np.zeros((LARGE_PX * 2 // 3, LARGE_PX, 3), np.uint8), [face_at(50, 50)])
        assert len(network.pictures) == 1 + 4

    def test_second_looks_are_bounded(self, monkeypatch) -> None:
        looks = []

        def everywhere(name: str, batch: np.ndarray) -> list[np.ndarray]:
            looks.append(name)
            return [np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), 3.0, np.float32)]

        monkeypatch.setattr(module.tflite, "run", everywhere)
        assert len(persons(SMALL)) == SECOND_LOOKS
        assert len(looks) == 1 + SECOND_LOOKS


class TestInput:
    def test_values_go_from_minus_one_to_one(self, seen) -> None:
        network = seen(lambda _: UNSEEN)
        half = SMALL.copy()
        half[:, 112:] = 255
        persons(half)
        assert network.pictures[0][:, :112].max() == -1
        assert network.pictures[0][:, 112:].min() == 1

    def test_beyond_the_photo_is_black_and_the_photo_in_the_middle(self, seen) -> None:
        network = seen(lambda _: UNSEEN)
        persons(np.full((100, 200, 3), 255, np.uint8))
        (picture,) = network.pictures
        assert (picture[:56] == -1).all()
        assert (picture[56:168] == 1).all()
        assert (picture[168:] == -1).all()

    @pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 5)])
    def test_a_photo_of_any_shape_can_be_looked_at(self, seen, size: tuple[int, int]) -> None:
        seen(lambda _: 3.0)
        assert persons(np.full((*size, 3), 90, np.uint8))


class TestRealNetwork:
    FACE = Box(x0=173, y0=65, x1=272, y1=199)

    def test_a_portrait_shows_an_upright_person_whose_head_is_at_the_face(self, astronaut: np.ndarray) -> None:
        person = persons(astronaut)[0]
        assert person.score > 0.6
        assert person.up[1] < -0.9
        across, down = (a - b for a, b in zip(person.head.centre, self.FACE.centre, strict=True))
        assert math.hypot(across, down) < self.FACE.height / 4
        assert 0.7 < person.head.height / self.FACE.height < 1.4

    def test_with_the_face_known_nobody_is_left(self, astronaut: np.ndarray) -> None:
        left = persons(astronaut, [self.FACE])
        assert not [person for person in left if person.score >= DetectionConfig().person_score]

    def test_a_second_person_beside_a_known_face_is_seen(self, astronaut: np.ndarray) -> None:
        both = np.concatenate([astronaut, astronaut[:, ::-1]], axis=1)
        (other,) = [found for found in persons(both, [self.FACE]) if found.score >= DetectionConfig().person_score]
        assert 512 < other.head.centre[0] < 1024

    def test_a_person_turned_away_is_seen(self, astronaut: np.ndarray) -> None:
        # Where the face was there is dark hair, as from behind.
        behind = astronaut.copy()
        y, x = np.mgrid[:512, :512]
        behind[((x - 222) / 70) ** 2 + ((y - 125) / 95) ** 2 < 1] = (60, 44, 32)
        assert persons(behind)[0].score >= DetectionConfig().person_score

    @pytest.mark.parametrize("empty", ["coffee", "moon", "brick", "page"])
    def test_a_picture_without_anybody_shows_nobody(self, empty: str) -> None:
        picture = getattr(data, empty)()
        rgb = picture if picture.ndim == 3 else np.repeat(picture[..., np.newaxis], 3, axis=2)
        assert not [found for found in persons(rgb) if found.score >= DetectionConfig().person_score]
