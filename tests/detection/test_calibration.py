"""Scores become probabilities that mean what they say; boxes come into the labels' convention."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.detection import calibration
from photo_anonymizer.detection.calibration import (
    LEAST,
    MOST,
    BoxMap,
    Calibration,
    ConsensusMap,
    MemberCalibration,
    ScoreMap,
    SecondLookMap,
    fit_box,
    fit_consensus,
    fit_score,
    fit_second_look,
    read,
    shipped,
)
from photo_anonymizer.detection.effort import EFFORTS
from photo_anonymizer.detection.reliability import expected_calibration_error, reliability, reliability_svg
from photo_anonymizer.errors import ModelError
from photo_anonymizer.model.geometry import Box

scores = st.floats(0, 1)


def boastful(count: int = 4000) -> tuple[list[float], list[bool]]:
    """Scores whose log odds promise twice what they hold."""
    random = np.random.default_rng(7)
    odds = random.normal(0, 1.5, count)
    faces = random.random(count) < 1 / (1 + np.exp(-odds))
    return (1 / (1 + np.exp(-2 * odds))).tolist(), faces.tolist()


def test_a_boastful_member_is_taken_at_half_its_word() -> None:
    fitted = fit_score(*boastful())
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.intercept == pytest.approx(0, abs=0.1)


def test_calibrated_scores_mean_what_they_say_and_raw_ones_do_not() -> None:
    raw, faces = boastful()
    fitted = fit_score(raw[::2], faces[::2])
    calibrated = [fitted.probability(score) for score in raw[1::2]]
    assert expected_calibration_error(reliability(calibrated, faces[1::2])) < 0.05
    assert expected_calibration_error(reliability(raw[1::2], faces[1::2])) > 0.08


def test_a_member_whose_scores_run_backwards_is_never_inverted() -> None:
    raw, faces = boastful()
    assert fit_score(raw, [not face for face in faces]).slope == 0


@pytest.mark.parametrize("truth", [[True] * 100, [False] * 100, [True, False] * 10])
def test_too_little_to_learn_from_leaves_scores_as_they_are(truth: list[bool]) -> None:
    assert fit_score([0.5] * len(truth), truth) == ScoreMap()


@given(st.floats(0, 20), st.floats(-20, 20), scores, scores)
def test_a_higher_score_is_never_less_probable(slope: float, intercept: float, a: float, b: float) -> None:
    fitted = ScoreMap(slope=slope, intercept=intercept)
    low, high = sorted((a, b))
    assert LEAST <= fitted.probability(low) <= fitted.probability(high) <= MOST


@given(st.lists(scores, min_size=1, max_size=4), st.integers(0, 3), scores)
def test_the_consensus_never_falls_when_a_member_grows_surer(seen: list[float], place: int, other: float) -> None:
    fitted = ConsensusMap(intercept=-1, surest=0.7, support=2)
    place %= len(seen)
    surer = [max(value, other) if at == place else value for at, value in enumerate(seen)]
    assert fitted.probability(seen, 4) <= fitted.probability(surer, 4) + 1e-12


@given(st.lists(scores, min_size=1, max_size=3), scores)
def test_the_consensus_never_falls_when_one_more_sees_the_face(seen: list[float], other: float) -> None:
    fitted = ConsensusMap(intercept=-1, surest=0.7, support=2)
    assert fitted.probability(seen, 4) <= fitted.probability([*seen, other], 4) + 1e-12


def test_alone_a_member_keeps_its_probability() -> None:
    assert ConsensusMap(intercept=-5, surest=0.1, support=2).probability([0.7], ran=1) == 0.7


def test_agreement_that_tells_faces_apart_is_learnt() -> None:
    seen = [[0.6, 0.6]] * 90 + [[0.6]] * 90
    faces = [True] * 80 + [False] * 10 + [True] * 10 + [False] * 80
    fitted = fit_consensus(seen, 2, faces)
    assert fitted.probability([0.6, 0.6], 2) == pytest.approx(80 / 90, abs=0.05)
    assert fitted.probability([0.6], 2) == pytest.approx(10 / 90, abs=0.05)


def test_agreement_that_says_nothing_gets_no_weight() -> None:
    seen = [[0.6, 0.6]] * 90 + [[0.6]] * 90
    faces = [True] * 30 + [False] * 60 + [True] * 60 + [False] * 30
    assert fit_consensus(seen, 2, faces).support == 0


def test_a_second_look_that_tells_faces_apart_is_learnt_and_never_inverted() -> None:
    seen = [(0.6, 8.0)] * 90 + [(0.6, -8.0)] * 90
    faces = [True] * 85 + [False] * 5 + [True] * 15 + [False] * 75
    assert fit_second_look(seen, faces).probability(0.6, 8) > 0.9
    assert fit_second_look(seen, [not face for face in faces]).confirms == 0


def test_a_second_look_that_denies_a_face_leaves_its_probability() -> None:
    assert SecondLookMap(confirms=0.5).probability(0.6, -8) == pytest.approx(0.6)


@given(scores, st.floats(-50, 50), scores, st.floats(-50, 50))
def test_a_second_look_that_sees_more_never_lowers_the_probability(
    before: float, logit: float, other: float, other_logit: float
) -> None:
    fitted = SecondLookMap(confirms=0.3)
    low = fitted.probability(min(before, other), min(logit, other_logit))
    assert min(before, other) <= low <= fitted.probability(max(before, other), max(logit, other_logit)) <= 1


def test_a_members_box_convention_is_found_in_spite_of_wrong_pairs() -> None:
    truth = BoxMap(shift_x=0.05, shift_y=-0.1, scale_x=1.2, scale_y=1.5)
    boxes = [Box(x0=x, y0=2 * x, x1=x + 20 + x / 3, y1=2 * x + 30) for x in range(40)]
    wrong = [(boxes[0], Box(x0=500, y0=0, x1=900, y1=3))] * 5
    found = fit_box([(box, truth.apply(box)) for box in boxes] + wrong)
    assert list(found.model_dump().values()) == pytest.approx(list(truth.model_dump().values()), abs=1e-3)


def test_too_few_boxes_leave_boxes_as_they_are() -> None:
    box = Box(x0=0, y0=0, x1=10, y1=10)
    assert fit_box([(box, box.scaled(2))] * 19) == BoxMap()
    assert fit_box([(box, box.scaled(2))] * 20).scale_x == 2


def test_a_member_nobody_measured_is_taken_at_its_word() -> None:
    unknown = Calibration().of("somebodys_onnx")
    assert unknown.score.probability(0.3) == pytest.approx(0.3)
    assert unknown.box.apply(Box(x0=1, y0=2, x1=3, y1=4)) == Box(x0=1, y0=2, x1=3, y1=4)


@pytest.mark.parametrize("effort", sorted(EFFORTS))
def test_the_shipped_calibration_says_what_it_was_fitted_on(effort: str) -> None:
    known = shipped(effort)
    assert known.fitted is not None
    assert known.fitted.effort == effort
    assert known.fitted.photos >= 5
    assert known.error is not None
    assert known.error < 0.1
    assert known.of("retinaface").candidates > calibration.FEWEST_CANDIDATES


def test_a_calibration_is_read_as_it_was_written(tmp_path) -> None:
    known = Calibration(members={"mtcnn": MemberCalibration(score=ScoreMap(slope=0.5, intercept=1))})
    (tmp_path / "c.json").write_text(known.model_dump_json())
    assert read(tmp_path / "c.json") == known


@pytest.mark.parametrize("content", [None, "{", '{"members": {"a": {"score": {"slope": -1}}}}', '{"odd": 1}'])
def test_a_file_that_is_no_calibration_is_refused_without_naming_it(tmp_path, content: str | None) -> None:
    path = tmp_path / "secret.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError, match="--fit") as refused:
        read(path)
    assert "secret" not in str(refused.value)


def test_the_calibration_error_weighs_bins_by_their_count() -> None:
    table = reliability([0.95] * 3 + [0.05], [True, True, True, True])
    assert [row.count for row in table] == [1, 3]
    assert expected_calibration_error(table) == pytest.approx((3 * 0.05 + 0.95) / 4)


def test_probability_one_belongs_to_the_last_bin() -> None:
    assert [row.count for row in reliability([0.95, 1.0], [True, True])] == [2]


def test_without_candidates_there_is_no_error_and_no_drawing() -> None:
    assert reliability([], []) == ()
    assert expected_calibration_error(()) is None
    assert reliability_svg((), "nothing") == ""


def test_the_drawing_puts_honest_bins_on_the_diagonal_and_others_off_it() -> None:
    honest = reliability([0.25] * 4 + [0.75] * 4, [True, False, False, False, True, True, True, False])
    boast = reliability([0.75] * 4, [False] * 4)

    def distances(drawing: str) -> list[float]:
        dots = [node.attrib for node in ElementTree.fromstring(drawing).iter("circle")]
        return [abs((float(dot["cx"]) - 58) + (float(dot["cy"]) - 16) - 300) for dot in dots]

    assert distances(reliability_svg(honest, "honest")) == pytest.approx([0, 0], abs=0.1)
    assert distances(reliability_svg(boast, "boast")) == pytest.approx([0.75 * 300], abs=0.1)


def test_a_fuller_bin_has_a_larger_dot() -> None:
    drawing = reliability_svg(reliability([0.2] * 9 + [0.8] * 36, [False] * 9 + [True] * 36), "two bins")
    radii = [float(node.attrib["r"]) for node in ElementTree.fromstring(drawing).iter("circle")]
    assert radii[1] / radii[0] == pytest.approx(math.sqrt(36 / 9), abs=0.01)
