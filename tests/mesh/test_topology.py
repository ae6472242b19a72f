"""What the mesh's tables must be for everything that is built on them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from photo_anonymizer.mesh import topology


def edges() -> Counter[frozenset[int]]:
    return Counter(
        frozenset((int(triangle[at]), int(triangle[(at + 1) % 3])))
        for triangle in topology.triangles()
        for at in range(3)
    )


def test_the_mesh_is_one_sheet_without_holes_and_the_oval_is_its_edge() -> None:
    counted = edges()
    assert set(counted.values()) == {1, 2}
    rim = {edge for edge, count in counted.items() if count == 1}
    oval = topology.OVAL
    assert rim == {frozenset((oval[at], oval[(at + 1) % len(oval)])) for at in range(len(oval))}
    assert topology.POINTS - len(counted) + len(topology.triangles()) == 1  # Euler: a disc


@pytest.mark.parametrize("loop", ["LEFT_EYE", "RIGHT_EYE", "OUTER_LIPS", "INNER_LIPS", "OVAL"])
def test_loops_are_closed_along_edges(loop: str) -> None:
    points, counted = getattr(topology, loop), edges()
    assert all(frozenset((points[at], points[(at + 1) % len(points)])) in counted for at in range(len(points)))


def test_left_is_left_in_the_picture_and_up_is_up() -> None:
    shape = topology.mean_shape()
    assert shape[list(topology.LEFT_EYE), 0].max() < 0 < shape[list(topology.RIGHT_EYE), 0].min()
    assert shape[topology.FOREHEAD, 1] < shape[topology.NOSE_TIP, 1] < shape[topology.CHIN, 1]
    assert shape[topology.NOSE_TIP, 2] < shape[topology.OVAL[8], 2]  # nearer


def test_lids_and_lips_are_listed_upper_first() -> None:
    shape = topology.mean_shape()
    pairs = (*topology.LEFT_EYE_LIDS, *topology.RIGHT_EYE_LIDS, *topology.INNER_LIP_PAIRS)
    assert all(shape[upper, 1] <= shape[lower, 1] for upper, lower in pairs)


def test_the_mirror_of_the_mirror_is_the_point_itself() -> None:
    mirrored = topology.mirrored()
    assert np.array_equal(mirrored[mirrored], np.arange(topology.POINTS))
    assert mirrored[topology.LEFT_EYE[0]] == topology.RIGHT_EYE[0]


def test_weights_of_the_pose_leave_out_what_expressions_move() -> None:
    weights = topology.rigid_weights()
    assert weights.sum() == pytest.approx(1)
    assert weights[list(topology.INNER_LIPS)].sum() == 0
    assert weights[[pair for pairs in topology.LEFT_EYE_LIDS for pair in pairs]].sum() == 0


def test_tables_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        topology.mean_shape()[0] = 0
