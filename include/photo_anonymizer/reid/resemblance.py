"""Do published faces show somebody else of the run? A face that hides one person behind another gives that one away.

A face on which another person of the batch was pasted is not linked to its own original, and passes every test of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.ranking import BLOCK
from photo_anonymizer.reid.recognisers.protocol import Embeddings
from photo_anonymizer.reid.statistics import rate

ONE_OF_MANY = 0.8
"""A face shows somebody in particular when the nearest person is nearer than this part of the way to the second nearest
(the ratio test of Lowe 2004, DOI 10.1023/B:VISI.0000029664.99615.94). Coarse pixels and averages of several people lie
near many originals at once, and give nobody away by that."""
STRANGERS_ALIKE = 0.05
"""Originals that may pass for another person; where more do, the ratio is made stricter."""
_SMALL = 1e-9


class Resemblance(BaseModel):
    """Faces that a recogniser takes for one particular other person of the run.

    ``published``: of the published faces; its ``chance`` is the rate of ``originals``, which is what strangers reach.
    ``ratio``: the nearest other person is nearer than that part of the way to the second nearest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: float
    published: Rate
    originals: Rate

    @property
    def low_excess(self) -> float:
        """Lower end of the 95 % interval minus what strangers reach; 0 where nobody else is there."""
        return (self.published.low or 0.0) - (self.originals.rate or 0.0) if self.published.n else 0.0


@dataclass(frozen=True)
class Gallery:
    """Everybody whom a face may be taken for.

    :param rows: float32 (m, D), originals, ready to be compared.
    :param people: (m,), whom each of them shows.
    :param to_empty: (m,), from which distance an empty picture resembles the original as much.
    :param threshold: the recogniser's.
    :raises ValueError: the lengths differ.
    """

    rows: Embeddings
    people: NDArray[np.int64]
    to_empty: NDArray[np.float64]
    threshold: float

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.people) == len(self.to_empty):
            raise ValueError(f"want a person and a limit for each of {len(self.rows)} rows")


def resemblance(published: Embeddings, own: ArrayLike, gallery: Gallery) -> Resemblance:
    """How often published faces, and how often originals, are taken for another person: the nearest original of
    somebody else is within the recogniser's threshold, an empty picture is not, and nobody else's is nearly as near.

    Originals for which the recogniser takes an empty picture, too, show little: small, blurred and false faces, which
    every coarse face resembles.

    :param published: (n, D), ready to be compared.
    :param own: (n,), whom each of them showed.
    """
    if not len(published) or len(np.unique(gallery.people)) < 2:
        return Resemblance(ratio=ONE_OF_MANY, published=rate(0, 0), originals=rate(0, 0))
    strangers = likeness(gallery.rows, gallery.people, gallery)
    allowed = math.floor(STRANGERS_ALIKE * len(strangers) + _SMALL)
    ratio = min(ONE_OF_MANY, float(np.partition(strangers, allowed)[allowed]))
    alike = rate(int((strangers < ratio).sum()), len(strangers))
    taken = int((likeness(published, own, gallery) < ratio).sum())
    return Resemblance(ratio=ratio, published=rate(taken, len(published), alike.rate), originals=alike)


def likeness(probes: Embeddings, own: ArrayLike, gallery: Gallery, block: int = BLOCK) -> NDArray[np.float64]:
    """Distance of each probe to the nearest **other** person, as part of that to the second nearest: float64 (n,).

    0: a copy of the nearest; 1: as near to two people; infinite: nobody who is not taken for emptiness is within the
    threshold, or the probe has no numbers. Of two people there is no second nearest; an empty picture stands in.

    :param own: (n,), whom each probe showed.
    :param block: probes at a time; the memory needed is about 12 * block * m bytes.
    """
    mine, who = np.asarray(own), gallery.people
    limits = np.where(gallery.to_empty > gallery.threshold, gallery.threshold, 0.0)
    centre = gallery.rows.mean(axis=0)
    originals = np.asarray(gallery.rows - centre, np.float32)
    found = np.full(len(probes), np.inf)
    for start in range(0, len(probes), block):
        apart = _distances(np.asarray(probes[start : start + block] - centre, np.float32), originals)
        apart[mine[start : start + block, np.newaxis] == who] = np.inf
        at = np.arange(len(apart))
        nearest = np.where(apart < limits, apart, np.inf).argmin(axis=1)
        first = apart[at, nearest].astype(np.float64)
        apart[who[nearest][:, np.newaxis] == who] = np.inf
        second = apart.min(axis=1).astype(np.float64)
        second = np.where(np.isfinite(second), second, gallery.to_empty[nearest])
        near = first < limits[nearest]
        found[start : start + block][near] = first[near] / np.maximum(second[near], _SMALL)
    return found


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, m), infinite where a row has no numbers."""
    apart = a @ b.T
    apart *= -2
    apart += np.einsum("ij,ij->i", b, b)
    apart += np.einsum("ij,ij->i", a, a)[:, np.newaxis]
    np.sqrt(np.maximum(apart, 0, out=apart), out=apart)
    apart[np.isnan(apart)] = np.inf
    return apart
