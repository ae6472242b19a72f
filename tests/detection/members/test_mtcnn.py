"""MTCNN without TensorFlow: boxes like RetinaFace's, in the photo's own pixels, at a bounded cost."""

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
from photo_anonymizer.detection.effort import effort_of
from photo_anonymizer.detection.members import mtcnn
from photo_anonymizer.detection.members._mtcnn_onnx import build
from photo_anonymizer.detection.members.mtcnn import Mtcnn, best, chip, shifted, squared
from photo_anonymizer.errors import ModelError

needs_weights = pytest.mark.skipif(
    "mtcnn_pnet" not in weights.registered() or weights.state_of(weights.registered()["mtcnn_pnet"]) != "present",
    reason="the mtcnn wheel is not installed",
)


@pytest.fixture(scope="module")
def detector() -> Mtcnn:
    return Mtcnn(DetectionConfig(), threads=1)


@needs_weights
class TestDetector:
    """With the weights of the wheel."""

    def test_the_astronauts_face_is_found_where_retinaface_sees_it(self, detector, astronaut) -> None:
        found = detector.detect(astronaut)
        assert overlap_with_astronaut(found[0]) > 0.7
        assert found[0].score > 0.95

    def test_its_landmarks_are_near_those_of_retinaface(self, detector, astronaut) -> None:
        distances = np.linalg.norm(points_of(detector.detect(astronaut)[0]) - ASTRONAUT_POINTS, axis=1)
        assert distances.max() < 5

    @pytest.mark.parametrize("side", [200, 1400])
    def test_boxes_scale_with_the_picture(self, detector, astronaut, side: int) -> None:
        found = detector.detect(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA))
        assert overlap_with_astronaut(found[0], scale=side / 512) > 0.6

    def test_a_small_face_in_the_corner_of_a_large_picture_is_found(self, detector, astronaut) -> None:
        picture, corner = in_a_corner(astronaut, 1500, 1100, 200)
        assert overlap_with_astronaut(detector.detect(picture)[0], 200 / 512, corner) > 0.5

    def test_a_face_below_the_smallest_wanted_size_is_not_looked_for(self, astronaut) -> None:
        picture, corner = in_a_corner(astronaut, 700, 500, 200)
        found = Mtcnn(DetectionConfig(smallest_face_px=200), threads=1).detect(picture)
        assert not [item for item in found if overlap_with_astronaut(item, 200 / 512, corner) > 0.3]

    @pytest.mark.parametrize("seed", range(3))
    def test_noise_holds_no_face_beyond_doubt(self, detector, seed: int) -> None:
        assert not [item for item in detector.detect(noise_picture(300, 200, seed)) if item.score >= 0.5]

    @pytest.mark.parametrize("value", [0, 128, 255])
    def test_an_empty_picture_holds_no_face(self, detector, value: int) -> None:
        assert detector.detect(np.full((150, 400, 3), value, np.uint8)) == []

    @pytest.mark.parametrize("size_wh", [(1, 1), (1, 300), (640, 2), (13, 12), (25, 30)])
    def test_tiny_and_narrow_pictures_are_looked_at_without_error(self, detector, size_wh: tuple[int, int]) -> None:
        assert isinstance(detector.detect(noise_picture(*size_wh)), list)

    def test_the_pyramid_starts_at_the_smallest_wanted_face_and_ends_where_a_face_fills_the_photo(self, detector):
        scales = detector.scales((400, 300))
        assert scales[0] == 12 / effort_of(DetectionConfig()).smallest_face_px
        assert 12 <= 300 * scales[-1] < 12 / mtcnn.PYRAMID_STEP

    def test_a_huge_photo_starts_the_pyramid_smaller(self, detector) -> None:
        width, height = 7700, 5200
        assert width * height * detector.scales((width, height))[0] ** 2 <= mtcnn.PYRAMID_PIXELS * 1.001

    def test_four_threads_find_what_one_finds(self, detector, astronaut) -> None:
        pictures = [np.ascontiguousarray(astronaut[top:]) for top in range(0, 32, 4)]
        assert from_four_threads(detector, pictures) == [detector.detect(picture) for picture in pictures]

    def test_weights_of_another_network_are_refused(self) -> None:
        with pytest.raises(ModelError, match=r"not those of onet|more than onet"):
            build("onet", weights.path_of("mtcnn_rnet").read_bytes())


def test_a_missing_model_is_said_when_the_detector_is_made(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(weights, "_locate", lambda _weights: None)
    with pytest.raises(ModelError, match="mtcnn"):
        Mtcnn(DetectionConfig(), threads=1)


def test_shifts_are_shares_of_width_and_height() -> None:
    moved = shifted(np.array([[10, 10, 30, 50]], np.float32), np.array([[0.5, 0, 0, -0.25]], np.float32))
    assert moved.tolist() == [[20, 10, 30, 40]]


def test_a_square_keeps_the_centre_and_the_longer_side() -> None:
    assert squared(np.array([[10, 10, 30, 50]], np.float32)).tolist() == [[0, 10, 40, 50]]


def test_of_overlapping_boxes_the_best_is_kept_and_slivers_are_left_out() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10], [50, 0, 50.5, 10]], np.float32)
    assert best(boxes, np.array([0.7, 0.9, 0.8, 1.0], np.float32), 0.5).tolist() == [1, 2]


def test_a_chip_beyond_the_photo_is_grey_there_and_the_photo_elsewhere() -> None:
    cut = chip(np.full((20, 20, 3), 255, np.uint8), np.array([-10, 0, 10, 20], np.float32), 20)
    assert (cut[:, :10] == mtcnn.OUTSIDE).all()
    assert (cut[:, 10:] == 255).all()


def test_a_chip_outside_the_photo_is_all_grey() -> None:
    cut = chip(np.full((20, 20, 3), 255, np.uint8), np.array([50, 50, 70, 70], np.float32), 24)
    assert (cut == mtcnn.OUTSIDE).all()
