"""How many faces a claim needs, and words that never say too much."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.reid.claims import claim_in_words, needed_n, percent_up, shows_at_most, upper_end
from photo_anonymizer.reid.people import by_person
from photo_anonymizer.reid.statistics import rate


@pytest.mark.parametrize(("bound", "n"), [(0.5, 5), (0.14, 20), (0.05, 59), (0.01, 299), (0.001, 2995)])
def test_the_rule_of_three_exactly(bound: float, n: int) -> None:
    assert needed_n(bound) == n


@given(st.floats(1e-5, 0.99), st.floats(0.5, 0.999))
def test_it_is_the_smallest_number_that_is_enough(bound: float, confidence: float) -> None:
    n = needed_n(bound, confidence)
    assert 1 - (1 - confidence) ** (1 / n) <= bound * (1 + 1e-6)
    assert n == 1 or 1 - (1 - confidence) ** (1 / (n - 1)) > bound * (1 - 1e-6)


@pytest.mark.parametrize("bound", [0, 1, -0.1, 2])
def test_no_sample_is_enough_for_nothing_at_all(bound: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        needed_n(bound)


@pytest.mark.parametrize(("hits", "n", "upper"), [(0, 20, 0.1391), (0, 299, 0.00997), (1, 20, 0.2161), (20, 20, 1.0)])
def test_the_upper_end_is_one_sided(hits: int, n: int, upper: float) -> None:
    assert upper_end(hits, n) == pytest.approx(upper, abs=5e-5)


@pytest.mark.parametrize(
    ("hits", "n", "said"),
    [
        (0, 20, "0 of 20 proves only less than 14 %"),
        (0, 299, "0 of 299 proves only less than 1 %"),
        (0, 298, "0 of 298 proves only less than 1.1 %"),
        (0, 2995, "0 of 2,995 proves only less than 0.1 %"),
        (0, 1, "0 of 1 proves only less than 95 %"),
        (1, 1, "1 of 1 proves nothing"),
        (0, 0, "0 of 0 proves nothing"),
    ],
)
def test_what_a_count_shows_is_said(hits: int, n: int, said: str) -> None:
    assert shows_at_most(hits, n) == said


@given(st.floats(1e-7, 1))
def test_a_share_is_never_rounded_down_nor_up_by_much(share: float) -> None:
    said = float(percent_up(share).removesuffix(" %"))
    assert share * 100 * (1 - 1e-6) <= said <= share * 100 * 1.11 + 1e-9


def test_an_observation_says_that_it_is_none() -> None:
    linked = by_person([False] * 40, [number // 2 for number in range(40)])
    said = claim_in_words("observed", rate(0, 40), linked)
    assert said.startswith("Observed, not proven: 0 of 40 faces are linked")
    assert "about 20 people; 0 of 20 proves only less than 14 % of people" in said


def test_a_proof_says_of_whom_and_how_sure() -> None:
    said = claim_in_words("proven", rate(0, 700), by_person([False] * 700, [number // 2 for number in range(700)]))
    assert (
        "Proven at 95 % confidence against the attacks of this run: a face is linked of at most 0.86 % of people"
        in said
    )


@pytest.mark.parametrize("claim", ["observed", "proven"])
def test_where_people_could_not_be_told_apart_nothing_is_proven(claim: str) -> None:
    assert claim_in_words(claim, rate(0, 700), None).startswith("Observed, not proven")
    assert claim_in_words(claim, rate(0, 0), None) == "Nothing is claimed: no face was attacked."
