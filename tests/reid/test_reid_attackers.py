"""Several recognisers attack together: every link counts, whoever finds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faces import face
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.attackers import Attacker, attack_all, find, identities_of
from photo_anonymizer.reid.identities import Identities
from photo_anonymizer.reid.measure import empty_embeddings
from photo_anonymizer.reid.recognisers.eigenfaces import MIN_FACES, Eigenfaces
from photo_anonymizer.reid.stage import write_pairs, write_restored
from sealing import sealed

RNG = np.random.default_rng(11)
N, NUMBERS = 40, 64
PHOTOS = [
    PhotoRecord(photo_id=f"p{number:02d}", source_uri=f"file:///{number}.jpg", faces=(face(0, 0, 60, 80),))
    for number in range(N)
]


class Fake:
    """A recogniser whose rows are given by the test; an empty picture is nothing to it."""

    threshold = 0.6
    chip_size_px = 8
    template = np.zeros((5, 2))

    def __init__(self, name: str) -> None:
        self.name = name

    def embed(self, chips: np.ndarray) -> np.ndarray:
        return np.zeros((len(chips), NUMBERS), np.float32)


def strangers(n: int = N) -> np.ndarray:
    rows = RNG.normal(size=(n, NUMBERS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def attacker(
    folder: Path, name: str, clear: tuple[int, ...] = (), *, knows: bool = True, original: np.ndarray | None = None
) -> Attacker:
    """One that finds the faces of these photos as they were, and all others changed.

    :param knows: it knows the originals in the mirror.
    """
    place = sealed(folder, name)
    original = strangers() if original is None else original
    published, mirrored = strangers(), original if knows else strangers()
    published[list(clear)] = original[list(clear)]
    missing = np.full((1, NUMBERS), np.nan, np.float32)
    for row, record in enumerate(PHOTOS):
        write_pairs(place, record, original[row : row + 1], mirrored[row : row + 1], published[row : row + 1], missing)
    return Attacker.of(Fake(name), place, PHOTOS)


def test_a_face_is_linked_when_any_recogniser_links_it(tmp_path: Path) -> None:
    both = [attacker(tmp_path, "one", (1, 2)), attacker(tmp_path, "two", (2, 3))]
    assert find(both, PHOTOS).any == {("p01", "f0000"), ("p02", "f0000"), ("p03", "f0000")}
    found = attack_all(both, PHOTOS, {})
    assert (found.linked.hits, found.linked.n) == (3, N)
    assert {name: attack.linked.hits for name, attack in found.by_recogniser.items()} == {"one": 2, "two": 2}


def test_a_link_counts_also_of_one_that_knows_too_few_originals(tmp_path: Path) -> None:
    weak = attacker(tmp_path, "weak", (5,), knows=False)
    assert find([attacker(tmp_path, "good"), weak], PHOTOS).any == {("p05", "f0000")}


@pytest.mark.parametrize("rows", [np.nan, 1.0], ids=["no numbers", "everybody the same"])
def test_one_that_sees_nothing_is_not_listened_to(tmp_path: Path, rows: float) -> None:
    blind = attacker(tmp_path, "blind", (1, 2, 3), original=np.full((N, NUMBERS), rows, np.float32))
    found = attack_all([attacker(tmp_path, "good", (7,)), blind], PHOTOS, {})
    assert found.linked.hits == 1
    assert found.by_recogniser["blind"].degenerate
    assert not found.by_recogniser["good"].degenerate


def test_a_face_counts_as_attacked_only_when_every_recogniser_attacked_it(tmp_path: Path) -> None:
    both = [attacker(tmp_path, "one"), attacker(tmp_path, "two")]
    (both[1].folder.path / "p00.sealed").unlink()
    assert attack_all(both, PHOTOS, {}).linked.n == N - 1


def test_only_the_photos_that_are_asked_for_are_judged(tmp_path: Path) -> None:
    one = attacker(tmp_path, "one", (1, 30))
    assert attack_all([one], PHOTOS[:10], {}).linked.hits == 1
    assert attack_all([one], [], {}).linked.n == 0


def test_people_are_told_apart_by_the_one_that_knows_most_originals(tmp_path: Path) -> None:
    people = np.repeat(strangers(N // 4), 4, axis=0)
    good = attacker(tmp_path, "good", (0, 1), original=people)
    weak = attacker(tmp_path, "weak", knows=False)
    by_person = attack_all([weak, good], PHOTOS, {}).linked_by_person
    assert by_person is not None
    assert (by_person.people, by_person.hit.hits) == (N // 4, 1)
    assert (by_person.worst.hits, by_person.worst.n) == (2, 4)


def test_where_none_knows_the_originals_people_are_not_counted(tmp_path: Path) -> None:
    assert attack_all([attacker(tmp_path, "weak", knows=False)], PHOTOS, {}).linked_by_person is None


def test_one_that_learns_learns_from_all_originals_and_judges_few_alike(tmp_path: Path) -> None:
    """What it links does not depend on which photos are still to be released."""
    eigenfaces = Eigenfaces()
    shape = (MIN_FACES, int(eigenfaces.embed(np.zeros((1, 32, 32, 3), np.uint8)).shape[1]))
    original = RNG.normal(size=shape).astype(np.float32)
    records = [PHOTOS[0].with_(photo_id=f"e{number:03d}") for number in range(MIN_FACES)]
    for row, record in enumerate(records):
        rows = original[row : row + 1]
        write_pairs(sealed(tmp_path), record, rows, rows, rows if row < 3 else -rows, np.full_like(rows, np.nan))
    learned = Attacker.of(eigenfaces, sealed(tmp_path), records)
    assert learned.linked(learned.pairs(records)) == [(f"e{number:03d}", "f0000") for number in range(3)]
    assert learned.linked(learned.pairs(records[:1])) == [("e000", "f0000")]
    np.testing.assert_array_equal(learned.pairs(records[:1]).original, learned.pairs(records).original[:1])
    assert learned.empty.shape == (len(empty_embeddings(eigenfaces)), 40)


# attacks besides the naive one


def with_restored(folder: Path, looks: dict[str, tuple[int, ...]]) -> Attacker:
    """One recogniser that finds these faces as they were after each look, and nobody without a look."""
    one = attacker(folder, "one", original=np.repeat(strangers(N // 4), 4, axis=0) + 0.02 * strangers())
    place = sealed(folder, "one+restored")
    raw = one.pairs(PHOTOS)
    seen = {look: strangers() for look in looks}
    for look, clear in looks.items():
        seen[look][list(clear)] = raw.original[list(clear)]
    for row, record in enumerate(PHOTOS):
        at = slice(row, row + 1)
        known = raw.original[at], raw.mirrored[at]
        missing = np.full((1, NUMBERS), np.nan, np.float32)
        write_restored(place, record, *known, [(rows[at], missing) for rows in seen.values()])
    return Attacker.of(Fake("one"), one.folder, PHOTOS, place, tuple(looks))


def test_a_face_that_only_restoration_opens_is_linked(tmp_path: Path) -> None:
    one = with_restored(tmp_path, {"sharper": (3,), "smoother": ()})
    who = identities_of([one], PHOTOS, set())
    assert who is not None
    found = attack_all([one], PHOTOS, {}, ("naive", "restoration"), who)
    assert {name: (rate.hits, rate.n) for name, rate in found.by_attack.items()} == {
        "naive": (0, N),
        "restoration": (1, N),
    }
    assert found.linked.hits == 1
    assert {one.form: one.linked.hits for one in found.further} == {
        "sharper, then A0": 1,
        "sharper, then A1": 1,
        "smoother, then A0": 0,
        "smoother, then A1": 0,
    }


def test_a_face_that_shows_another_photo_of_the_person_is_linked_by_that_alone(tmp_path: Path) -> None:
    one = with_restored(tmp_path, {"as it is": ()})
    raw = one.pairs(PHOTOS)
    twin = raw.original[1:2]
    write_pairs(one.folder, PHOTOS[0], raw.original[:1], raw.mirrored[:1], twin, np.full_like(twin, np.nan))
    who = identities_of([one], PHOTOS, set())
    assert who is not None
    assert who.said_by == "estimated"
    found = attack_all([one], PHOTOS, {}, ("naive", "cross_photo"), who)
    assert found.by_attack["cross_photo"].hits == 1
    assert find([one], PHOTOS, ("naive", "cross_photo"), who.people).any == {("p00", "f0000")}


def test_an_attack_that_was_not_asked_for_is_not_made(tmp_path: Path) -> None:
    one = with_restored(tmp_path, {"sharper": (3,)})
    found = attack_all([one], PHOTOS, {})
    assert set(found.by_attack) == {"naive"}
    assert not found.further
    assert not found.linked.hits


def test_where_nobody_is_told_apart_other_photos_say_nothing(tmp_path: Path) -> None:
    found = attack_all([attacker(tmp_path, "weak", knows=False)], PHOTOS, {}, ("naive", "cross_photo"))
    assert found.by_attack["cross_photo"].n == 0
    assert found.identities == ""


def test_a_linked_face_of_nobody_known_counts_as_a_person(tmp_path: Path) -> None:
    one = attacker(tmp_path, "one", (7,))
    some = Identities({(photo.photo_id, "f0000"): number for number, photo in enumerate(PHOTOS[:5])}, "estimated")
    by_person = attack_all([one], PHOTOS, {}, who=some).linked_by_person
    assert by_person is not None
    assert (by_person.people, by_person.hit.hits) == (6, 1)
