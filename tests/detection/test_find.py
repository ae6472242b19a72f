"""From what the members see to the faces of a photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.calibration import shipped
from photo_anonymizer.detection.effort import EFFORTS
from photo_anonymizer.detection.find import find_faces
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.stage import members_of
from photo_anonymizer.detection.turned import turned_back
from photo_anonymizer.model.face import Face, Landmarks, estimated_landmarks
from photo_anonymizer.model.geometry import Box, intersection_over_union

PICTURE = np.zeros((200, 300, 3), np.uint8)
# Lower than what the face mesh is asked about.
HERE, THERE = Box(x0=20, y0=20, x1=40, y1=45), Box(x0=200, y0=100, x1=220, y1=125)


class Sees:
    """A detector that sees the same in every picture, or only where the picture's first pixel has that value."""

    def __init__(self, name: str, *seen: tuple[Box, float], landmarks: Landmarks | None = None, corner: int = -1):
        self.name = name
        self.looked = 0
        self._corner = corner
        self._seen = [Detection(box, landmarks, score) for box, score in seen]

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        self.looked += 1
        return list(self._seen) if self._corner in (-1, int(rgb[0, 0, 0])) else []


def found(picture: np.ndarray, effort: str) -> tuple[Face, ...]:
    config = DetectionConfig(effort=effort)
    detectors, glancers = members_of(config, 2)
    return find_faces(picture, detectors, config, glancers)


@pytest.mark.parametrize("effort", sorted(EFFORTS))
def test_one_detectors_score_becomes_a_probability(effort: str) -> None:
    (face,) = find_faces(PICTURE, [Sees("retinaface", (HERE, 0.4))], DetectionConfig(effort=effort))
    assert face.score == pytest.approx(shipped(effort).of("retinaface").score.probability(0.4))
    assert face.score != pytest.approx(0.4)


@pytest.mark.parametrize(
    ("accept", "doubt", "band"), [(0.6, 0.2, "accept"), (0.7, 0.7, "accept"), (0.71, 0.7, "doubt"), (0.9, 0.71, None)]
)
def test_the_bands_decide_by_probability(accept: float, doubt: float, band: str | None) -> None:
    # A member without a calibration is taken at its word.
    faces = find_faces(PICTURE, [Sees("unknown", (HERE, 0.7))], DetectionConfig(accept_score=accept, doubt_score=doubt))
    assert [face.band for face in faces] == ([band] if band else [])


def test_what_two_detectors_see_in_one_place_is_one_face_of_both() -> None:
    both = [Sees("retinaface", (HERE, 0.99)), Sees("mtcnn", (HERE, 0.99))]
    (face,) = find_faces(PICTURE, both, DetectionConfig())
    assert set(face.detectors) == {"retinaface", "mtcnn"}
    assert face.band == "accept"


@pytest.mark.parametrize("seeing", ["retinaface", "mtcnn"])
def test_a_face_that_only_one_of_them_sees_is_kept(seeing: str) -> None:
    members = [Sees(name, (HERE, 0.99)) if name == seeing else Sees(name) for name in ("retinaface", "mtcnn")]
    (face,) = find_faces(PICTURE, members, DetectionConfig())
    assert face.detectors == (seeing,)


def test_a_merged_face_below_the_lower_threshold_is_dropped() -> None:
    members = [Sees("retinaface", (HERE, 0.051)), Sees("mtcnn")]
    assert find_faces(PICTURE, members, DetectionConfig(doubt_score=0.4)) == ()
    assert len(find_faces(PICTURE, members, DetectionConfig(doubt_score=0.001))) == 1


def test_a_box_outside_the_picture_is_no_face() -> None:
    outside = Box(x0=400, y0=20, x1=440, y1=70)
    assert find_faces(PICTURE, [Sees("retinaface", (outside, 0.99)), Sees("mtcnn")], DetectionConfig()) == ()


