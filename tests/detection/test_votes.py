"""Several looks at one photo: each candidate is judged by the looks that could see it."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.detection.votes import Look, overlaps, voted
from photo_anonymizer.model.geometry import PixelBox

SIZE_WH = 400, 300
WHOLE = PixelBox(x0=0, y0=0, x1=400, y1=300)
LEFT = PixelBox(x0=0, y0=0, x1=200, y1=300)
HERE, THERE, TINY = (50, 50, 90, 100), (300, 50, 340, 100), (50, 50, 54, 55)


def rows(*found: tuple[tuple[float, float, float, float], float]) -> np.ndarray:
    made = np.zeros((len(found), 16), np.float32)
    for row, (box, score) in zip(made, found, strict=True):
        row[:4], row[15] = box, score
    return made


def scores(*looks: Look) -> list[float]:
    return [round(float(score), 3) for score in voted(looks, SIZE_WH, 0.05)[:, 15]]


def test_a_face_that_all_looks_see_alike_keeps_its_score() -> None:
    assert scores(*[Look(rows((HERE, 0.8)), WHOLE, 1)] * 3) == [0.8]


def test_what_only_one_look_of_two_sees_is_outvoted() -> None:
    (score,) = scores(Look(rows((HERE, 0.4)), WHOLE, 1), Look(rows(), WHOLE, 1))
    assert score < 0.1


def test_a_look_to_which_the_face_is_too_small_has_no_vote() -> None:
    assert scores(Look(rows((TINY, 0.6)), WHOLE, 4), Look(rows(), WHOLE, 1)) == [0.6]


def test_a_look_to_which_the_face_is_too_large_has_no_vote() -> None:
    assert scores(Look(rows((HERE, 0.6)), WHOLE, 1), Look(rows(), WHOLE, 10)) == [0.6]


def test_a_look_that_sees_a_face_surely_has_a_vote_whatever_its_size() -> None:
    (score,) = scores(Look(rows((HERE, 0.9)), WHOLE, 1), Look(rows((HERE, 0.6)), WHOLE, 10))
    assert 0.6 < score < 0.9


def test_a_tile_has_no_vote_on_what_lies_beyond_it() -> None:
    assert scores(Look(rows((THERE, 0.7)), WHOLE, 1), Look(rows(), LEFT, 1)) == [0.7]


def test_a_tile_votes_on_what_lies_in_it() -> None:
    (score,) = scores(Look(rows((HERE, 0.7)), WHOLE, 1), Look(rows(), LEFT, 1))
    assert score < 0.2


def test_a_face_at_the_photos_edge_is_within_the_looks_that_show_its_visible_part() -> None:
    beyond = (-20, 50, 20, 100)
    (score,) = scores(Look(rows((beyond, 0.7)), WHOLE, 1), Look(rows(), LEFT, 1))
    assert score < 0.2


def test_a_face_that_no_look_may_vote_on_keeps_its_best_score() -> None:
    assert scores(Look(rows((TINY, 0.3)), WHOLE, 1), Look(rows((TINY, 0.2)), WHOLE, 1)) == [0.3]


def test_the_surest_face_comes_first_and_each_once() -> None:
    seen = rows((THERE, 0.5), (HERE, 0.9))
    found = voted([Look(seen, WHOLE, 1)] * 2, SIZE_WH, 0.05)
    assert found[:, :4].tolist() == [list(HERE), list(THERE)]


def test_candidates_below_the_lowest_score_only_lend_their_votes() -> None:
    assert scores(Look(rows((HERE, 0.03)), WHOLE, 1)) == []
    seen_twice = scores(Look(rows((HERE, 0.3)), WHOLE, 1), Look(rows((HERE, 0.03)), WHOLE, 1))
    seen_once = scores(Look(rows((HERE, 0.3)), WHOLE, 1), Look(rows(), WHOLE, 1))
    assert seen_twice > seen_once


def test_nothing_seen_gives_nothing() -> None:
    assert voted([Look(rows(), WHOLE, 1)], SIZE_WH, 0.05).shape == (0, 16)


def test_thousands_of_candidates_are_judged_like_one() -> None:
    many = rows(*[((4.0 * i, 0.0, 4.0 * i + 3, 40.0), 0.5) for i in range(600)])
    found = voted([Look(many, PixelBox(x0=0, y0=0, x1=3000, y1=300), 1)] * 2, (3000, 300), 0.05)
    assert found[:, 15] == pytest.approx(np.full(600, 0.5))


def test_overlap_of_boxes_is_their_shared_part_of_both() -> None:
    assert overlaps(rows(((0, 0, 10, 10), 1)), rows(((5, 0, 15, 10), 1)))[0, 0] == pytest.approx(1 / 3)
