"""MediaPipe's two face networks: boxes like RetinaFace's, in the photo's own pixels, at a bounded cost."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detectorcases import (
    ASTRONAUT_POINTS,
    from_four_threads,
    in_a_corner,
    overlap_with_astronaut,
    points_of,
)
from faces import noise_picture
from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.members import _blazeface
from photo_anonymizer.detection.members._blazeface import BlazeFace, anchors
from photo_anonymizer.detection.members.mediapipe_full_range import MediaPipeFullRange
from photo_anonymizer.detection.members.mediapipe_short_range import MediaPipeShortRange
from photo_anonymizer.errors import ModelError


@pytest.fixture(scope="module", params=[MediaPipeFullRange, MediaPipeShortRange])
def member(request) -> type[BlazeFace]:
    return request.param


@pytest.fixture(scope="module")
def detector(member) -> BlazeFace:
    return member(DetectionConfig(), threads=1)


def test_the_astronauts_face_comes_first_and_lies_where_retinaface_sees_it(detector, astronaut) -> None:
    found = detector.detect(astronaut)
    assert overlap_with_astronaut(found[0]) > 0.7
    assert found[0].score > 0.8


def test_its_landmarks_are_near_those_of_retinaface(detector, astronaut) -> None:
    between_the_eyes = 43
    distances = np.linalg.norm(points_of(detector.detect(astronaut)[0]) - ASTRONAUT_POINTS, axis=1)
    assert distances.max() < 0.35 * between_the_eyes


def test_scores_fall_and_none_is_below_the_threshold(detector, astronaut) -> None:
    scores = [item.score for item in detector.detect(astronaut)]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] >= DetectionConfig().doubt_score


def test_the_face_of_a_mirrored_picture_is_mirrored_and_left_stays_left(detector, astronaut) -> None:
    found = detector.detect(np.ascontiguousarray(astronaut[:, ::-1]))[0]
    assert found.box.centre[0] == pytest.approx(512 - 225, abs=12)
    assert points_of(found)[0, 0] < points_of(found)[1, 0]


@pytest.mark.parametrize("side", [200, 300, 1400])
def test_boxes_scale_with_the_picture(detector, astronaut, side: int) -> None:
    found = detector.detect(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA))
    assert overlap_with_astronaut(found[0], scale=side / 512) > 0.6


def test_a_small_face_in_the_corner_of_a_large_picture_is_found_through_a_tile(detector, astronaut) -> None:
    side = 160
    picture, corner = in_a_corner(astronaut, 1500, 1100, side)
    found = detector.detect(picture)
    assert max(overlap_with_astronaut(item, side / 512, corner) for item in found) > 0.5


def test_without_tiles_that_face_is_missed(detector, astronaut, monkeypatch) -> None:
    monkeypatch.setattr(_blazeface, "CALLS_AT_MOST", 1)
    picture, corner = in_a_corner(astronaut, 1500, 1100, 160)
    assert not [item for item in detector.detect(picture) if overlap_with_astronaut(item, 160 / 512, corner) > 0.3]


def test_a_box_is_turned_with_the_head(detector, astronaut) -> None:
    found = detector.detect(np.ascontiguousarray(np.rot90(astronaut)))
    # The face's centre, (225, 118) upright, is at (118, 512 - 225) after a turn to the left.
    turned = [item for item in found if np.hypot(item.box.centre[0] - 118, item.box.centre[1] - 287) < 20]
    assert turned
    assert turned[0].box.width > turned[0].box.height


@pytest.mark.parametrize("seed", range(3))
def test_noise_holds_nothing_that_scores_as_a_face_does(detector, seed: int) -> None:
    assert not [item for item in detector.detect(noise_picture(300, 200, seed)) if item.score >= 0.6]


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_picture_holds_no_face_beyond_doubt(detector, value: int) -> None:
    assert not [item for item in detector.detect(np.full((150, 400, 3), value, np.uint8)) if item.score >= 0.5]


@pytest.mark.parametrize("size_wh", [(1, 1), (1, 300), (640, 2), (5, 4)])
def test_tiny_and_narrow_pictures_are_looked_at_without_error(detector, size_wh: tuple[int, int]) -> None:
    assert isinstance(detector.detect(noise_picture(*size_wh)), list)


@pytest.mark.parametrize("size_wh", [(400, 300), (5472, 3648), (7700, 5200), (20000, 50)])
def test_the_number_of_calls_is_bounded_and_every_pixel_is_in_one(detector, size_wh: tuple[int, int]) -> None:
    parts = detector.parts(size_wh)
    assert len(parts) <= _blazeface.CALLS_AT_MOST
    smallest = min(max(part.width, part.height) for part in parts)
    covered = np.zeros((size_wh[1], size_wh[0]), bool)
    for part in parts:
        if max(part.width, part.height) == smallest:
            covered[part.slices] = True
    assert covered.all()


def test_a_smaller_wanted_face_means_smaller_tiles(member) -> None:
    coarse = member(DetectionConfig(smallest_face_px=80), threads=1).parts((1000, 1000))
    fine = member(DetectionConfig(smallest_face_px=40), threads=1).parts((1000, 1000))
    assert min(part.width for part in fine) < min(part.width for part in coarse)


def test_four_threads_find_what_one_finds(detector, astronaut) -> None:
    pictures = [np.ascontiguousarray(astronaut[top:]) for top in range(0, 32, 4)]
    assert from_four_threads(detector, pictures) == [detector.detect(picture) for picture in pictures]


def test_the_picture_is_not_changed(detector, astronaut) -> None:
    picture = astronaut.copy()
    detector.detect(picture)
    assert np.array_equal(picture, astronaut)


def test_a_missing_model_is_said_when_the_detector_is_made(member, monkeypatch) -> None:
    monkeypatch.setattr(weights, "_locate", lambda _weights: None)
    with pytest.raises(ModelError, match=r"install mediapipe==0\.10\.21"):
        member(DetectionConfig(), threads=1)


def test_there_is_an_anchor_for_every_proposal_of_the_networks() -> None:
    assert anchors(MediaPipeFullRange.network).shape == (48 * 48, 2)
    assert anchors(MediaPipeShortRange.network).shape == (16 * 16 * 2 + 8 * 8 * 6, 2)


def test_anchors_lie_in_the_middle_of_their_cells_row_by_row() -> None:
    assert anchors(MediaPipeFullRange.network)[:2].tolist() == [[2, 2], [6, 2]]
    assert anchors(MediaPipeShortRange.network)[:3].tolist() == [[4, 4], [4, 4], [12, 4]]
