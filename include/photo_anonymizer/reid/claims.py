"""What so many faces without a link can show, in numbers and in words."""

from __future__ import annotations

import math

from photo_anonymizer.model.measurement import ByPerson, Rate
from photo_anonymizer.reid.statistics import clopper_pearson

CONFIDENCE = 0.95
_SMALL = 1e-9


def upper_end(hits: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The exact one-sided upper end: with this confidence the true rate is at most so high.

    0 of 20 gives 0.139, 0 of n about 3 / n (the rule of three).

    :raises ValueError: as :func:`~photo_anonymizer.reid.statistics.clopper_pearson`.
    """
    return clopper_pearson(hits, n, 2 * confidence - 1)[1]


def needed_n(bound: float, confidence: float = CONFIDENCE) -> int:
    """The smallest n for which 0 of n shows that the true rate is at most ``bound`` (one-sided): 59 for 0.05, 299 for
    0.01, 2,995 for 0.001.

    :raises ValueError: no sample is large enough (``bound`` 0), or a value is not between 0 and 1.
    """
    if not (0 < bound < 1 and 0 < confidence < 1):
        raise ValueError(f"want a bound and a confidence between 0 and 1, got {bound} and {confidence}")
    # (1 - bound)^n <= 1 - confidence
    return math.ceil(math.log1p(-confidence) / math.log1p(-bound) - _SMALL)


def shows_at_most(hits: int, n: int, confidence: float = CONFIDENCE) -> str:
    """``0 of 20 proves only less than 14 %``: what the count excludes, rounded so that it never says too much."""
    if n == 0:
        return "0 of 0 proves nothing"
    upper = upper_end(hits, n, confidence)
    return f"{hits:,} of {n:,} proves " + (f"only less than {percent_up(upper)}" if upper < 1 else "nothing")


def claim_in_words(claim: str, linked: Rate, by_person: ByPerson | None) -> str:
    """What a release says about itself.

    :param claim: ``observed`` or ``proven``, of a run that passed the gate.
    :param linked: over the faces.
    :param by_person: the same by person, if people can be told apart.
    """
    if not linked.n:
        return "Nothing is claimed: no face was attacked."
    seen = f"{linked.hits:,} of {linked.n:,} faces are linked to their original"
    if by_person is None or not by_person.people:
        return f"Observed, not proven: {seen}. How many people they show could not be told."
    hit, people = by_person.hit.hits, by_person.people
    if claim == "proven":
        upper = percent_up(upper_end(hit, people))
        return (
            f"Proven at 95 % confidence against the attacks of this run: a face is linked of at most {upper} of "
            "people like these. "
            f"Seen: {seen}; of {people:,} people {hit:,} have such a face."
        )
    return f"Observed, not proven: {seen}. They show about {people:,} people; {shows_at_most(hit, people)} of people."


def percent_up(share: float) -> str:
    """A share in percent with two digits, rounded up: 0.1391 → ``14 %``, 0.00731 → ``0.74 %``."""
    if share <= 0:
        return "0 %"
    digits = 1 - math.floor(math.log10(share * 100))
    up = math.ceil(share * 100 * 10**digits - _SMALL) / 10**digits
    return f"{up:g} %"
