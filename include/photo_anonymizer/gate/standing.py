"""Which recognisers count as a test of a run: only of one that knows the originals does silence say anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.measure import Attack, Attacks


class Standing(BaseModel):
    """One recogniser's.

    :param control_rate: share of the originals that it knows in the mirror, with those of photos that were taken over.
    :param counts: is a face that it does not link a face that withstood a test?
    :param why_not: in words; empty where it counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recogniser: str
    control_rate: float | None
    counts: bool
    why_not: str = ""


def standings(attacks: Attacks, earlier: Mapping[str, Sequence[Rate]], min_control_rate: float) -> list[Standing]:
    """The standing of every recogniser.

    :param earlier: recogniser → its controls in the versions whose photos are taken over.
    """
    return [
        _standing(attack, pooled(attack.control, earlier.get(name, ())), min_control_rate)
        for name, attack in attacks.by_recogniser.items()
    ]


def _standing(attack: Attack, control_rate: float | None, min_control_rate: float) -> Standing:
    if attack.degenerate:
        why_not = "does not tell the originals apart"
    elif control_rate is None:
        why_not = "had no face to look at"
    elif control_rate < min_control_rate:
        known, wanted = round(control_rate * 100, 1), round(min_control_rate * 100, 1)
        why_not = f"knows {known:g} % of the originals in the mirror, and {wanted:g} % are asked for"
    else:
        why_not = ""
    return Standing(recogniser=attack.recogniser, control_rate=control_rate, counts=not why_not, why_not=why_not)


def pooled(control: Rate, earlier: Iterable[Rate]) -> float | None:
    """Share of original faces that the recogniser knows, over the new ones and those of earlier versions.

    With the same models and settings (else nothing is taken over) they are one sample. Alone, one odd face among three
    new ones would stop a version of thousands.
    """
    rates = [control, *earlier]
    faces = sum(rate.n for rate in rates)
    return sum(rate.hits for rate in rates) / faces if control.n and faces else control.rate
