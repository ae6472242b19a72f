"""The result of heavy attacks as lines to read, with what the gate makes of each."""

from __future__ import annotations

from collections.abc import Iterator

from photo_anonymizer.config import ReidConfig
from photo_anonymizer.heavy.result import HeavyAttack, HeavyResult

_COLUMNS = "{:34}{:14}{:>7}{:>6}{:>8}{:>8}{:>8}  {:17}{}"
HEADS = _COLUMNS.format("attack", "recogniser", "found", "of", "mask", "chance", "above", "95 % interval", "the gate")


def lines(result: HeavyResult, bounds: ReidConfig) -> Iterator[str]:
    """A table, and how it is to be read.

    :param bounds: what the gate of the next run will ask for.
    """
    yield f"{result.method}: {result.photos} photos of {result.people} people ({result.identities})"
    yield HEADS
    for one in result.attacks:
        yield _row(one, bounds)
    end = "upper" if bounds.claim == "proven" else "lower"
    yield (
        "above: points above what the same attack finds behind a solid mask, or above chance, where that is more. "
        f"The gate judges\nthe interval's {end} end: at most {100 * bounds.max_rank1_excess:g} points."
    )


def _row(one: HeavyAttack, bounds: ReidConfig) -> str:
    over = one.over_floor
    found, floor, chance = (f"{100 * (rate or 0):.1f} %" for rate in (one.found.rate, one.floor.rate, one.found.chance))
    above = f"{100 * over.middle:+.1f}" if over else "–"
    interval = f"{100 * over.low:+.1f} to {100 * over.high:+.1f}" if over else "–"
    return _COLUMNS.format(
        one.attack, one.recogniser, found, one.found.n, floor, chance, above, interval, verdict(one, bounds)
    ).rstrip()


def verdict(one: HeavyAttack, bounds: ReidConfig) -> str:
    """What the gate makes of one form: ``within``, ``too much``, ``not judged``, ``proves nothing``."""
    if one.over_floor is None:
        return "proves nothing"
    if not one.bounded:
        return "not judged"
    return "within" if one.over_floor.judged(bounds.claim) <= bounds.max_rank1_excess else "too much"
