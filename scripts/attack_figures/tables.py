"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.attacks.linkage import Consistency
from photo_anonymizer.reid.attacks.protocol import AttackResult
from photo_anonymizer.reid.statistics import rate

FLOOR = "mask"
ROUNDS = 2000

Results = Mapping[str, Sequence[AttackResult]]
"""Method → what the attacks found; an attack that was repeated with other chance is there several times."""


@dataclass(frozen=True)
class Figure:
    """One attack on one method, repeats taken together.

    :param found: float (n,), share of the repeats in which each face was found; -1 for faces that were not attacked.
    :param people: int (n,), whom the faces show.
    :param chance: mean over the repeats, 0 to 1.
    :param verified: share called the same person; None where that means nothing.
    """

    found: NDArray[np.float64]
    people: NDArray[np.int64]
    chance: float
    verified: float | None
    degenerate: bool

    @classmethod
    def of(cls, repeats: Sequence[AttackResult]) -> Figure:
        """The figure of one attack's repeats."""
        size = 1 + max((int(one.rows.max()) for one in repeats if len(one.rows)), default=-1)
        rows = np.concatenate([one.rows for one in repeats])
        hits = np.bincount(rows, weights=np.concatenate([one.hits for one in repeats]), minlength=size)
        times = np.bincount(rows, minlength=size)
        people = np.zeros(size, np.int64)
        people[rows] = np.concatenate([one.people for one in repeats])
        checks = [float(one.verified.mean()) for one in repeats if one.verified is not None and len(one.verified)]
        return cls(
            found=np.where(times > 0, hits / np.maximum(times, 1), -1),
            people=people,
            chance=float(np.mean([one.chance for one in repeats])),
            verified=float(np.mean(checks)) if checks else None,
            degenerate=any(one.degenerate for one in repeats),
        )

    @property
    def attacked(self) -> NDArray[np.bool_]:
        """Which faces were attacked."""
        return self.found >= 0

    @property
    def rate(self) -> Rate:
        """Mean rate, with the exact interval of as many hits on as many faces: repeats are no further faces."""
        hits = self.found[self.attacked]
        return rate(round(float(hits.sum())), len(hits), chance=self.chance if len(hits) else None)


def attack_table(results: Results) -> str:
    """Attack × recogniser × method: rate, interval, n, chance, how far above the mask, called the same person."""
    lines = [
        "| attack | recogniser | method | found | 95 % interval | n | chance | over the mask, points | verified |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for kind in dict.fromkeys((one.attack, one.recogniser) for found in results.values() for one in found):
        figures = {method: figure for method, found in results.items() if (figure := _figure(kind, found))}
        for method, one in figures.items():
            over = "floor" if method == FLOOR else _over(one, figures.get(FLOOR))
            lines.append(f"| {kind[0]} | {kind[1]} | {method} | {_row(one)} | {over} | {_verified(one)} |")
    return "\n".join(lines)


def _figure(kind: tuple[str, str], found: Sequence[AttackResult]) -> Figure | None:
    repeats = [one for one in found if (one.attack, one.recogniser) == kind]
    return Figure.of(repeats) if repeats else None


def _row(one: Figure) -> str:
    found, chance = one.rate, f"{100 * one.chance:.1f} %"
    if one.degenerate:
        return f"proves nothing | | {found.n} | {chance}"
    return f"{percent(float(one.found[one.attacked].mean()))} | {interval(found)} | {found.n} | {chance}"


def percent(share: float | None) -> str:
    """``12.3 %``."""
    return "–" if share is None else f"{100 * share:.1f} %"


def interval(found: Rate) -> str:
    """``10.0–15.2``."""
    return "–" if found.low is None or found.high is None else f"{100 * found.low:.1f}–{100 * found.high:.1f}"


def _verified(one: Figure) -> str:
    return "" if one.verified is None or one.degenerate else percent(one.verified)


def _over(one: Figure, floor: Figure | None) -> str:
    if floor is None or one.degenerate or not one.attacked.any():
        return ""
    middle, low, high = over_floor(one, floor)
    return f"{100 * middle:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def over_floor(one: Figure, floor: Figure, seed: int = 0) -> tuple[float, float, float]:
    """How much more is found than behind the floor's method, or than by guessing where that finds less: the difference
    of rates, −1 to 1, and its 95 % interval.

    The interval is that of a bootstrap over people (percentiles of 2,000 draws), whose photos are not independent.
    """
    both = one.attacked & floor.attacked
    behind = floor.found[both]
    gain = one.found[both] - (behind if behind.mean() >= one.chance else one.chance)
    known, who = np.unique(one.people[both], return_inverse=True)
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
        shown = f"{percent(one.own.rate)} of {one.own.n} | {percent(one.strangers.rate)} of {one.strangers.n}"
        lines.append(f"| {method} | {recogniser} | {shown} | {kept} |")
    return "\n".join(lines)
