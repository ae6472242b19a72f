"""Only a recogniser that knows the originals counts as a test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from photo_anonymizer.config import ConsentConfig
from photo_anonymizer.escalation import Measured
from photo_anonymizer.gate.aggregates import Aggregates, tally
from photo_anonymizer.gate.standing import Standing, standings
from photo_anonymizer.reid.measure import EMPTY_GREYS, Attack, Attacks, linked_by_person, measure
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import rate

N = 40
EMPTY = np.zeros((len(EMPTY_GREYS), 64), np.float32)
KEYS = tuple((f"p{number:02d}", "f0000") for number in range(N))
RNG = np.random.default_rng(2)


def strangers() -> np.ndarray:
    rows = RNG.normal(size=(N, 64)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def attack(name: str, *, known: int = N, linked: int = 0, constant: bool = False) -> Attack:
    """A real measurement of a recogniser that knows so many originals in the mirror and links so many faces."""
    original, mirrored, published = strangers(), strangers(), strangers()
    if constant:
        original[:] = original[0]
    mirrored[:known], published[:linked] = original[:known], original[:linked]
    people = {key: number for number, key in enumerate(KEYS)}
    return measure(FacePairs(KEYS, original, mirrored, published), name, 0.6, EMPTY, people)


def together(*attacks: Attack) -> Attacks:
    links = max((item.linked for item in attacks if not item.degenerate), key=lambda found: found.hits, default=None)
    hits = links.hits if links else 0
    people = {key: number for number, key in enumerate(KEYS)}
    return Attacks(
        linked=rate(hits, N),
        linked_by_person=linked_by_person(KEYS, set(KEYS[:hits]), people),
        by_recogniser={item.recogniser: item for item in attacks},
    )


def standing(*attacks: Attack, **earlier: Any) -> dict[str, Standing]:
    return {item.recogniser: item for item in standings(together(*attacks), earlier, 0.8)}


def counted(*attacks: Attack) -> Aggregates:
    found = together(*attacks)
    measured = Measured(
        before=found,
        after=found,
        rounds=0,
        faces_escalated=0,
        photos_held=0,
        photos_with_faces=N,
        photos_measured=N,
    )
    return tally(inputs=0, records=[], edited_faces={}, files=[], measured=measured, consent=ConsentConfig())


def test_one_that_knows_the_originals_counts() -> None:
    assert standing(attack("good", known=32))["good"] == Standing(recogniser="good", control_rate=0.8, counts=True)


def test_others_do_not_and_it_is_said_why() -> None:
    found = standing(attack("weak", known=10), attack("constant", constant=True))
    assert not found["weak"].counts
    assert found["weak"].why_not == "knows 25 % of the originals in the mirror, and 80 % are asked for"
    assert not found["constant"].counts
    assert found["constant"].why_not == "does not tell the originals apart"


def test_originals_of_versions_that_are_taken_over_count_for_the_recogniser_that_saw_them() -> None:
    found = standing(attack("one", known=30), attack("two", known=30), one=[rate(100, 100)])
    assert [found["one"].counts, found["two"].counts] == [True, False]


def test_the_gate_sees_the_most_that_any_recogniser_finds() -> None:
    row = counted(attack("one"), attack("two", linked=8))
    assert row.linked_rate == pytest.approx(8 / N)
    assert row.furthest == "two"
    assert row.rank1_low_excess is not None
    assert row.rank1_low_excess > 0.05
    assert row.people == N
    assert row.linked_upper is not None
    assert row.linked_upper > 8 / N


def test_one_good_recogniser_is_enough_and_a_broken_one_beside_it_does_not_speak() -> None:
    row = counted(attack("constant", constant=True), attack("good"), attack("weak", known=3))
    assert not row.recogniser_degenerate
    assert row.control_rate == 1


def test_where_all_are_broken_that_is_what_is_seen() -> None:
    assert counted(attack("one", constant=True), attack("two", constant=True)).recogniser_degenerate


def test_of_several_weak_ones_the_best_is_what_is_seen() -> None:
    assert counted(attack("one", known=10), attack("two", known=20)).control_rate == 0.5
