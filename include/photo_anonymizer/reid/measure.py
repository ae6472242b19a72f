"""What the attack found, as numbers without names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.model.measurement import AtFar, ByPerson, FolderCheck, Rate
from photo_anonymizer.reid.groups import MIN_FACES, ORDER, Key
from photo_anonymizer.reid.people import by_person
from photo_anonymizer.reid.ranking import ranks
from photo_anonymizer.reid.recognisers.protocol import Embeddings, Recogniser
from photo_anonymizer.reid.resemblance import Gallery, Resemblance, resemblance
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import chance_normalised, is_degenerate, rate, tar_at_far

HISTOGRAM_EDGES = tuple(round(edge * 0.05, 2) for edge in range(41))
"""Euclidean distances 0 to 2 in steps of 0.05; what lies beyond is counted in the last bin."""
FARS = (1e-2, 1e-3)
"""False accept rates at which acceptance is given."""
STRANGER_PAIRS = 100_000
"""Pairs of strangers that are compared, at most."""
_PAIRS_AT_ONCE = 10_000
_UNKNOWN = -1

Labels = Mapping[str, Mapping[Key, str]]
"""Kind of group → (photo_id, face_id) → group; see :mod:`photo_anonymizer.reid.groups`."""
People = Mapping[Key, int]
"""(photo_id, face_id) → number of the person whom the face shows, from 0. Faces may be left out."""


class Quality(BaseModel):
    """How well a recogniser knows the run's own originals, by their mirror images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank1: Rate
    """Of all originals, the one that was mirrored is the nearest."""
    at_far: tuple[AtFar, ...]


class Group(BaseModel):
    """One attack on the faces of one group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    linked: Rate
    rank1: Rate
    control: Rate


class Attack(BaseModel):
    """One recogniser's attack on one run.

    ``verification``: a published face and its own original are called the same person (distance at or below the
    recogniser's threshold). ``linked``: of these, the ones that the recogniser finds nearer to the original than an
    **empty picture** is, cut off where the face is. A recogniser gives an empty grey square an embedding too, and
    blurred, tiny and false faces lie within its threshold of that; such a hit says that the original has little to
    recognise, not that anything of it is left. ``control``: originals to which their own **mirror image** is linked by
    the same rule; a recogniser that does not know a face in the mirror tests nothing. ``rank1``, ``rank5``, ``rank10``:
    of all originals of the run, its own is the nearest, or among so many nearest; chance is 1, 5, 10 / n.
    ``rank1_normalised``: 0 where guessing is, 1 where every face is found. ``at_far``: accepted at thresholds that this
    run's strangers give. ``resemblance``: faces taken for another person of the
    run. ``degenerate``: the recogniser does not tell the originals apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recogniser: str
    threshold: float
    verification: Rate
    linked: Rate
    control: Rate
    rank1: Rate
    rank5: Rate
    rank10: Rate
    rank1_normalised: float | None
    rank1_by_person: ByPerson | None
    at_far: tuple[AtFar, ...]
    quality: Quality
    resemblance: Resemblance | None = None
    groups: dict[str, dict[str, Group]]
    """Kind of group → group → figures; groups of few faces are left out."""
    degenerate: bool
    histogram_edges: tuple[float, ...] = HISTOGRAM_EDGES
    same_photo: tuple[int, ...]
    """Distances between a published face and its own original, counted by bin."""
    strangers: tuple[int, ...]
    """Distances between originals of different photos, counted by bin: what "not the same" looks like here."""


class Further(BaseModel):
    """One form of one attack by one recogniser.

    ``linked``: see :mod:`photo_anonymizer.reid.further`. ``rank1``: of all originals (A0), or of those in other photos
    (A1), the nearest is the right one. Chance for A1 is the share of the gallery that is right, or how often this
    recogniser's answers would be right if they were dealt out anew among the faces (Cohen 1960, the expected
    agreement), whichever is more: published faces may all lie near the same few originals, and whoever has many photos
    is then found often.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attack: str
    """The name in the registry."""
    form: str
    """Such as ``wiener 1, then A1``."""
    recogniser: str
    linked: Rate
    rank1: Rate
    degenerate: bool
    """Does the recogniser not tell the originals apart, or give the published faces no numbers?"""


class Attacks(BaseModel):
    """What all recognisers found on one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    linked: Rate
    """Faces that at least one attack of one recogniser links, of those that all recognisers attacked."""
    linked_by_person: ByPerson | None
    """The same by the people whom the faces show; ``None`` where no recogniser can tell them apart."""
    by_recogniser: dict[str, Attack]
    """The naive attack."""
    by_attack: dict[str, Rate] = {}
    """Attack's name → faces that at least one recogniser links by it, in any of its forms."""
    further: tuple[Further, ...] = ()
    """Every form of every attack besides the naive one, recogniser by recogniser."""
    identities: Literal["", "folders", "estimated"] = ""
    """Who said who is the same person, for attacks with other photos; empty where nobody did."""
    folders: FolderCheck | None = None
    """What the originals said of the source's folders, where that was asked."""
    largest_person: int = 0
    """Faces of the person who has most, as far as people are told apart."""


def own_distances(pairs: FacePairs) -> NDArray[np.float64]:
    """Distance of every published face to its own original: float64 (n,)."""
    return _row_distances(pairs.published, pairs.original)


def _row_distances(a: Embeddings, b: Embeddings) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a.astype(np.float64) - b, axis=1)) if len(a) else np.zeros(0)


