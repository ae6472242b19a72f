"""The recognisers of a run at work: what each embedded, compared, and all of their findings together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from photo_anonymizer.imagefile import decode
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.groups import Key
from photo_anonymizer.reid.measure import (
    Attacks,
    Labels,
    control_rate,
    empty_embeddings,
    linked,
    linked_by_person,
    measure,
)
from photo_anonymizer.reid.people import grouped, sample_of
from photo_anonymizer.reid.recognisers.protocol import Comparison, Embeddings, Recogniser, comparison_of
from photo_anonymizer.reid.stage import FacePairs, embed_published, read_pairs, write_pairs
from photo_anonymizer.reid.statistics import rate
from photo_anonymizer.sealed import SealedFolder

GROUPS_FROM = 0.5
"""Share of the originals that a recogniser must know in the mirror before it says who is the same person."""


@dataclass(frozen=True)
class Attacker:
    """One recogniser, and the folder with what it made of the run's faces.

    :param compare: what its rows become before they are compared.
    :param empty: float32 (k, D), rows of empty pictures, ready to be compared.
    """

    recogniser: Recogniser
    folder: SealedFolder
    compare: Comparison
    empty: Embeddings

    @classmethod
    def of(cls, recogniser: Recogniser, folder: SealedFolder, records: Sequence[PhotoRecord]) -> Attacker:
        """Lets the recogniser learn from the originals of these photos, if it is one that learns."""
        compare = comparison_of(recogniser, read_pairs(folder, records).original)
        return cls(recogniser, folder, compare, compare(empty_embeddings(recogniser)))

    def pairs(self, records: Sequence[PhotoRecord]) -> FacePairs:
        """The faces of these photos, ready to be compared."""
        raw = read_pairs(self.folder, records)
        if not raw.keys:
            return raw
        return FacePairs(
            keys=raw.keys,
            original=self.compare(raw.original),
            mirrored=self.compare(raw.mirrored),
            published=self.compare(raw.published),
            blank=None if raw.blank is None else self.compare(raw.blank),
        )

    def linked(self, records: Sequence[PhotoRecord]) -> list[Key]:
        """Faces of these photos that are linked."""
        return linked(self.pairs(records), self.recogniser.threshold, self.empty)

    def look_again(self, record: PhotoRecord, photo: bytes) -> None:
        """Embeds a photo's anonymized faces as they are in a new file's content."""
        known = read_pairs(self.folder, [record])
        after = embed_published(decode(photo), record.anonymized_faces, self.recogniser)
        write_pairs(self.folder, record, known.original, known.mirrored, *after)


def linked_by_any(attackers: Sequence[Attacker], records: Sequence[PhotoRecord]) -> set[Key]:
    """Faces of these photos that at least one recogniser links, also one that knows too few of the originals to count
    as a test: its silence proves nothing, its links are links."""
    return {key for attacker in attackers for key in attacker.linked(records)}


def attack_all(
    attackers: Sequence[Attacker],
    records: Sequence[PhotoRecord],
    labels: Labels,
    batch: Sequence[PhotoRecord] | None = None,
) -> Attacks:
    """The attack of every recogniser on these photos.

    :param batch: all photos of the run, those that are held among them: for whom a face may be taken.
    """
    pairs = {attacker.recogniser.name: attacker.pairs(records) for attacker in attackers}
    attacked = set.intersection(*(set(found.keys) for found in pairs.values())) if pairs else set()
    keys = [key for key in next(iter(pairs.values())).keys if key in attacked] if pairs else []
    links = linked_by_any(attackers, records) & attacked
    everybody = {attacker.recogniser.name: attacker.pairs(batch) for attacker in attackers} if batch else pairs
    people = people_of(attackers, everybody, links)
    found = {
        attacker.recogniser.name: measure(
            pairs[attacker.recogniser.name],
            attacker.recogniser.name,
            attacker.recogniser.threshold,
            attacker.empty,
            people,
            labels,
            everybody[attacker.recogniser.name],
        )
        for attacker in attackers
    }
    return Attacks(
        linked=rate(len(links), len(keys)),
        linked_by_person=linked_by_person(keys, links, people),
        by_recogniser=found,
    )


def people_of(attackers: Sequence[Attacker], pairs: dict[str, FacePairs], links: set[Key]) -> dict[Key, int] | None:
    """Whom the originals show, as the recogniser tells them apart that knows most of them in the mirror.

    A person's faces are those that average-linkage clustering puts together at the recogniser's own threshold.

    :param links: faces that must be among those that are looked at, if there are too many.
    """
    known = {
        attacker.recogniser.name: control_rate(
            pairs[attacker.recogniser.name], attacker.recogniser.threshold, attacker.empty
        )
        for attacker in attackers
    }
    best = max(attackers, key=lambda attacker: known[attacker.recogniser.name], default=None)
    if best is None or known[best.recogniser.name] < GROUPS_FROM:
        return None
    found = pairs[best.recogniser.name]
    chosen = sample_of(len(found.keys), (place for place, key in enumerate(found.keys) if key in links))
    people = grouped(found.original[chosen], best.recogniser.threshold)
    return dict(zip((found.keys[place] for place in chosen), people.tolist(), strict=True))
