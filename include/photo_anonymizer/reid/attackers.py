"""The recognisers of a run at work: what each embedded, compared, and the findings of all their attacks together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.further import Outcome, other_photos, same_photo
from photo_anonymizer.reid.groups import Key
from photo_anonymizer.reid.identities import Asked, Identities, folders_of, identities
from photo_anonymizer.reid.measure import (
    Attacks,
    Labels,
    control_rate,
    empty_embeddings,
    linked,
    linked_by_person,
    measure,
)
from photo_anonymizer.reid.recognisers.protocol import Comparison, Embeddings, Recogniser, comparison_of
from photo_anonymizer.reid.stage import FacePairs, read_pairs, read_restored, see, write_pairs, write_restored
from photo_anonymizer.reid.statistics import rate
from photo_anonymizer.sealed import SealedFolder

GROUPS_FROM = 0.5
"""Share of the originals that a recogniser must know in the mirror before it says who is the same person."""
NAIVE, CROSS_PHOTO, RESTORATION = "naive", "cross_photo", "restoration"
_A0, _A1 = "A0", "A1"


@dataclass(frozen=True)
class Attacker:
    """One recogniser, and the folders with what it made of the run's faces.

    :param compare: what its rows become before they are compared.
    :param empty: float32 (k, D), rows of empty pictures, ready to be compared.
    :param restored: folder with what it made of them after they were restored.
    :param looks: the ways in which they were; see :func:`~photo_anonymizer.reid.stage.looks_of`.
    """

    recogniser: Recogniser
    folder: SealedFolder
    compare: Comparison
    empty: Embeddings
    restored: SealedFolder
    looks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        recogniser: Recogniser,
        folder: SealedFolder,
        records: Sequence[PhotoRecord],
        restored: SealedFolder | None = None,
        looks: Sequence[str] = (),
    ) -> Attacker:
        """Lets the recogniser learn from the originals of these photos, if it is one that learns."""
        compare = comparison_of(recogniser, read_pairs(folder, records).original)
        return cls(recogniser, folder, compare, compare(empty_embeddings(recogniser)), restored or folder, tuple(looks))

    def pairs(self, records: Sequence[PhotoRecord]) -> FacePairs:
        """The faces of these photos, ready to be compared."""
        return self._compared(read_pairs(self.folder, records))

    def restored_pairs(self, records: Sequence[PhotoRecord]) -> dict[str, FacePairs]:
        """Look → the same faces after they were restored so."""
        every = read_restored(self.restored, records, self.looks)
        return {look: self._compared(raw) for look, raw in every.items()}

    def _compared(self, raw: FacePairs) -> FacePairs:
        if not raw.keys:
            return raw
        return FacePairs(
            keys=raw.keys,
            original=self.compare(raw.original),
            mirrored=self.compare(raw.mirrored),
            published=self.compare(raw.published),
            blank=None if raw.blank is None else self.compare(raw.blank),
        )

    def linked(self, pairs: FacePairs) -> list[Key]:
        """Which of these faces are linked by the naive attack."""
        return linked(pairs, self.recogniser.threshold, self.empty)

    def attack(
        self, records: Sequence[PhotoRecord], pairs: FacePairs, attacks: Sequence[str], people: Mapping[Key, int]
    ) -> Iterator[tuple[str, str, Outcome]]:
        """Every form of the attacks besides the naive one on these photos: (attack, form, what it found).

        :param pairs: the faces of these photos.
        """
        threshold = self.recogniser.threshold
        if CROSS_PHOTO in attacks:
            yield CROSS_PHOTO, _A1, other_photos(pairs, threshold, self.empty, people)
        if RESTORATION in attacks:
            for look, pairs in self.restored_pairs(records).items():
                yield RESTORATION, f"{look}, then {_A0}", same_photo(pairs, threshold, self.empty, people)
                yield RESTORATION, f"{look}, then {_A1}", other_photos(pairs, threshold, self.empty, people)

    def look_at(self, record: PhotoRecord, rgb: Pixels) -> None:
        """Embeds a photo's anonymized faces as they are in a new picture, uint8 (H, W, 3); its original is known."""
        known = read_pairs(self.folder, [record])
        seen = see(rgb, record.anonymized_faces, self.recogniser)
        write_pairs(self.folder, record, known.original, known.mirrored, *seen.embedded(self.recogniser))
        if self.looks:
            again = seen.restored(self.recogniser, self.looks)
            write_restored(self.restored, record, known.original, known.mirrored, again)