EMPTY_GREYS = (0x00, 0x20, 0xC0, 0xFF)
"""Empty pictures: black, white, and the greys of the ladder's masks."""
EMPTY_TOLERANCE = 0.02
"""A face replaced by an empty box differs from an empty picture by what encoding adds: about a hundredth."""


def empty_embeddings(recogniser: Recogniser) -> Embeddings:
    """What the recogniser makes of pictures that show nothing: float32 (4, D)."""
    side = recogniser.chip_size_px
    return recogniser.embed(np.stack([np.full((side, side, 3), grey, np.uint8) for grey in EMPTY_GREYS]))


def linked(pairs: FacePairs, threshold: float, empty: Embeddings) -> list[Key]:
    """(photo_id, face_id) of the published faces that are verified and nearer to their original than an empty picture.

    A recogniser that sees nothing at all (:func:`is_blind`) links nobody: its hits say as little as its misses.

    :param empty: float32 (k, D), of :func:`empty_embeddings`.
    """
    if is_blind(pairs, empty):
        return []
    found = _links(pairs, pairs.published, threshold, empty)
    return [key for key, hit in zip(pairs.keys, found, strict=True) if hit]


def is_blind(pairs: FacePairs, empty: Embeddings) -> bool:
    """Does the recogniser give no original a row of numbers, or all of them the same, or what an empty picture gets?

    Of some originals without numbers it is not blind: such a face counts as linked.
    """
    seen = pairs.original[np.isfinite(pairs.original).all(axis=1)]
    return not len(seen) or is_degenerate(seen) or is_degenerate(np.vstack([seen, empty[:1]]))


def _verified(probes: Embeddings, originals: Embeddings, threshold: float) -> NDArray[np.bool_]:
    """Is a probe called the same person as its original? A distance that is no number counts as yes."""
    return np.asarray(~(_row_distances(probes, originals) > threshold))


def _links(pairs: FacePairs, probes: Embeddings, threshold: float, empty: Embeddings) -> NDArray[np.bool_]:
    originals = pairs.original
    if not len(originals):
        return np.zeros(0, np.bool_)
    nearest = to_empty(originals, empty)
    if pairs.blank is not None:
        nearest = np.fmin(nearest, _row_distances(pairs.blank, originals))
    informative = ~(_row_distances(probes, originals) >= nearest - EMPTY_TOLERANCE)
    return np.asarray(_verified(probes, originals, threshold) & informative)


