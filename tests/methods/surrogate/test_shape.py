"""Features move as wholes; pose, expression and outline stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photo_anonymizer.mesh.pose import pose_of
from photo_anonymizer.mesh.topology import (
    INNER_LIP_PAIRS,
    LEFT_EYE,
    LEFT_EYE_LIDS,
    OVAL,
    RIGHT_EYE,
    RIGHT_EYE_LIDS,
    mean_shape,
)
from photo_anonymizer.methods.surrogate.shape import (
    EYES,
    FEATURES,
    LIMITS,
    Moves,
    brought_nearer,
    drawn_moves,
    eyes_open,
    moved,
    of_nobody,
    towards,
    unlike,
    with_lids,
    with_usual_outlines,
)

seeds = st.integers(0, 2**32 - 1)
NONE = Moves(**dict.fromkeys(vars(LIMITS), 0.0))


def middle(shape: np.ndarray, feature: str) -> np.ndarray:
    return np.asarray(shape[list(FEATURES[feature])].mean(axis=0))


@given(seed=seeds)
@settings(max_examples=30)
def test_no_move_is_near_zero_and_none_beyond_what_adults_differ(seed: int) -> None:
    moves = vars(drawn_moves(np.random.default_rng(seed)))
    shares = [abs(moves[name]) / limit for name, limit in vars(LIMITS).items()]
    assert min(shares) >= 0.5
    assert max(shares) <= 1


@given(seed=seeds, strength=st.floats(0.2, 2))
@settings(max_examples=30)
def test_nose_and_mouth_go_the_same_way_so_that_they_do_not_meet(seed: int, strength: float) -> None:
    moves = drawn_moves(np.random.default_rng(seed), strength)
    assert moves.nose_down * moves.mouth_down > 0


@given(seed=seeds)
@settings(max_examples=30)
def test_the_outline_stays_where_it_is(seed: int) -> None:
    shape = moved(mean_shape(), drawn_moves(np.random.default_rng(seed)))
    assert shape[list(OVAL)] == pytest.approx(mean_shape()[list(OVAL)])


@given(seed=seeds)
@settings(max_examples=30)
def test_the_pose_stays(seed: int) -> None:
    pose = pose_of(moved(mean_shape(), drawn_moves(np.random.default_rng(seed))))
    assert np.degrees(np.abs([pose.yaw_rad, pose.pitch_rad, pose.roll_rad])).max() < 4


@given(seed=seeds)
@settings(max_examples=30)
def test_openings_stay_as_wide_in_proportion(seed: int) -> None:
    before, after = mean_shape(), moved(mean_shape(), drawn_moves(np.random.default_rng(seed)))
    for pairs, corners in ((LEFT_EYE_LIDS, LEFT_EYE), (RIGHT_EYE_LIDS, RIGHT_EYE)):
        ratios = [
            np.mean([shape[low, 1] - shape[up, 1] for up, low in pairs]) / np.ptp(shape[[corners[0], corners[8]], 0])
            for shape in (before, after)
        ]
        assert ratios[1] == pytest.approx(ratios[0], rel=0.15)
    gaps = [np.mean([shape[low, 1] - shape[up, 1] for up, low in INNER_LIP_PAIRS]) for shape in (before, after)]
    assert gaps[1] == pytest.approx(gaps[0], abs=0.15)


def test_a_move_moves_its_feature_and_hardly_the_others() -> None:
    shape = moved(mean_shape(), Moves(**{**vars(NONE), "mouth_down": 0.3}))
    assert middle(shape, "mouth")[1] - middle(mean_shape(), "mouth")[1] == pytest.approx(0.3, abs=0.02)
    assert middle(shape, "left_eye") == pytest.approx(middle(mean_shape(), "left_eye"), abs=0.01)


def test_moves_towards_a_shape_bring_the_features_there() -> None:
    aim = moved(mean_shape(), Moves(**{**vars(NONE), "eyes_apart": 0.2, "nose_down": 0.2, "mouth_down": -0.2}))
    found = towards(mean_shape(), aim)
    assert (found.eyes_apart, found.nose_down, found.mouth_down) == pytest.approx((0.2, 0.2, -0.2), abs=0.02)
    assert np.abs(moved(mean_shape(), found) - aim).max() < 0.1


def somebody(**moves: float) -> np.ndarray:
    """A shape with proportions of its own."""
    return moved(mean_shape(), Moves(**{**vars(NONE), **moves}))


WIDE = somebody(eyes_apart=0.2, nose_down=0.2, mouth_down=0.25)
NARROW = somebody(eyes_apart=-0.2, nose_down=-0.2, mouth_down=-0.25)


@given(seed=seeds)
@settings(max_examples=30)
def test_two_people_get_the_same_proportions_from_the_same_chance(seed: int) -> None:
    one, other = (moved(shape, of_nobody(shape, np.random.default_rng(seed))) for shape in (WIDE, NARROW))
    for feature in ("left_eye", "right_eye", "nose", "mouth"):
        before = np.linalg.norm(middle(WIDE, feature) - middle(NARROW, feature))
        assert np.linalg.norm(middle(one, feature) - middle(other, feature)) < 0.25 * before


def test_raised_brows_stay_raised_as_they_are_expression() -> None:
    raised = somebody(brows_down=-0.3)
    one, other = (moved(shape, of_nobody(shape, np.random.default_rng(5))) for shape in (raised, mean_shape()))
    assert middle(one, "left_brow")[1] - middle(other, "left_brow")[1] == pytest.approx(-0.3, abs=0.05)


@given(seed=seeds)
@settings(max_examples=30)
def test_what_is_unusual_moves_to_the_other_side_of_the_mean(seed: int) -> None:
    for shape, side in ((WIDE, -1), (NARROW, 1)):
        moves = unlike(shape, np.random.default_rng(seed))
        assert min(side * moves.eyes_apart, side * moves.nose_down, side * moves.mouth_down) > 0


@given(seed=seeds, nose=st.floats(-0.3, 0.3), mouth=st.floats(-0.3, 0.3))
@settings(max_examples=30)
def test_nose_and_mouth_go_the_same_way_from_any_face(seed: int, nose: float, mouth: float) -> None:
    moves = unlike(somebody(nose_down=nose, mouth_down=mouth), np.random.default_rng(seed))
    assert moves.nose_down * moves.mouth_down > 0


def with_eyes_as_open(share: float) -> np.ndarray:
    shape = mean_shape().copy()
    for loop, _ in EYES.values():
        at = list(loop)
        shape[at, 1] = shape[at, 1].mean() + share * (shape[at, 1] - shape[at, 1].mean())
    return shape


def test_how_open_eyes_are_is_told_relative_to_their_width_whatever_the_size_of_the_face() -> None:
    usual = eyes_open(mean_shape())
    assert eyes_open(with_eyes_as_open(0.5)[:, :2]) == pytest.approx(0.5 * usual, rel=0.1)
    assert eyes_open(7 * mean_shape()) == pytest.approx(usual)


def test_eyes_that_are_read_as_they_should_be_stay() -> None:
    assert np.array_equal(with_lids(mean_shape(), 0.25, 0.25), mean_shape())


@pytest.mark.parametrize(("read", "factor"), [(0.28, 0.78), (0.20, 1.22), (0.5, 0.4), (0.0, 1.6)])
def test_lids_close_and_open_by_what_the_reading_is_off_but_never_shut(read: float, factor: float) -> None:
    before = with_eyes_as_open(0.7)
    after = with_lids(before, 0.24, read)
    for upper, lower in (*LEFT_EYE_LIDS, *RIGHT_EYE_LIDS):
        apart = before[lower, 1] - before[upper, 1]
        assert after[lower, 1] - after[upper, 1] == pytest.approx(factor * apart, rel=0.01)


def test_eyes_never_stare() -> None:
    wide = with_eyes_as_open(1.4)
    for read in (0.0, 0.24):
        drawn = with_lids(wide, 0.24, read)
        gaps = [drawn[lower, 1] - drawn[upper, 1] for upper, lower in (*LEFT_EYE_LIDS, *RIGHT_EYE_LIDS)]
        assert np.mean(gaps) < 0.8


def test_lids_take_nothing_else_along() -> None:
    drawn = with_lids(mean_shape(), 0.1, 0.3)
    assert np.abs(drawn - mean_shape())[list(OVAL)].max() == 0
    assert middle(drawn, "mouth") == pytest.approx(middle(mean_shape(), "mouth"), abs=0.01)


def test_a_feature_that_is_seen_too_high_is_drawn_lower_and_the_others_hardly() -> None:
    seen = mean_shape().copy()
    seen[list(FEATURES["left_eye"]), 1] -= 0.2
    drawn = brought_nearer(mean_shape(), mean_shape(), seen)
    moved_by = {feature: (middle(drawn, feature) - middle(mean_shape(), feature))[1] for feature in FEATURES}
    assert moved_by["left_eye"] == pytest.approx(0.14, abs=0.02)
    assert max(abs(by) for feature, by in moved_by.items() if feature != "left_eye") < 0.03
    assert np.abs(drawn - mean_shape())[list(OVAL)].max() == 0


def test_features_that_are_seen_where_they_are_wanted_stay() -> None:
    assert np.array_equal(brought_nearer(mean_shape(), mean_shape(), mean_shape()), mean_shape())


def test_a_mesh_that_lies_elsewhere_moves_features_by_little() -> None:
    drawn = brought_nearer(mean_shape(), mean_shape(), mean_shape() + 5.0)
    assert np.abs(drawn - mean_shape()).max() <= 0.4 + 1e-9


def with_a_crooked_nose() -> np.ndarray:
    shape = mean_shape().copy()
    shape[[4, 5, 195], 0] += 0.4
    shape[[63, 105], 1] -= 0.3  # and a pointed brow
    return shape


def test_outlines_of_eyes_brows_and_nose_come_near_the_usual_ones_of_the_same_size_and_place() -> None:
    own = with_a_crooked_nose()
    usual = with_usual_outlines(own)
    for feature in ("left_brow", "nose"):
        points = list(FEATURES[feature])
        wanted = mean_shape()[points] - mean_shape()[points].mean(axis=0)
        wanted *= np.ptp(own[points], axis=0) / np.ptp(wanted, axis=0)

        def off(shape: np.ndarray, points: list[int] = points, wanted: np.ndarray = wanted) -> float:
            return float(np.linalg.norm((shape[points] - shape[points].mean(axis=0) - wanted)[:, :2], axis=1).mean())

        assert off(usual) < 0.75 * off(own)
        assert usual[points].mean(axis=0) == pytest.approx(own[points].mean(axis=0), abs=0.1)


def test_the_outlines_of_mouth_and_face_stay() -> None:
    smiling = with_a_crooked_nose()
    smiling[[61, 291], 1] -= 0.3
    usual = with_usual_outlines(smiling)
    for points in (list(FEATURES["mouth"]), list(OVAL)):
        assert np.array_equal(usual[points], smiling[points])


def test_the_mean_face_has_the_usual_outlines() -> None:
    assert with_usual_outlines(mean_shape()) == pytest.approx(mean_shape(), abs=1e-9)


def test_strength_nothing_moves_nothing() -> None:
    assert np.array_equal(moved(mean_shape(), drawn_moves(np.random.default_rng(0), 0.0)), mean_shape())


def test_the_mesh_does_not_fold() -> None:
    """Every triangle keeps its sense, also with all moves at their limits."""
    from photo_anonymizer.mesh.topology import triangles

    front = mean_shape()[:, :2]

    def areas(points: np.ndarray) -> np.ndarray:
        a, b, c = (points[triangles()[:, at]] for at in range(3))
        return np.asarray((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (c[:, 0] - a[:, 0]) * (b[:, 1] - a[:, 1]))

    usual = np.median(np.abs(areas(front)))
    clear = np.abs(areas(front)) > 0.2 * usual
    for seed in range(20):
        after = areas(moved(mean_shape(), drawn_moves(np.random.default_rng(seed)))[:, :2])
        assert (np.sign(after) == np.sign(areas(front)))[clear].mean() > 0.98
