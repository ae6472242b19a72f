"""What several members saw becomes one list of faces, none lost, none counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.detection.calibration import BoxMap, Calibration, ConsensusMap, MemberCalibration, ScoreMap
from photo_anonymizer.detection.consensus import SAME_FACE_IOU, merge
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.model.face import estimated_landmarks
from photo_anonymizer.model.geometry import Box, intersection_over_union

PLAIN = Calibration()
AGREEING = Calibration(consensus=ConsensusMap(intercept=-1, surest=1, support=3))
MEMBERS = ("dlib", "mtcnn", "retinaface")


def seen(x: float, y: float, side: float, score: float = 0.8, *, marks: bool = False) -> Detection:
    box = Box(x0=x, y0=y, x1=x + side, y1=y + side)
    return Detection(box, estimated_landmarks(box) if marks else None, score)


detections = st.builds(
    seen,
    st.floats(-20, 200),
    st.floats(-20, 200),
    st.floats(2, 150),
    st.floats(0, 1),
    marks=st.booleans(),
)
everybodys = st.dictionaries(st.sampled_from(MEMBERS), st.lists(detections, max_size=8), min_size=1)


def test_two_members_that_mean_one_face_make_one_face() -> None:
    (face,) = merge({"mtcnn": [seen(10, 10, 40)], "retinaface": [seen(12, 9, 42)]}, PLAIN)
    assert set(face.detectors) == {"mtcnn", "retinaface"}


def test_faces_beside_each_other_stay_two() -> None:
    assert len(merge({"mtcnn": [seen(10, 10, 40)], "retinaface": [seen(52, 10, 40)]}, PLAIN)) == 2


def test_a_small_face_inside_a_large_one_stays_a_face() -> None:
    assert len(merge({"mtcnn": [seen(0, 0, 100)], "retinaface": [seen(30, 30, 40)]}, PLAIN)) == 2


def test_two_boxes_of_one_member_are_two_faces_however_close() -> None:
    found = {"mtcnn": [seen(10, 10, 40)], "retinaface": [seen(8, 10, 40), seen(14, 10, 40, 0.7)]}
    faces = merge(found, PLAIN)
    assert sorted(len(face.seen_by) for face in faces) == [1, 2]


def test_a_row_of_overlapping_faces_does_not_drift_into_one() -> None:
    found = {"a": [seen(0, 0, 40, 0.9)], "b": [seen(14, 0, 40, 0.8)], "c": [seen(28, 0, 40, 0.7)]}
    faces = merge(found, PLAIN)
    assert [face.detectors for face in faces] == [("a", "b"), ("c",)]


def test_the_box_lies_nearer_to_the_surer_member() -> None:
    (face,) = merge({"mtcnn": [seen(10, 10, 40, 0.3)], "retinaface": [seen(14, 10, 40, 0.9)]}, PLAIN)
    assert face.box.x0 == pytest.approx((0.3 * 10 + 0.9 * 14) / 1.2)


def test_each_face_says_who_saw_it_with_what_score_surest_first() -> None:
    known = Calibration(members={"mtcnn": MemberCalibration(score=ScoreMap(intercept=-3))})
    (face,) = merge({"mtcnn": [seen(10, 10, 40, 0.9)], "retinaface": [seen(10, 10, 40, 0.6)]}, known)
    assert [(item.detector, item.score) for item in face.seen_by] == [("retinaface", 0.6), ("mtcnn", 0.9)]
    assert face.seen_by[1].probability == pytest.approx(1 / (1 + 2.718281828**3 / 9), rel=1e-3)


def test_landmarks_come_from_the_surest_member_that_has_any() -> None:
    sure, surer = seen(11, 10, 40, 0.7, marks=True), seen(10, 10, 40, 0.5, marks=True)
    (face,) = merge({"dlib": [seen(10, 10, 40, 0.9)], "mtcnn": [sure], "retinaface": [surer]}, PLAIN)
    assert face.landmarks == sure.landmarks


def test_without_any_landmarks_there_are_none() -> None:
    assert merge({"dlib": [seen(10, 10, 40)]}, PLAIN)[0].landmarks is None


def test_boxes_are_brought_into_one_convention_before_they_are_compared() -> None:
    tight = {"mediapipe": [seen(25, 25, 30)], "retinaface": [seen(10, 10, 60)]}
    corrected = Calibration(members={"mediapipe": MemberCalibration(box=BoxMap(scale_x=2, scale_y=2))})
    assert len(merge(tight, PLAIN)) == 2
    (face,) = merge(tight, corrected)
    assert face.box == Box(x0=10, y0=10, x1=70, y1=70)


def test_a_face_that_more_members_saw_is_surer() -> None:
    alone = merge({"mtcnn": [], "retinaface": [seen(10, 10, 40)]}, AGREEING)[0].score
    both = merge({"mtcnn": [seen(10, 10, 40)], "retinaface": [seen(10, 10, 40)]}, AGREEING)[0].score
    assert both > alone


def test_a_member_that_looked_and_saw_nothing_counts() -> None:
    alone = merge({"retinaface": [seen(10, 10, 40)]}, AGREEING)[0].score
    contradicted = merge({"mtcnn": [], "retinaface": [seen(10, 10, 40)]}, AGREEING)[0].score
    assert alone == pytest.approx(0.8)
    assert contradicted < alone


def test_nothing_found_is_no_face() -> None:
    assert merge({"mtcnn": [], "retinaface": []}, PLAIN) == []


@given(everybodys)
def test_every_face_that_any_member_saw_is_kept(found: dict[str, list[Detection]]) -> None:
    faces = merge(found, AGREEING)
    kept = sorted((item.detector, item.box.model_dump_json()) for face in faces for item in face.seen_by)
    assert kept == sorted((name, item.box.model_dump_json()) for name, items in found.items() for item in items)
    for face in faces:
        overlaps = [intersection_over_union(face.seen_by[0].box, item.box) for item in face.seen_by]
        assert min(overlaps) >= SAME_FACE_IOU - 1e-9
        assert all(intersection_over_union(face.box, item.box) > 0 for item in face.seen_by)


@given(everybodys, st.permutations(MEMBERS))
def test_the_order_of_the_members_does_not_matter(found: dict[str, list[Detection]], order: list[str]) -> None:
    turned = {name: found[name][::-1] for name in order if name in found}
    assert merge(turned, AGREEING) == merge(found, AGREEING)


@given(everybodys)
def test_scores_are_probabilities_in_falling_order(found: dict[str, list[Detection]]) -> None:
    scores = [face.score for face in merge(found, AGREEING)]
    assert all(0 <= score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)