def to_empty(originals: Embeddings, empty: Embeddings) -> NDArray[np.float64]:
    """Distance of every original to the nearest empty picture: float64 (n,).

    :param empty: float32 (k, D), of :func:`empty_embeddings`.
    """
    apart = np.linalg.norm(originals[:, np.newaxis].astype(np.float64) - empty[np.newaxis], axis=2)
    return np.asarray(apart.min(axis=1))


def _resemblance(
    pairs: FacePairs, batch: FacePairs, threshold: float, empty: Embeddings, people: People | None
) -> Resemblance:
    """Where people are not known, whoever is on another photo is another person. A face of whom it is not known may be
    taken for everybody, and nobody for it.
    """
    photos = {photo: number for number, photo in enumerate(dict.fromkeys(photo for photo, _ in batch.keys))}
    who = people if people is not None else {key: photos[key[0]] for key in batch.keys}
    others = [at for at, key in enumerate(batch.keys) if key in who]
    originals = batch.original[others]
    gallery = Gallery(
        rows=originals,
        people=np.array([who[batch.keys[at]] for at in others], np.int64),
        to_empty=to_empty(originals, empty) - EMPTY_TOLERANCE if others else np.zeros(0),
        threshold=threshold,
    )
    return resemblance(pairs.published, [who.get(key, _UNKNOWN) for key in pairs.keys], gallery)


def measure(
    pairs: FacePairs,
    recogniser: str,
    threshold: float,
    empty: Embeddings,
    people: People | None = None,
    labels: Labels | None = None,
    batch: FacePairs | None = None,
) -> Attack:
    """The attack's result over all faces of a run.

    :param people: whom the faces show, as far as that is known.
    :param labels: groups for which the figures are given as well.
    :param batch: everybody for whom a face may be taken, people on photos that are held among them; ``None``: those of
        ``pairs``.
    """
    n = len(pairs.keys)
    broken = n > 0 and proves_nothing(pairs, empty)
    links = set(linked(pairs, threshold, empty))
    places = np.full(n, n + 1) if broken else _places(pairs.published, pairs.original)
    mirrored = np.full(n, n + 1) if broken else _places(pairs.mirrored, pairs.original)
    controls = _controls(pairs, threshold, empty)
    own, others = own_distances(pairs), stranger_distances(pairs)
    strangers = stranger_distances(pairs, people) if people else others
    rank1 = _rank_rate(places, 1)
    return Attack(
        recogniser=recogniser,
        threshold=threshold,
        verification=rate(int(_verified(pairs.published, pairs.original, threshold).sum()), n),
        linked=rate(len(links), n),
        control=rate(int(controls.sum()), n),
        rank1=rank1,
        rank5=_rank_rate(places, 5),
        rank10=_rank_rate(places, 10),
        rank1_normalised=chance_normalised(rank1.rate or 0, 1 / n) if n > 1 and not broken else None,
        rank1_by_person=_by_person(pairs.keys, places == 1, people),
        at_far=tuple(tar_at_far(own, strangers, far) for far in FARS),
        quality=Quality(
            rank1=_rank_rate(mirrored, 1),
            at_far=tuple(tar_at_far(_row_distances(pairs.mirrored, pairs.original), strangers, far) for far in FARS),
        ),
        resemblance=None if broken else _resemblance(pairs, batch or pairs, threshold, empty, people),
        groups=_groups(pairs.keys, np.array([key in links for key in pairs.keys], bool), places == 1, controls, labels),
        degenerate=broken,
        same_photo=_histogram(own),
        strangers=_histogram(others),
    )


def _places(probes: Embeddings, originals: Embeddings) -> NDArray[np.int64]:
    """The place of each probe's own original among all, from 1; a probe without numbers is behind all."""
    everybody = np.arange(len(originals))
    known = np.isfinite(probes).all(axis=1)
    places = np.full(len(originals), len(originals) + 1)
    places[known] = ranks(probes[known], originals, everybody[known], everybody)
    return places


def _rank_rate(places: NDArray[np.int64], most: int) -> Rate:
    """Of so many nearest originals one is the own."""
    n = len(places)
    return rate(int((places <= most).sum()), n, chance=min(1.0, most / n) if n else None)


