"""What mixes two neighbours is dropped; everything that may be a face of its own stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.consensus import MergedFace, Sighting
from photo_anonymizer.detection.find import find_faces
from photo_anonymizer.detection.mixed import without_mixed
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.mesh.approximate import approximate_mesh
from photo_anonymizer.mesh.network import Mesh
from photo_anonymizer.model.face import Face, Landmarks, estimated_landmarks
from photo_anonymizer.model.geometry import Box

LEFT, RIGHT = Box(x0=100, y0=100, x1=160, y1=180), Box(x0=150, y0=105, x1=210, y1=185)
BETWEEN = Box(x0=125, y0=102, x1=185, y1=182)


def finding(box: Box, score: float = 0.99) -> MergedFace:
    marks = estimated_landmarks(box)
    return MergedFace(box, marks, score, (Sighting("retinaface", box, marks, score, score),))


def lies_on(box: Box, logit: float = 12.0) -> Mesh:
    face = Face(face_id="f0000", box=box, landmarks=estimated_landmarks(box), score=1.0, band="accept", detectors=())
    return Mesh(approximate_mesh(face).astype(np.float32), logit)


def sees(*faces: Box):
    """A face mesh that lies on the nearest of these faces, whatever box it is asked about."""

    def nearest(box: Box, _: Landmarks | None) -> Mesh:
        return lies_on(min(faces, key=lambda face: abs(face.centre[0] - box.centre[0])))

    return nearest


def kept(*findings: MergedFace, mesh=sees(LEFT, RIGHT)) -> list[Box]:  # noqa: B008 -- a constant
    return [face.box for face in without_mixed(findings, mesh, accept_score=0.8)]


def test_what_lies_on_two_faces_and_is_none_is_dropped() -> None:
    assert kept(finding(LEFT), finding(BETWEEN), finding(RIGHT)) == [LEFT, RIGHT]


def test_the_order_does_not_matter() -> None:
    assert kept(finding(BETWEEN), finding(RIGHT), finding(LEFT)) == [RIGHT, LEFT]


def test_a_face_that_the_mesh_finds_between_two_others_stays() -> None:
    found = finding(LEFT), finding(BETWEEN), finding(RIGHT)
    assert kept(*found, mesh=sees(LEFT, BETWEEN, RIGHT)) == [LEFT, BETWEEN, RIGHT]


@pytest.mark.parametrize("other", [LEFT, RIGHT])
def test_beside_one_neighbour_everything_stays(other: Box) -> None:
    assert kept(finding(BETWEEN), finding(other)) == [BETWEEN, other]


def test_a_neighbour_that_is_in_doubt_does_not_count() -> None:
    assert kept(finding(LEFT), finding(BETWEEN), finding(RIGHT, score=0.6)) == [LEFT, BETWEEN, RIGHT]


def test_a_neighbour_on_which_the_mesh_does_not_lie_does_not_count() -> None:
    """The true face may be the one between, and the neighbour a second box of it."""
    assert kept(finding(LEFT), finding(BETWEEN), finding(RIGHT), mesh=sees(LEFT)) == [LEFT, BETWEEN, RIGHT]


def test_what_reaches_beyond_the_neighbours_heads_stays() -> None:
    taller = Box(x0=125, y0=40, x1=185, y1=182)
    assert kept(finding(LEFT), finding(taller), finding(RIGHT)) == [LEFT, taller, RIGHT]


def test_small_findings_stay_as_the_mesh_cannot_tell() -> None:
    def small(box: Box) -> MergedFace:
        tiny = Box(x0=0.3 * box.x0, y0=0.3 * box.y0, x1=0.3 * box.x1, y1=0.3 * box.y1)
        return finding(tiny)

    faces = [small(box) for box in (LEFT, BETWEEN, RIGHT)]
    assert without_mixed(faces, sees(LEFT, RIGHT), 0.8) == faces


def test_two_boxes_of_one_face_are_no_two_neighbours() -> None:
    again = LEFT.shifted(6, 0)
    third = LEFT.shifted(25, 0)
    assert kept(finding(LEFT), finding(third), finding(again), mesh=sees(LEFT, again)) == [LEFT, third, again]


def test_without_landmarks_the_mesh_has_to_find_a_face_only() -> None:
    bare = replace(finding(BETWEEN), landmarks=None)
    assert kept(finding(LEFT), bare, finding(RIGHT)) == [LEFT, BETWEEN, RIGHT]


def test_in_a_photo_of_two_people_cheek_by_cheek_two_faces_are_found(astronaut) -> None:
    one = Box(x0=179, y0=57, x1=271, y1=178)
    marks = Landmarks(
        left_eye=(203, 100), right_eye=(246, 101), nose=(224, 130), left_mouth=(202, 139), right_mouth=(245, 139)
    )
    apart = 84
    photo = astronaut.copy()
    photo[:300, 266:400] = astronaut[:300, 266 - apart : 400 - apart]
    moved = Landmarks(**{name: (x + apart, y) for name, (x, y) in marks.model_dump().items()})
    middle = one.shifted(apart / 2, 0)
    mixed = marks.model_copy(update={"left_eye": marks.right_eye, "right_eye": moved.left_eye, "nose": (268, 120)})

    class Sees:
        name = "retinaface"

        def detect(self, _: np.ndarray) -> list[Detection]:
            places = (one, marks), (one.shifted(apart, 0), moved), (middle, mixed)
            return [Detection(box, points, 0.999) for box, points in places]

    found = find_faces(photo, [Sees()], DetectionConfig())
    assert sorted(round(face.box.centre[0]) for face in found) == [224, 308]