@dataclass(frozen=True)
class Found:
    """What all attackers found: faces by attack, and every form of every attack besides the naive one."""

    links: Mapping[str, frozenset[Key]]
    attacked: Mapping[str, frozenset[Key]]
    forms: Sequence[tuple[str, str, str, Outcome]]
    """(attack, form, recogniser, what it found)."""

    @property
    def any(self) -> frozenset[Key]:
        """Faces that any attack links."""
        return frozenset().union(*self.links.values())


def find(
    attackers: Sequence[Attacker],
    records: Sequence[PhotoRecord],
    attacks: Sequence[str] = (NAIVE,),
    people: Mapping[Key, int] | None = None,
) -> Found:
    """Attacks these photos with every recogniser, also one that knows too few of the originals to count as a test: its
    silence proves nothing, its links are links.
    """
    links: dict[str, set[Key]] = {name: set() for name in attacks}
    attacked: dict[str, set[Key]] = {name: set() for name in attacks}
    forms = []
    for attacker in attackers:
        pairs = attacker.pairs(records)
        links[NAIVE].update(attacker.linked(pairs))
        attacked[NAIVE].update(pairs.keys)
        for attack, form, outcome in attacker.attack(records, pairs, attacks, people or {}):
            links[attack].update(outcome.links)
            attacked[attack].update(outcome.keys)
            forms.append((attack, form, attacker.recogniser.name, outcome))
    return Found(
        {name: frozenset(keys) for name, keys in links.items()},
        {name: frozenset(keys) for name, keys in attacked.items()},
        forms,
    )


def attack_all(
    attackers: Sequence[Attacker],
    records: Sequence[PhotoRecord],
    labels: Labels,
    attacks: Sequence[str] = (NAIVE,),
    who: Identities | None = None,
    found: Found | None = None,
    batch: Sequence[PhotoRecord] | None = None,
) -> Attacks:
    """The attacks of every recogniser on these photos.

    :param who: who is the same person, for attacks with other photos.
    :param found: what :func:`find` found on them, if that was asked already.
    :param batch: all photos of the run, those that are held among them: for whom a face may be taken.
    """
    pairs = {attacker.recogniser.name: attacker.pairs(records) for attacker in attackers}
    attacked = set.intersection(*(set(found.keys) for found in pairs.values())) if pairs else set()
    keys = [key for key in next(iter(pairs.values())).keys if key in attacked] if pairs else []
    found = found or find(attackers, records, attacks, who.people if who else None)
    links = found.any & attacked
    everybody = {attacker.recogniser.name: attacker.pairs(batch) for attacker in attackers} if batch else pairs
    known = who or identities_of(attackers, batch or records, links)
    people = _with_all_linked(known.people, links) if known else None
    return Attacks(
        linked=rate(len(links), len(keys)),
        linked_by_person=linked_by_person(keys, links, people),
        by_recogniser={
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
        },
        by_attack={name: rate(len(found.links[name]), len(found.attacked[name])) for name in attacks},
        further=tuple(outcome.told(attack, form, name) for attack, form, name, outcome in found.forms),
        identities=known.said_by if known else "",
        folders=known.folders if known else None,
        largest_person=known.largest if known else 0,
    )


def _with_all_linked(people: Mapping[Key, int], links: Collection[Key]) -> Mapping[Key, int]:
    """A linked face of whom it is not known who it is counts as a person: no count of linked people is too low."""
    unknown = sorted(set(links) - set(people))
    first = 1 + max(people.values(), default=0)
    return {**people, **{key: first + number for number, key in enumerate(unknown)}}


def identities_of(
    attackers: Sequence[Attacker],
    records: Sequence[PhotoRecord],
    links: Collection[Key],
    asked: Asked = "auto",
) -> Identities | None:
    """Who is the same person in these photos, as far as the recogniser tells that knows most of them in the mirror, or
    as the folders of their source say; None where no recogniser knows enough of them.

    :param links: faces that must be among those that are looked at, if there are too many.
    """
    pairs = {attacker.recogniser.name: attacker.pairs(records) for attacker in attackers}
    known = {
        attacker.recogniser.name: control_rate(
            pairs[attacker.recogniser.name], attacker.recogniser.threshold, attacker.empty
        )
        for attacker in attackers
    }
    best = max(attackers, key=lambda attacker: known[attacker.recogniser.name], default=None)
    if best is None or known[best.recogniser.name] < GROUPS_FROM:
        return None
    name = best.recogniser.name
    return identities(pairs[name], best.recogniser.threshold, best.empty, set(links), folders_of(records), asked)