def _by_person(keys: Sequence[Key], hits: NDArray[np.bool_], people: People | None) -> ByPerson | None:
    if people is None:
        return None
    known = [place for place, key in enumerate(keys) if key in people]
    return by_person(hits[known], [people[keys[place]] for place in known])


def linked_by_person(keys: Sequence[Key], links: Collection[Key], people: People | None) -> ByPerson | None:
    """Links by the people whom the faces show, over the faces of whom that is known."""
    return _by_person(keys, np.array([key in links for key in keys], bool), people)


def _groups(
    keys: Sequence[Key],
    links: NDArray[np.bool_],
    first: NDArray[np.bool_],
    controls: NDArray[np.bool_],
    labels: Labels | None,
) -> dict[str, dict[str, Group]]:
    groups: dict[str, dict[str, Group]] = {}
    for kind, label_of in (labels or {}).items():
        own = np.array([label_of.get(key, "") for key in keys])
        counted = {label: int((own == label).sum()) for label in ORDER[kind]}
        groups[kind] = {
            label: Group(
                linked=rate(int(links[own == label].sum()), n),
                rank1=rate(int(first[own == label].sum()), n, chance=1 / len(keys)),
                control=rate(int(controls[own == label].sum()), n),
            )
            for label, n in counted.items()
            if n >= MIN_FACES
        }
    return groups


def control_rate(pairs: FacePairs, threshold: float, empty: Embeddings) -> float:
    """Share of the originals that are known in the mirror; 0 where there are none, or the recogniser is broken."""
    if not pairs.keys or proves_nothing(pairs, empty):
        return 0.0
    return float(_controls(pairs, threshold, empty).mean())


def _controls(pairs: FacePairs, threshold: float, empty: Embeddings) -> NDArray[np.bool_]:
    """Which originals are known in the mirror? Here a distance that is no number counts as no."""
    known = _links(pairs, pairs.mirrored, threshold, empty)
    return known & np.isfinite(_row_distances(pairs.mirrored, pairs.original))


def proves_nothing(pairs: FacePairs, empty: Embeddings) -> bool:
    """Does the recogniser give no numbers, everybody the same, or every face what it gives an empty picture?"""
    if not np.isfinite(pairs.published).all():
        return True
    return is_degenerate(pairs.original) or is_degenerate(np.vstack([pairs.original, empty[:1]]))


def stranger_distances(
    pairs: FacePairs, people: People | None = None, most: int = STRANGER_PAIRS
) -> NDArray[np.float64]:
    """Distances between originals of different photos: of all pairs, or of about ``most`` that are drawn the same way
    every time.

    :param people: whom the faces show; with it only pairs of people who are known to be different.
    """
    n = len(pairs.keys)
    if n * (n - 1) // 2 <= most:
        first, second = np.triu_indices(n, 1)
    else:
        rng = np.random.default_rng(0)
        first, second = rng.integers(0, n, most), rng.integers(0, n, most)
    photos = np.array([photo for photo, _ in pairs.keys], str)
    different = photos[first] != photos[second]
    if people:
        shown = np.array([people.get(key, _UNKNOWN) for key in pairs.keys])
        different &= (shown[first] != shown[second]) & (shown[first] != _UNKNOWN) & (shown[second] != _UNKNOWN)
    first, second = first[different], second[different]
    parts = [
        _row_distances(pairs.original[first[start:end]], pairs.original[second[start:end]])
        for start, end in ((start, start + _PAIRS_AT_ONCE) for start in range(0, len(first), _PAIRS_AT_ONCE))
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _histogram(distances: NDArray[np.float64] | Sequence[float]) -> tuple[int, ...]:
    inside = np.clip(np.asarray(distances), 0, HISTOGRAM_EDGES[-1] - 1e-9)
    counts, _ = np.histogram(inside[np.isfinite(inside)], bins=HISTOGRAM_EDGES)
    return tuple(int(count) for count in counts)
