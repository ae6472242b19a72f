"""What an attack is given, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.attacks.prints import Prints
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.statistics import rate

Chips = NDArray[np.uint8]
"""Aligned faces: uint8 (n, S, S, 3), RGB."""
Labels = NDArray[np.int64]
"""One whole number a face: int64 (n,)."""
Flags = NDArray[np.bool_]
"""One yes or no a face: bool (n,)."""

EVERYBODY = "all people"
"""The split of attacks that learn nothing."""


@dataclass(frozen=True)
class Probes:
    """Faces before and after anonymization, row by row, cut out where the **original's** landmarks are.

    :param original: uint8 (n, S, S, 3), S the recogniser's chip size.
    :param published: uint8 (n, S, S, 3), the same faces in the published pictures.
    :param enrolled: uint8 (d, n, S, S, 3), the same faces as the attacker anonymizes them, who has the software and
        the photos but not the vault's key: d draws of chance, none of them the published one.
    :param context: uint8 (n, C, C, 3), a wider crop of the published picture, aligned to
        :data:`~photo_anonymizer.reid.attacks.linkage.TEMPLATE`; black where the photo ends.
    :param people: int (n,), whom a face shows.
    :param photos: int (n,), the photo it is in.
    :param prints: of the published pictures that the faces are in.
    :param treatments: what was done to every face, such as ``methods.blur``, ``kept`` or ``held``.
    :raises ValueError: the shapes do not fit.
    """

    original: Chips
    published: Chips
    enrolled: NDArray[np.uint8]
    context: Chips
    people: Labels
    photos: Labels
    prints: Prints
    treatments: tuple[str, ...]

    def __post_init__(self) -> None:
        n, one = len(self), self.original.shape
        if one[1:] != (self.size_px, self.size_px, 3) or self.published.shape != one:
            raise ValueError(f"want square RGB chips before and after, got {one} and {self.published.shape}")
        if self.enrolled.ndim != 5 or self.enrolled.shape[1:] != one or len(self.enrolled) == 0:
            raise ValueError(f"want at least one enrolled draw of shape {one}, got {self.enrolled.shape}")
        counts = {len(self.context), len(self.people), len(self.photos), len(self.prints), len(self.treatments)}
        if counts != {n}:
            raise ValueError(f"want {n} of everything, one for each face; got {sorted(counts)}")

    def __len__(self) -> int:
        return len(self.original)

    @property
    def size_px(self) -> int:
        """Side of a chip."""
        return int(self.original.shape[1])

    def with_published(self, chips: Chips) -> Probes:
        """The same faces with other published chips, such as restored ones."""
        return replace(self, published=chips)


@dataclass(frozen=True)
class Setting:
    """Who attacks, and how people are split between attacker and test.

    :param recogniser: its chips are as large as those of the probes.
    :param seed: of the split; the same seed gives the same result.
    :param folds: people are split into so many groups; each is tested once, by an attacker who learned from the others.
    """

    recogniser: Recogniser
    seed: int = 0
    folds: int = 2


@dataclass(frozen=True)
class AttackResult:
    """What one attack found.

    :param attack: rung and name, such as ``A1 cross-photo``.
    :param recogniser: whose eyes it used; ``pixels`` or ``colours`` where there was no recogniser.
    :param split: whom it learned from, and who was tested.
    :param rows: int (k,), which rows of the probes were attacked: a face needs another photo of the same person for
        most attacks.
    :param people: int (k,), whom they show: rates by person are made from these.
    :param hits: bool (k,), found at rank 1. A tie is no hit.
    :param chance: the rate that guessing would reach, 0 to 1: the mean, over the faces attacked, of the share of
        gallery entries that are the right answer.
    :param verified: bool (k,), called the same person by the recogniser's own threshold; None where that threshold
        means nothing, as for embeddings that were learned anew.
    :param degenerate: the recogniser does not tell the originals apart: that nobody was found proves nothing.
    """

    attack: str
    recogniser: str
    split: str
    rows: Labels
    people: Labels
    hits: Flags
    chance: float
    verified: Flags | None = None
    degenerate: bool = False

    @property
    def rank1(self) -> Rate:
        """Found at rank 1, with the exact 95 % interval over faces and chance."""
        n = len(self.hits)
        return rate(int(np.count_nonzero(self.hits)), n, chance=self.chance if n else None)

    @property
    def verification(self) -> Rate | None:
        """Called the same person, with the exact 95 % interval over faces."""
        return None if self.verified is None else rate(int(np.count_nonzero(self.verified)), len(self.verified))


class Attack(Protocol):
    """One way of telling who is shown. The same probes and setting give the same results."""

    name: str
    """The name in the registry."""

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:
        """What the attack finds; several results where it has several forms.

        :raises ConfigError: the probes do not allow this attack, such as too few people to split.
        """
        ...
