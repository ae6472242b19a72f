"""Who is the same person, for attacks with other photos: what the source's folders say, or what a recogniser does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.model.measurement import FolderCheck
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.groups import Key
from photo_anonymizer.reid.measure import to_empty
from photo_anonymizer.reid.people import grouped, sample_of
from photo_anonymizer.reid.recognisers.protocol import Embeddings
from photo_anonymizer.reid.stage import FacePairs
from photo_anonymizer.reid.statistics import pairwise_distances

Said = Literal["folders", "estimated"]
Asked = Literal["auto", "folders", "estimated"]
ALIKE_WITHIN, ALIKE_ACROSS = 0.6, 0.1
"""Folders are people where at least this share of the pairs in one folder, and at most that share of the pairs of two
folders, lie within the recogniser's threshold."""
MOST_ASKED = 2_000
"""Faces whose pairs are looked at for that."""
MOST_TWICE = 0.25
"""Share of a cluster's faces that may be in a photo with another face of the cluster: mirrors and posters. Nobody is
in one photo twice as a rule, so where more are, the recogniser does not tell these faces apart."""
_NOBODY = -1


@dataclass(frozen=True)
class Identities:
    """Who is the same person.

    :param people: (photo_id, face_id) → a number; faces of whom it is not known are left out.
    :param said_by: where that comes from.
    :param folders: what was seen of the source's folders, where it was looked whether they are people.
    """

    people: Mapping[Key, int]
    said_by: Said
    folders: FolderCheck | None = None

    @property
    def largest(self) -> int:
        """Faces of whoever has most."""
        return max(Counter(self.people.values()).values(), default=0)


def identities(
    pairs: FacePairs,
    threshold: float,
    empty: Embeddings,
    always: set[Key],
    folders: Mapping[Key, str],
    asked: Asked = "auto",
) -> Identities:
    """Who is the same person.

    :param pairs: as the recogniser sees them that knows most of the originals; its clusters fill what folders leave
        open, such as the smaller faces of a photo.
    :param empty: float32 (k, D), of :func:`~photo_anonymizer.reid.measure.empty_embeddings`.
    :param always: faces that must be grouped, if there are too many to group all.
    :param folders: :func:`folders_of` the photos.
    """
    estimated = clusters(pairs, threshold, empty, always)
    check = folder_check(pairs, threshold, folders) if asked == "auto" and folders else None
    if folders and (asked == "folders" or (check is not None and are_people(check))):
        return Identities(_named(estimated, folders), "folders", check)
    return Identities(estimated, "estimated", check)


def clusters(pairs: FacePairs, threshold: float, empty: Embeddings, always: set[Key]) -> dict[Key, int]:
    """Average-linkage clusters at the threshold. Of many faces a sample is clustered, and the others join the cluster
    whose mean is nearest, if it is within the threshold; who joins none is nobody's.

    Faces of a few pixels all look alike to a recogniser, and like an empty picture: in a crowd they would be one
    person, who is found in every other photo. A cluster of which that shows (:data:`MOST_TWICE`) loses the faces that
    the recogniser takes for an empty picture: who they are is not known.
    """
    seen = np.flatnonzero(np.isfinite(pairs.original).all(axis=1))
    chosen = seen[sample_of(len(seen), (place for place, at in enumerate(seen) if pairs.keys[at] in always))]
    rows = pairs.original[chosen]
    people = _told_apart(rows, [pairs.keys[place][0] for place in chosen], threshold, empty)
    found = dict(zip((pairs.keys[place] for place in chosen), people.tolist(), strict=True))
    others = np.setdiff1d(seen, chosen)
    if len(others):
        numbers = np.unique(people)
        means = np.stack([rows[people == number].mean(axis=0) for number in numbers])
        for start, away in pairwise_distances(pairs.original[others], means):
            for place, row in zip(others[start : start + len(away)], away, strict=True):
                if row.min() <= threshold:
                    found[pairs.keys[place]] = int(numbers[row.argmin()])
    return {key: number for key, number in found.items() if number != _NOBODY}


def _told_apart(rows: Embeddings, photos: Sequence[str], threshold: float, empty: Embeddings) -> NDArray[np.int64]:
    """A number for the person of every face, :data:`_NOBODY` for those of whom it is not known: int64 (n,)."""
    people = grouped(rows, threshold)
    unclear = np.isin(people, _mixed(people, photos)) & (to_empty(rows, empty) <= threshold)
    if unclear.any():
        people[unclear], people[~unclear] = _NOBODY, grouped(rows[~unclear], threshold)
    return people


def _mixed(people: NDArray[np.int64], photos: Sequence[str]) -> list[int]:
    """Numbers of the clusters that cannot be one person: too many of their faces are in one photo with another."""
    faces = Counter(people.tolist())
    places = Counter(number for number, _ in set(zip(people.tolist(), photos, strict=True)))
    return [number for number, count in faces.items() if count - places[number] > MOST_TWICE * count]


def folders_of(records: Sequence[PhotoRecord]) -> dict[Key, str]:
    """The folder of every photo's largest anonymized face; nothing where all photos lie in one folder."""
    found = {
        (record.photo_id, max(record.anonymized_faces, key=lambda face: face.box.height).face_id): _folder(record)
        for record in records
        if record.anonymized_faces
    }
    return found if len(set(found.values())) > 1 else {}


def _folder(record: PhotoRecord) -> str:
    return record.file_uri.rpartition("/")[0]


def folder_check(pairs: FacePairs, threshold: float, folders: Mapping[Key, str]) -> FolderCheck:
    """How many pairs of originals in one folder, and of two folders, lie within the threshold.

    :param folders: :func:`folders_of` the photos.
    """
    places = [place for place, key in enumerate(pairs.keys) if key in folders]
    if len(places) > MOST_ASKED:
        places = sorted(np.random.default_rng(0).choice(places, MOST_ASKED, replace=False).tolist())
    if not places:
        return FolderCheck(within=0, within_alike=0, across=0, across_alike=0)
    names = np.unique([folders[pairs.keys[place]] for place in places], return_inverse=True)[1]
    within, across = np.zeros(2, np.int64), np.zeros(2, np.int64)
    rows = pairs.original[places]
    for start, away in pairwise_distances(rows, rows):
        later = np.arange(len(rows)) > np.arange(start, start + len(away))[:, np.newaxis]
        same, near = names[start : start + len(away), np.newaxis] == names, away <= threshold
        within += [(later & same & near).sum(), (later & same).sum()]
        across += [(later & ~same & near).sum(), (later & ~same).sum()]
    return FolderCheck(
        within=int(within[1]), within_alike=int(within[0]), across=int(across[1]), across_alike=int(across[0])
    )


def are_people(check: FolderCheck) -> bool:
    """Do the originals agree with the folders? With no pair of either kind they cannot."""
    if not check.within or not check.across:
        return False
    return check.within_alike >= ALIKE_WITHIN * check.within and check.across_alike <= ALIKE_ACROSS * check.across


def _named(estimated: Mapping[Key, int], folders: Mapping[Key, str]) -> dict[Key, int]:
    """Clusters by the folder that most of their largest faces lie in; the largest faces themselves by their own."""
    numbers = {name: number for number, name in enumerate(sorted(set(folders.values())))}
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for key, name in folders.items():
        if key in estimated:
            votes[estimated[key]][numbers[name]] += 1
    named = {
        key: votes[number].most_common(1)[0][0] if number in votes else len(numbers) + number
        for key, number in estimated.items()
    }
    return {**named, **{key: numbers[name] for key, name in folders.items()}}
