"""A4: can two published photos of one person be linked to each other?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.attacks.matching import Rows, nearest_photo
from photo_anonymizer.reid.attacks.protocol import EVERYBODY, AttackResult, Chips, Probes, Setting
from photo_anonymizer.reid.statistics import is_degenerate, pairwise_distances, rate

SIZE_PX = 160
"""Side of the context crop."""
COLOURS = "colours"
Policy = Literal["fresh", "per_run"]


def _template() -> NDArray[np.float64]:
    template = np.array([[70, 40], [90, 40], [80, 51], [72, 61], [88, 61]], np.float64)
    template.setflags(write=False)
    return template


TEMPLATE = _template()
"""Where the five landmarks lie in the context crop: the face is some 60 px high, with shoulders and chest below."""

_BELOW = (slice(95, SIZE_PX), slice(25, SIZE_PX - 25))
"""Rows and columns that show clothes. They begin below what a method changes of an upright head."""
_BESIDE = ((slice(0, 90), slice(0, 36)), (slice(0, 90), slice(SIZE_PX - 36, SIZE_PX)))
"""Rows and columns that show what is behind the person."""
_STEPS = 6
"""Steps a channel of a colour histogram."""


class Linkage:
    """A4: is the nearest published face in another photo one of the same person, by face, by clothes, by background?

    Face: embeddings of the published chips. Clothes and background: colour histograms, 6 steps a channel, of what is
    below and beside the head; Hellinger's distance. No method changes those two: what they find is what any release
    of these photos gives away. Chance is the mean share of the gallery's faces that are the person's.
    """

    name = "linkage"

    def measure(self, probes: Probes, setting: Setting) -> Sequence[AttackResult]:
        """See :class:`~photo_anonymizer.reid.attacks.protocol.Attack`."""
        if not len(probes):
            return []
        face = setting.recogniser.embed(probes.published)
        broken = is_degenerate(setting.recogniser.embed(probes.original))
        return [
            _linked("face", face, setting.recogniser.name, probes, broken),
            _linked("clothes", clothes(probes.context), COLOURS, probes),
            _linked("background", background(probes.context), COLOURS, probes),
        ]


def _linked(cue: str, rows: Rows, eyes: str, probes: Probes, broken: bool = False) -> AttackResult:
    found = nearest_photo(rows, rows, probes.people, probes.photos)
    return AttackResult(
        attack=f"A4 linkage by {cue}",
        recogniser=eyes,
        split=EVERYBODY,
        rows=found.rows,
        people=probes.people[found.rows],
        hits=np.zeros(len(found.rows), bool) if broken else found.hits,
        chance=found.chance,
        degenerate=broken,
    )


def clothes(context: Chips) -> NDArray[np.float64]:
    """Colours below the face, one histogram a row."""
    return _histograms([crop[_BELOW].reshape(-1, 3) for crop in context])


def background(context: Chips) -> NDArray[np.float64]:
    """Colours to both sides of the head, one histogram a row."""
    return _histograms([np.vstack([crop[side].reshape(-1, 3) for side in _BESIDE]) for crop in context])


def _histograms(areas: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Square roots of shares, so that Euclidean distances are Hellinger's times √2; pure black is outside the photo."""
    found = np.zeros((len(areas), _STEPS**3))
    for row, pixels in enumerate(areas):
        inside = pixels[pixels.any(axis=1)].astype(np.int64) * _STEPS // 256
        if len(inside):
            places = (inside[:, 0] * _STEPS + inside[:, 1]) * _STEPS + inside[:, 2]
            found[row] = np.sqrt(np.bincount(places, minlength=_STEPS**3) / len(inside))
    return found


# consistency


@dataclass(frozen=True)
class Consistency:
    """Pairs of published faces in different photos that the recogniser calls the same person (distance at or below its
    threshold). Pairs of one photo are not independent: the intervals are too narrow.

    :param own: pairs of one person.
    :param strangers: pairs of two people.
    """

    own: Rate
    strangers: Rate

    def holds(self, policy: Policy) -> bool:
        """Is the policy kept? ``per_run``: a person's faces are called the same more often than strangers' are;
        ``fresh``: they are not. Without pairs of both kinds nothing is shown, and it does not hold.
        """
        if self.own.low is None or self.strangers.high is None:
            return False
        return (self.own.low > self.strangers.high) == (policy == "per_run")


def consistency(probes: Probes, setting: Setting) -> Consistency:
    """How alike the published faces of a person are, and those of strangers.

    A recogniser that gives no numbers or one embedding for all calls everybody the same.
    """
    rows = setting.recogniser.embed(probes.published)
    counts = np.zeros((2, 2), np.int64)
    for start, block in pairwise_distances(rows, rows):
        for probe, away in enumerate(block, start):
            later = np.arange(len(rows)) > probe
            pair = later & (probes.photos != probes.photos[probe])
            near, same = ~(away > setting.recogniser.threshold), probes.people == probes.people[probe]
            counts += [
                [(near & pair & same).sum(), (pair & same).sum()],
                [(near & pair & ~same).sum(), (pair & ~same).sum()],
            ]
    own, strangers = counts.tolist()
    return Consistency(own=rate(*own), strangers=rate(*strangers))
