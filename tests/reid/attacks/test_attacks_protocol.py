"""What every registered attack keeps to."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.reid.attacks import ATTACKS
from photo_anonymizer.reid.attacks.protocol import AttackResult
from reid.attacks.drawn import BLIND, PEOPLE, PHOTOS, SETTING, blurred, noise, photos_of_people, probes

NAMES = sorted(ATTACKS)
FAST = [name for name in NAMES if name != "restoration"]  # which has tests of its own
CLEAR = photos_of_people()
USES_NO_RECOGNISER = {"pixels", "colours", "picture"}


def run(name: str, given, setting=SETTING) -> list[AttackResult]:
    return list(ATTACKS.load(name)().measure(given, setting))


def test_an_unknown_attack_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"unknown attack 'magic'.*cross_photo"):
        ATTACKS.load("magic")


@pytest.mark.parametrize("name", FAST)
def test_a_result_says_who_attacked_whom_by_what_and_how_often_guessing_hits(name: str) -> None:
    results = run(name, probes(CLEAR, CLEAR))
    assert results
    for one in results:
        assert one.attack
        assert one.recogniser in {SETTING.recogniser.name, *USES_NO_RECOGNISER}
        assert one.split
        assert len(one.rows) == len(one.hits) == len(one.people) == one.rank1.n == PEOPLE * PHOTOS
        assert np.array_equal(one.people, one.rows // PHOTOS)
        assert one.rank1.chance == one.chance
        assert 0 <= one.chance < 0.5
        assert one.rank1.low is not None


@pytest.mark.parametrize("name", FAST)
def test_the_same_probes_and_seed_give_the_same_results(name: str) -> None:
    given = probes(CLEAR, blurred(CLEAR), [noise(1)])
    for first, again in zip(run(name, given), run(name, given), strict=True):
        assert first.attack == again.attack
        assert np.array_equal(first.hits, again.hits)
        assert first.chance == again.chance


@pytest.mark.parametrize("name", FAST)
def test_a_recogniser_that_sees_nothing_finds_nobody_and_is_flagged(name: str) -> None:
    seen = [one for one in run(name, probes(CLEAR, CLEAR), BLIND) if one.recogniser not in USES_NO_RECOGNISER]
    assert seen or name == "near_duplicates"
    for one in seen:
        assert one.degenerate
        assert not one.hits.any()


@pytest.mark.parametrize("name", ["naive", "cross_photo", "linkage", "near_duplicates"])
def test_no_faces_give_no_results(name: str) -> None:
    assert run(name, probes(CLEAR[:0], CLEAR[:0])) == []


@pytest.mark.parametrize("name", ["parrot", "restoration"])
def test_an_attacker_with_too_few_people_to_learn_from_says_so(name: str) -> None:
    with pytest.raises(ConfigError, match="4 people"):
        run(name, probes(CLEAR[: 3 * PHOTOS], CLEAR[: 3 * PHOTOS]))


def test_nothing_found_in_nothing_is_no_rate() -> None:
    empty = np.zeros(0, np.int64)
    result = AttackResult("A1", "thumbnails", "all", empty, empty, np.zeros(0, bool), 0.0)
    assert result.rank1.rate is None
    assert result.verification is None


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"published": CLEAR[:3]}, "before and after"),
        ({"enrolled": CLEAR[np.newaxis, :3]}, "enrolled draw"),
        ({"enrolled": CLEAR[np.newaxis][:0]}, "enrolled draw"),
        ({"people": np.zeros(3, int)}, "one for each face"),
        ({"treatments": ("kept",)}, "one for each face"),
    ],
)
def test_probes_that_do_not_fit_are_refused(change: dict[str, object], text: str) -> None:
    whole = probes(CLEAR, CLEAR)
    assert set(change) <= {field.name for field in fields(whole)}
    with pytest.raises(ValueError, match=text):
        replace(whole, **change)  # type: ignore[arg-type]
