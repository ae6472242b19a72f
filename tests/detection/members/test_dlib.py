"""dlib's two detectors: the astronaut in the photo's own pixels, at bounded cost, from several threads."""

from __future__ import annotations

import numpy as np
import pytest

from detectorcases import (
    ASTRONAUT_POINTS,
    from_four_threads,
    in_a_corner,
    overlap_with_astronaut,
    points_of,
)
from photo_anonymizer import weights
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.members import _dlib
from photo_anonymizer.detection.members._dlib import landmarks, padded
from photo_anonymizer.detection.members.dlib_cnn import DlibCnn
from photo_anonymizer.detection.members.dlib_hog import DlibHog, margin, score
from photo_anonymizer.errors import ModelError


@pytest.fixture(scope="module")
def hog() -> DlibHog:
    return DlibHog(DetectionConfig(), threads=1)


@pytest.fixture(scope="module")
def cnn() -> DlibCnn:
    """Without enlargement, so that a picture takes a second at most."""
    return DlibCnn(DetectionConfig(max_enlargement=1), threads=1)


def test_hog_finds_the_astronaut_surest_of_all(hog: DlibHog, astronaut: np.ndarray) -> None:
    found = hog.detect(astronaut)
    assert overlap_with_astronaut(found[0]) > 0.5
    assert found[0].score > 0.9
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_cnn_finds_the_astronaut_and_nothing_else(cnn: DlibCnn, astronaut: np.ndarray) -> None:
    found = cnn.detect(astronaut[:256, 100:356])
    assert len(found) == 1
    assert overlap_with_astronaut(found[0], shift_xy=(-100, 0)) > 0.5


def test_its_landmarks_are_near_those_of_retinaface(hog: DlibHog, astronaut: np.ndarray) -> None:
    away = np.linalg.norm(points_of(hog.detect(astronaut)[0]) - ASTRONAUT_POINTS, axis=1)
    assert away[:2].max() < 5
    assert away.max() < 15


def test_a_photo_that_is_scaled_gives_boxes_in_its_own_pixels(hog: DlibHog, astronaut: np.ndarray) -> None:
    picture, corner = in_a_corner(astronaut, 4000, 3000, 1500)
    assert hog.scale((4000, 3000)) < 1
    assert overlap_with_astronaut(hog.detect(picture)[0], 1500 / 512, corner) > 0.5


@pytest.mark.parametrize("size_wh", [(1, 1), (640, 480), (8000, 5000), (40_000, 1000)])
@pytest.mark.parametrize("member", [DlibHog, DlibCnn])
def test_no_photo_is_looked_at_larger_than_the_bound(member: type, size_wh: tuple[int, int]) -> None:
    scale = member(DetectionConfig(), threads=1).scale(size_wh)
    assert size_wh[0] * scale * size_wh[1] * scale <= member.pixels_at_most * 1.001


def test_photos_are_enlarged_for_small_faces_as_far_as_the_configuration_allows(hog: DlibHog) -> None:
    assert hog.scale((400, 400)) == 2.5
    assert DlibHog(DetectionConfig(smallest_face_px=40), 1).scale((400, 400)) == 2
    assert DlibHog(DetectionConfig(smallest_face_px=160), 1).scale((400, 400)) == 0.5


@pytest.mark.parametrize("shape", [(1, 1), (3, 500), (500, 3), (79, 79)])
def test_a_picture_smaller_than_a_face_has_none(hog: DlibHog, cnn: DlibCnn, shape: tuple[int, int]) -> None:
    grey = np.full((*shape, 3), 128, np.uint8)
    assert hog.detect(grey) == []
    assert cnn.detect(grey) == []


def test_the_picture_is_left_as_it_was(hog: DlibHog, astronaut: np.ndarray) -> None:
    before = astronaut.copy()
    hog.detect(astronaut)
    assert np.array_equal(astronaut, before)


def test_four_threads_find_what_one_finds(hog: DlibHog, astronaut: np.ndarray) -> None:
    pictures = [astronaut[:300], astronaut[:, ::-1][:300], astronaut[:280, 80:], np.zeros((200, 200, 3), np.uint8)]
    assert from_four_threads(hog, pictures) == [hog.detect(picture) for picture in pictures]


def test_candidates_below_the_doubt_score_do_not_come_out(astronaut: np.ndarray) -> None:
    scores = [item.score for item in DlibHog(DetectionConfig(doubt_score=0.05), 1).detect(astronaut)]
    assert min(scores) < 0.5
    above = [item.score for item in DlibHog(DetectionConfig(doubt_score=0.5), 1).detect(astronaut)]
    assert above == [value for value in scores if value >= 0.5]


def test_dlibs_own_threshold_is_a_score_of_one_half() -> None:
    assert score(0) == 0.5
    assert score(margin(0.2)) == pytest.approx(0.2)
    assert margin(1.0) < 10


def test_left_and_right_are_as_seen() -> None:
    points = landmarks([(70, 40), (60, 40), (30, 40), (40, 40), (50, 60)])
    assert (points.left_eye, points.right_eye, points.nose) == ((35, 40), (65, 40), (50, 60))
    assert points.left_mouth[0] < 50 < points.right_mouth[0]
    assert points.left_mouth[1] == points.right_mouth[1] > 60


def test_the_mouth_of_a_head_that_lies_is_beside_the_nose() -> None:
    upright = [(70, 40), (60, 40), (30, 40), (40, 40), (50, 60)]
    points = landmarks([(-y, x) for x, y in upright])
    assert points.left_mouth[0] < -60
    assert points.left_mouth[1] < points.right_mouth[1]


def test_padding_leaves_large_pictures_alone() -> None:
    assert padded(np.ones((80, 90, 3), np.uint8)).shape == (80, 90, 3)
    assert padded(np.ones((1, 90, 3), np.uint8)).sum() == 90 * 3


def test_without_the_package_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "_dlib_pybind11", None)
    with pytest.raises(ModelError, match="dlib-bin"):
        _dlib.dlib_module()


def test_without_its_weights_no_detector_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_locate", lambda _: None)
    with pytest.raises(ModelError, match="face_recognition_models"):
        DlibCnn(DetectionConfig(), threads=1)
