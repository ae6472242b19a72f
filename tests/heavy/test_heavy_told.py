"""The table of what heavy attacks found."""

from __future__ import annotations

import pytest

from heavycases import result_of
from photo_anonymizer.config import ReidConfig, load_config
from photo_anonymizer.heavy.told import lines

CONFIG = load_config({"source": "-", "method": "blur"})


def row(low: float | None, attack: str = "A2", bounds: ReidConfig = CONFIG.reid) -> str:
    """The line of the parrot, or of linkage, which gets as far."""
    told = lines(result_of(CONFIG, low=low, high=0.2, linkage_low=low or 0), bounds)
    return next(line for line in told if line.startswith(attack))


def test_a_row_shows_the_interval_that_is_judged() -> None:
    assert "20.0 %    60  15.0 %  10.0 %   +10.5  +1.0 to +20.0" in row(0.01)


@pytest.mark.parametrize(("low", "verdict"), [(0.01, "within"), (0.05, "within"), (0.06, "too much")])
def test_a_row_is_marked_by_the_end_that_the_gate_looks_at(low: float, verdict: str) -> None:
    assert row(low).endswith(verdict)
    proven = CONFIG.reid.model_copy(update={"claim": "proven"})
    assert row(low, bounds=proven).endswith("too much")


def test_what_is_told_only_and_what_tested_nothing_say_so() -> None:
    assert row(0.5, "A4").endswith("not judged")
    assert row(None).endswith("proves nothing")


def test_what_it_is_compared_with_is_said() -> None:
    *_, last = lines(result_of(CONFIG), CONFIG.reid)
    assert "behind a solid mask, or above chance, where that is more" in last
    assert "lower end: at most 5 points" in last
