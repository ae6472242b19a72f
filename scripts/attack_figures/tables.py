"""Figures as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from photo_anonymizer.heavy.figure import FLOOR, Figure, over_floor
from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.attacks.linkage import Consistency
from photo_anonymizer.reid.attacks.protocol import AttackResult

Results = Mapping[str, Sequence[AttackResult]]
"""Method → what the attacks found; an attack that was repeated with other chance is there several times."""


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
