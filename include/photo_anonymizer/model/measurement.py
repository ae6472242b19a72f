"""A measured rate with what is needed to judge it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Rate(BaseModel):
    """``hits`` of ``n`` with the exact 95 % interval and the rate that guessing would reach (all 0 to 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: int
    n: int
    rate: float | None
    low: float | None
    high: float | None
    chance: float | None = None

    @classmethod
    def unknown(cls, n: int, chance: float | None = None) -> Rate:
        """Nothing can be said of n trials."""
        return cls(hits=0, n=n, rate=None, low=None, high=None, chance=chance)

    @property
    def low_excess(self) -> float | None:
        """How far the interval's lower end lies above chance; ``None`` where one of them is not known."""
        return None if self.low is None or self.chance is None else self.low - self.chance


class FolderCheck(BaseModel):
    """Do originals agree with the source's folders? Counts of pairs of originals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    within: int
    """Pairs in one folder."""
    within_alike: int
    """Of those, pairs within the recogniser's threshold."""
    across: int
    """Pairs of two folders."""
    across_alike: int


class AtFar(BaseModel):
    """How many pairs of one person a recogniser accepts where it accepts few strangers (TAR at a FAR).

    The threshold is the run's own: at most the share ``far`` of its pairs of strangers is nearer. It and the rate are
    None where there are too few pairs to tell that share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    far: float
    strangers: int
    """Pairs of strangers that the threshold rests on."""
    threshold: float | None
    accepted: Rate
    """Pairs of one person that are nearer than the threshold."""


class ByPerson(BaseModel):
    """A rate over faces, with a doubt that knows that one person's faces resemble each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: int
    hit: Rate
    """People of whom at least one face is hit."""
    low: float | None
    high: float | None
    """95 % interval of the rate over faces, by drawing people anew."""
    worst: Rate
    """The faces of the person who is surely hit most often: whose own interval's lower end is the highest, so that one
    hit on one face does not hide nine on ten."""
