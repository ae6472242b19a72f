"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.attacks.linkage import Consistency
from photo_anonymizer.reid.attacks.protocol import AttackResult

FLOOR = "mask"
ROUNDS = 2000

Results = Mapping[str, Sequence[AttackResult]]
"""Method → what the attacks found."""


def attack_table(results: Results) -> str:
    """Method × attack × recogniser: rate, interval, n, chance, the floor and how far above it."""
    floors = {(one.attack, one.recogniser): one for one in results.get(FLOOR, ())}
    lines = [
        "| attack | recogniser | method | found | 95 % interval | n | chance | over the mask, points | verified |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for attack, recogniser in _kinds(results):
        for method, found in results.items():
            one = next((item for item in found if (item.attack, item.recogniser) == (attack, recogniser)), None)
            if one is not None:
                over = "floor" if method == FLOOR else _over(one, floors.get((attack, recogniser)))
                lines.append(f"| {attack} | {recogniser} | {method} | {_row(one)} | {over} | {_verified(one)} |")
    return "\n".join(lines)


def _kinds(results: Results) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.attack, one.recogniser) for found in results.values() for one in found))


def _row(one: AttackResult) -> str:
    rate = one.rank1
    if one.degenerate:
        return f"proves nothing | | {rate.n} | {100 * one.chance:.1f} %"
    return f"{percent(rate)} | {interval(rate)} | {rate.n} | {100 * one.chance:.1f} %"


def percent(rate: Rate) -> str:
    """``12.3 %``."""
    return "–" if rate.rate is None else f"{100 * rate.rate:.1f} %"


def interval(rate: Rate) -> str:
    """``10.0–15.2``."""
    return "–" if rate.low is None or rate.high is None else f"{100 * rate.low:.1f}–{100 * rate.high:.1f}"


def _verified(one: AttackResult) -> str:
    return "" if one.verification is None or one.degenerate else percent(one.verification)


def _over(one: AttackResult, floor: AttackResult | None) -> str:
    if floor is None or one.degenerate or not len(one.hits):
        return ""
    middle, low, high = over_floor(one, floor)
    return f"{100 * middle:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def over_floor(one: AttackResult, floor: AttackResult, seed: int = 0) -> tuple[float, float, float]:
    """How much more is found than behind the floor's method, or than by guessing where that finds less: the difference
    of rates, −1 to 1, and its 95 % interval.

    The interval is that of a bootstrap over people (percentiles of 2,000 draws), whose photos are not independent.
    """
    guessed = np.full(len(one.hits), one.chance)
    behind = floor.hits.astype(float) if floor.hits.mean() >= one.chance else guessed
    if not np.array_equal(one.rows, floor.rows):
        behind = np.full(len(one.hits), max(float(floor.hits.mean()), one.chance))
    gain = one.hits - behind
    known, who = np.unique(one.people, return_inverse=True)
    sums, counts = np.bincount(who, weights=gain), np.bincount(who)
    drawn = np.random.default_rng(seed).integers(0, len(known), (ROUNDS, len(known)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(gain.mean()), float(low), float(high)


def consistency_table(found: Mapping[tuple[str, str], Consistency]) -> str:
    """(method, recogniser) → whether published faces of a person are called the same, and what policy that is."""
    lines = [
        "| method | recogniser | pairs of one person called the same | of strangers | a new face in every photo "
        "(`fresh`) | the same face (`per_run`) |",
        "|---|---|---|---|---|---|",
    ]
    for (method, recogniser), one in found.items():
        kept = " | ".join("holds" if one.holds(policy) else "does not hold" for policy in ("fresh", "per_run"))
        shown = f"{percent(one.own)} of {one.own.n} | {percent(one.strangers)} of {one.strangers.n}"
        lines.append(f"| {method} | {recogniser} | {shown} | {kept} |")
    return "\n".join(lines)
