"""What a restorer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.attacks.protocol import Labels

Stack = NDArray[np.float32]
"""Faces: float32 (n, h, w, 3), RGB, 0 to 1."""
Restore = Callable[[Stack], Stack]
Away = Callable[[Stack, Stack], float]
"""How far restored faces are from the originals in the same rows: the mean of the recogniser's distances."""
Strength = TypeVar("Strength")

TRIED_ON = 16
"""Faces of his own that an attacker tries strengths on."""


@dataclass(frozen=True)
class Lesson:
    """Faces that the attacker knows before and after.

    :param published: (m, h, w, 3), anonymized; the same face may be there several times, with other chance.
    :param original: (m, h, w, 3).
    :param people: int (m,), whom they show.
    :param away: what to make small.
    """

    published: Stack
    original: Stack
    people: Labels
    away: Away

    def few(self) -> Lesson:
        """At most :data:`TRIED_ON` of them, evenly spread."""
        chosen = np.unique(np.linspace(0, len(self.people) - 1, TRIED_ON).round().astype(int))
        return self.take(chosen)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Lesson:
        """Some rows."""
        return Lesson(self.published[rows], self.original[rows], self.people[rows], self.away)


class Restorer(Protocol):
    """Makes published faces more like the originals, after a look at faces that the attacker knows.

    Nothing of the people who are tested is in the lesson. The same lesson gives the same restorer.
    """

    name: str
    """The name in the registry."""

    def fit(self, lesson: Lesson) -> Restore:
        """What is done to published faces: (n, h, w, 3) to (n, h, w, 3), 0 to 1."""
        ...


class QuickRestorer(Restorer, Protocol):
    """A restorer that is worth something without a lesson, and fast enough for every face of a run."""

    def untaught(self) -> Mapping[str, Restore]:
        """What is done at strengths that nobody chose for these photos, by a name for each."""
        ...


def untaught(
    name: str, strengths: Sequence[Strength], restore: Callable[[Stack, Strength], Stack]
) -> Mapping[str, Restore]:
    """The filter at fixed strengths: ``wiener 1`` is the first, and so on; one alone has no number."""
    numbers = [name] if len(strengths) == 1 else [f"{name} {number}" for number in range(1, len(strengths) + 1)]
    return {label: partial(_at, restore, strength) for label, strength in zip(numbers, strengths, strict=True)}


def _at(restore: Callable[[Stack, Strength], Stack], strength: Strength, stack: Stack) -> Stack:
    return restore(stack, strength)


def strongest(lesson: Lesson, strengths: Sequence[Strength], restore: Callable[[Stack, Strength], Stack]) -> Restore:
    """The filter at the strength that brings the attacker's own faces nearest to their originals."""
    few = lesson.few()
    best = min(strengths, key=lambda strength: few.away(restore(few.published, strength), few.original))
    return lambda stack: restore(stack, best)


def each_plane(stack: Stack, change: Callable[[NDArray[np.float64]], NDArray[np.float64]], margin: int) -> Stack:
    """Changes every channel of every face by itself, its border mirrored ``margin`` px outwards against ringing.

    :param change: float64 (h + 2 margin, w + 2 margin) to the same shape.
    """
    around = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    padded = np.pad(stack, around, mode="symmetric").astype(np.float64)
    result = np.empty_like(padded)
    for row, face in enumerate(padded):
        for channel in range(3):
            result[row, ..., channel] = change(face[..., channel])
    inner = slice(margin, -margin or None)
    return np.clip(result[:, inner, inner], 0, 1).astype(np.float32)


def learned(lesson: Lesson, penalties: Sequence[float], learn: Callable[[Lesson, float], Restore]) -> Restore:
    """What is learned with the penalty that restores half of the attacker's people best after a look at the others."""
    people = np.unique(lesson.people)
    first = np.isin(lesson.people, people[: (len(people) + 1) // 2])
    if first.all():
        return learn(lesson, max(penalties))
    start, held = lesson.take(first), lesson.take(~first).few()
    best = min(penalties, key=lambda penalty: held.away(learn(start, penalty)(held.published), held.original))
    return learn(lesson, best)