def test_a_face_without_landmarks_is_given_those_of_an_upright_one() -> None:
    (face,) = find_faces(PICTURE, [Sees("unknown", (HERE, 0.9))], DetectionConfig())
    assert face.landmarks.nose == pytest.approx(estimated_landmarks(HERE).nose)
    assert face.landmarks.left_eye[0] < face.landmarks.nose[0] < face.landmarks.right_eye[0]
    assert face.landmarks.left_eye[1] < face.landmarks.nose[1] < face.landmarks.left_mouth[1] < HERE.y1


def test_faces_are_numbered_surest_first() -> None:
    faces = find_faces(PICTURE, [Sees("retinaface", (HERE, 0.5), (THERE, 0.9))], DetectionConfig())
    assert [(face.face_id, face.box.x0 > 100) for face in faces] == [("f0000", True), ("f0001", False)]


class TestSecondLook:
    def test_the_face_mesh_confirms_a_face(self, astronaut: np.ndarray) -> None:
        face = Box(x0=175, y0=65, x1=275, y1=190)
        (sure,) = find_faces(astronaut, [Sees("unknown", (face, 0.5))], DetectionConfig())
        assert sure.score > 0.5

    @pytest.mark.parametrize(
        ("height_px", "score", "logit", "stays"),
        [(97, 0.7, -3, False), (95, 0.7, -3, True), (97, 0.7, 3, True), (97, 0.9, -3, True)],
    )
    def test_something_large_and_doubtful_that_the_mesh_denies_is_no_face(
        self, height_px: int, score: float, logit: float, stays: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("photo_anonymizer.detection.find.mesh_logit", lambda *_: logit)
        large = Box(x0=20, y0=20, x1=90, y1=20 + height_px)
        assert len(find_faces(PICTURE, [Sees("unknown", (large, score))], DetectionConfig())) == stays

    def test_the_mesh_is_asked_once_about_a_face_that_also_tells_which_way_is_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []

        def logit(_: object, box: Box, __: object) -> float:
            asked.append(box)
            return 5.0

        monkeypatch.setattr("photo_anonymizer.detection.find.mesh_logit", logit)
        large = Box(x0=20, y0=20, x1=90, y1=110)
        find_faces(PICTURE, [Sees("retinaface", (large, 0.99))], DetectionConfig(), [Sees("retinaface")])
        assert len(asked) == 1

    def test_a_small_face_is_not_asked_about(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def asked(*_: object) -> float:
            raise AssertionError("the mesh has nothing to say here")

        monkeypatch.setattr("photo_anonymizer.detection.find.mesh_logit", asked)
        assert len(find_faces(PICTURE, [Sees("retinaface", (HERE, 0.9))], DetectionConfig())) == 1


class TestAllWays:
    """Photos on their side, and people who lie in upright photos."""

    MARKED = PICTURE.copy()
    MARKED[-1, -1] = 7  # comes to the first pixel when the photo is turned by two quarters

    @staticmethod
    def row(sure: int, doubtful: int = 0) -> list[tuple[Box, float]]:
        """So many small faces side by side, with their scores."""
        boxes = [Box(x0=40 * at, y0=100, x1=40 * at + 20, y1=125) for at in range(sure + doubtful)]
        return [(box, 0.99 if at < sure else 0.2) for at, box in enumerate(boxes)]

    @pytest.mark.parametrize(("effort", "times"), [("fast", 0), ("balanced", 0), ("thorough", 3)])
    def test_several_sure_faces_make_other_ways_superfluous_unless_all_are_asked_for(
        self, effort: str, times: int
    ) -> None:
        glance = Sees("retinaface")
        find_faces(PICTURE, [Sees("retinaface", *self.row(3))], DetectionConfig(effort=effort), [glance])
        assert glance.looked == times

    @pytest.mark.parametrize(("effort", "times"), [("fast", 0), ("balanced", 3)])
    def test_one_or_two_small_faces_do_not_tell_which_way_is_up(self, effort: str, times: int) -> None:
        glance = Sees("retinaface")
        find_faces(PICTURE, [Sees("retinaface", *self.row(2))], DetectionConfig(effort=effort), [glance])
        assert glance.looked == times

    @pytest.mark.parametrize(("logit", "times"), [(3.0, 0), (-3.0, 3)])
    def test_a_large_face_tells_which_way_is_up_if_the_face_mesh_finds_it(
        self, logit: float, times: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("photo_anonymizer.detection.find.mesh_logit", lambda *_: logit)
        glance, large = Sees("retinaface"), Box(x0=20, y0=20, x1=90, y1=110)
        find_faces(PICTURE, [Sees("retinaface", (large, 0.99))], DetectionConfig(), [glance])
        assert glance.looked == times

    @pytest.mark.parametrize(("doubtful", "times"), [(0, 0), (1, 0), (3, 3)])
    def test_many_doubtful_findings_make_a_balanced_effort_glance_at_the_other_ways(
        self, doubtful: int, times: int
    ) -> None:
        seen = self.row(3, doubtful)
        glance = Sees("retinaface")
        find_faces(PICTURE, [Sees("retinaface", *seen)], DetectionConfig(), [glance])
        assert glance.looked == times

    @pytest.mark.parametrize("effort", sorted(EFFORTS))
    def test_without_any_face_the_other_ways_are_glanced_at(self, effort: str) -> None:
        glance = Sees("retinaface")
        find_faces(PICTURE, [Sees("retinaface")], DetectionConfig(effort=effort), [glance])
        assert glance.looked == 3

    def test_a_face_seen_upside_down_is_found_and_turned_back(self) -> None:
        member, glance = (Sees("retinaface", (HERE, 0.99), corner=7) for _ in range(2))
        (face,) = find_faces(self.MARKED, [member], DetectionConfig(), [glance])
        there = Box(x0=260, y0=155, x1=280, y1=180)
        assert intersection_over_union(face.box, there) > 0.9

    def test_where_upright_shows_more_only_what_is_beyond_doubt_counts_in_other_ways(self) -> None:
        """Two faces upright, one upside down: the doubtful finding upside down is dropped, the sure one is not."""
        picture = self.MARKED.copy()
        picture[0, 0] = 1
        upright = Sees("retinaface", (HERE, 0.9), (THERE, 0.9), corner=1)
        under = Box(x0=100, y0=20, x1=120, y1=45), Box(x0=150, y0=150, x1=170, y1=175)
        lying = Sees("retinaface", (under[0], 0.9), (under[1], 0.2), corner=7)

        class Both:
            name = "retinaface"

            def detect(self, rgb: np.ndarray) -> list[Detection]:
                return upright.detect(rgb) or lying.detect(rgb)

        faces = find_faces(picture, [Both()], DetectionConfig(effort="thorough"), [Both()])
        assert len(faces) == 3

    @pytest.mark.parametrize(("roll", "times"), [((0, 1), 0), ((1, 0), 3)])
    def test_a_sure_face_that_lies_on_its_side_makes_a_balanced_effort_glance_at_the_other_ways(
        self, roll: tuple[int, int], times: int
    ) -> None:
        """The eyes lie above the mouth, or beside it."""
        down, across = roll
        middle = np.array(HERE.centre)
        upwards = np.array((5 * down, 5 * across))
        eyes, mouth = middle - upwards, middle + upwards
        aside = np.array((across, -down)) * 3
        points = [eyes - aside, eyes + aside, middle, mouth - aside, mouth + aside]
        left_eye, right_eye, nose, left_mouth, right_mouth = (tuple(point.tolist()) for point in points)
        marks = Landmarks(
            left_eye=left_eye, right_eye=right_eye, nose=nose, left_mouth=left_mouth, right_mouth=right_mouth
        )
        others = Sees("retinaface", *self.row(3))
        lying = Sees("retinaface", (HERE, 0.99), landmarks=marks)

        class Both:
            name = "retinaface"

            def detect(self, rgb: np.ndarray) -> list[Detection]:
                return others.detect(rgb) + lying.detect(rgb)

        glance = Sees("retinaface")
        find_faces(PICTURE, [Both()], DetectionConfig(), [glance])
        assert glance.looked == times

    @pytest.mark.parametrize("seen", [[], [(HERE, 0.2)]])
    @pytest.mark.parametrize("glanced", [[], [(THERE, 0.2)]])
    def test_where_nobody_is_sure_of_anything_faces_are_looked_for_in_all_ways(
        self, seen: list[tuple[Box, float]], glanced: list[tuple[Box, float]]
    ) -> None:
        """Faces of a few px, which no glance shows: a crowd on its side must not pass for a photo of nobody."""
        member, glance = Sees("retinaface", *seen), Sees("retinaface", *glanced)
        find_faces(PICTURE, [member], DetectionConfig(doubt_score=0.1), [glance])
        assert member.looked == 4

    def test_with_little_effort_nothing_is_looked_at_twice(self) -> None:
        member, glance = Sees("retinaface"), Sees("retinaface")
        find_faces(PICTURE, [member], DetectionConfig(effort="fast"), [glance])
        assert (member.looked, glance.looked) == (1, 3)

    def test_without_glancers_only_upright_is_looked_at(self) -> None:
        member = Sees("retinaface")
        find_faces(PICTURE, [member], DetectionConfig(effort="thorough"))
        assert member.looked == 1

    @pytest.mark.parametrize("quarters", [1, 2, 3])
    @pytest.mark.parametrize("effort", sorted(EFFORTS))
    def test_a_portrait_turned_by_quarters_is_found(self, astronaut: np.ndarray, effort: str, quarters: int) -> None:
        face = found(np.ascontiguousarray(np.rot90(astronaut, quarters)), effort)[0]
        assert face.band == "accept"
        upright = Detection(Box(x0=175, y0=65, x1=275, y1=190), None, 1)
        there = turned_back(upright, -quarters % 4, (512, 512)).box
        assert intersection_over_union(face.box, there) > 0.5
        if quarters != 2:  # upside down the network sees a face the right way up, too
            assert abs(np.degrees(face.landmarks.roll_rad)) > 60

    def test_somebody_who_lies_beside_somebody_who_stands_is_found_too(self, astronaut: np.ndarray) -> None:
        both = np.hstack([astronaut, np.rot90(astronaut)])
        sure = [face for face in found(both, "thorough") if face.band == "accept"]
        assert sorted(face.box.centre[0] > 512 for face in sure) == [False, True]


class TestSizes:
    def photo(self, astronaut: np.ndarray, height_px: int, size_wh: tuple[int, int]) -> tuple[np.ndarray, Box]:
        """A head of which the face has that height, in a grey photo."""
        head = astronaut[30:260, 120:330]
        scale = height_px / 125
        small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        picture = np.full((size_wh[1], size_wh[0], 3), 120, np.uint8)
        x, y = size_wh[0] * 2 // 3, size_wh[1] * 2 // 3
        picture[y : y + small.shape[0], x : x + small.shape[1]] = small
        return picture, Box(x0=x, y0=y, x1=x + small.shape[1], y1=y + small.shape[0])

    def test_a_face_of_14_px_in_20_megapixels_is_found_with_thorough_effort(self, astronaut: np.ndarray) -> None:
        picture, head = self.photo(astronaut, 14, (5472, 3648))
        faces = found(picture, "thorough")
        assert any(head.x0 < face.box.centre[0] < head.x1 and head.y0 < face.box.centre[1] < head.y1 for face in faces)

    @pytest.mark.parametrize("effort", sorted(EFFORTS))
    def test_a_face_of_3000_px_is_found(self, astronaut: np.ndarray, effort: str) -> None:
        close = cv2.resize(astronaut[40:220, 150:300], (3600, 4320), interpolation=cv2.INTER_CUBIC)
        assert found(close, effort)[0].band == "accept"
