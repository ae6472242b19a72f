"""Who is the same person: the folders say so where the originals agree, else a recogniser does."""

from __future__ import annotations

import numpy as np
import pytest

from faces import face
from likenesses import EMPTY, PHOTOS_EACH, THRESHOLD, collection, directions
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid import identities as module
from photo_anonymizer.reid.identities import clusters, folders_of, identities
from photo_anonymizer.reid.stage import FacePairs

PAIRS, WHO = collection()
BY_PERSON = {key: f"file:///photos/person{person}" for key, person in WHO.items()}
BY_DAY = {key: f"file:///photos/day{place % 5}" for place, key in enumerate(PAIRS.keys)}


def same_split(one: dict, other: dict) -> bool:
    return len({(one[key], other[key]) for key in one}) == len(set(one.values())) == len(set(other.values()))


def test_folders_that_the_originals_agree_with_are_people() -> None:
    found = identities(PAIRS, THRESHOLD, EMPTY, set(), BY_PERSON)
    assert found.said_by == "folders"
    assert same_split(dict(found.people), WHO)


def test_folders_of_days_are_no_people() -> None:
    found = identities(PAIRS, THRESHOLD, EMPTY, set(), BY_DAY)
    assert found.said_by == "estimated"
    assert found.largest == PHOTOS_EACH
    assert found.folders is not None
    assert found.folders.within_alike < module.ALIKE_WITHIN * found.folders.within
    assert same_split(dict(found.people), WHO)


@pytest.mark.parametrize(("asked", "said"), [("folders", "folders"), ("estimated", "estimated")])
def test_what_is_declared_is_believed(asked: module.Asked, said: str) -> None:
    assert identities(PAIRS, THRESHOLD, EMPTY, set(), BY_DAY, asked).said_by == said


def test_smaller_faces_belong_to_whom_a_recogniser_says() -> None:
    """The folder names the largest face; another face of the same person in a group photo is found by its cluster."""
    largest = {key: folder for key, folder in BY_PERSON.items() if key != PAIRS.keys[1]}
    people = identities(PAIRS, THRESHOLD, EMPTY, set(), largest).people
    assert people[PAIRS.keys[1]] == people[PAIRS.keys[0]]


def test_photos_in_one_folder_say_nothing() -> None:
    photos = [
        PhotoRecord(photo_id=f"p{number}", source_uri=f"file:///photos/{number}.jpg", faces=(face(0, 0, 60, 80),))
        for number in range(3)
    ]
    assert folders_of(photos) == {}
    assert identities(PAIRS, THRESHOLD, EMPTY, set(), {}).said_by == "estimated"


def test_a_folder_names_the_largest_face_of_each_photo() -> None:
    group = (face(0, 0, 30, 40), face(100, 0, 60, 80, face_id="f0001"))
    photos = [
        PhotoRecord(photo_id=name, source_uri=f"file:///photos/{name}/1.jpg", faces=group) for name in ("anna", "bert")
    ]
    assert folders_of(photos) == {("anna", "f0001"): "file:///photos/anna", ("bert", "f0001"): "file:///photos/bert"}


def test_of_many_faces_a_sample_is_clustered_and_the_others_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_of", lambda n, _always: np.arange(0, n, 2))
    assert same_split(clusters(PAIRS, THRESHOLD, EMPTY, set()), WHO)


def test_who_joins_no_cluster_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_of", lambda n, _always: np.arange(PHOTOS_EACH, n))
    assert set(clusters(PAIRS, THRESHOLD, EMPTY, set())) == set(PAIRS.keys[PHOTOS_EACH:])


def test_originals_without_numbers_are_nobodys() -> None:
    original = PAIRS.original.copy()
    original[0] = np.nan
    assert PAIRS.keys[0] not in clusters(FacePairs(PAIRS.keys, original, original, original), THRESHOLD, EMPTY, set())


def of_a_crowd(photos: int, faces_each: int, blurred: np.ndarray) -> FacePairs:
    """The collection, and a crowd of this many photos with so many faces each, whose rows are given."""
    keys = tuple((f"c{photo:02d}", f"f{number:04d}") for photo in range(photos) for number in range(faces_each))
    rows = np.concatenate([PAIRS.original, blurred.astype(np.float32)])
    return FacePairs((*PAIRS.keys, *keys), rows, rows, rows)


def test_faces_that_look_like_nothing_and_fill_a_photo_are_not_one_person() -> None:
    """All lie around one place near that of an empty picture, as faces of a few pixels do."""
    blurred = EMPTY + 0.4 * directions(1, 3) + 0.1 * directions(24, 4)
    people = clusters(of_a_crowd(4, 6, blurred), THRESHOLD, EMPTY, set())
    assert same_split(people, WHO)


def test_a_person_who_looks_like_nothing_once_a_photo_stays_a_person() -> None:
    blurred = EMPTY + 0.4 * directions(1, 3) + 0.1 * directions(6, 4)
    people = clusters(of_a_crowd(6, 1, blurred), THRESHOLD, EMPTY, set())
    assert len(people) == len(WHO) + 6
    assert len(set(people.values())) == len(set(WHO.values())) + 1


def test_a_person_who_is_seen_well_may_be_in_a_photo_twice() -> None:
    """A sheet with four portraits of one person: nothing says that the recogniser mistakes them."""
    clear = directions(1, 3) + 0.1 * directions(8, 4)
    people = clusters(of_a_crowd(2, 4, clear), THRESHOLD, EMPTY, set())
    assert len(set(people.values())) == len(set(WHO.values())) + 1


def test_faces_beyond_the_sample_that_look_like_a_crowd_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_of", lambda n, _always: np.arange(n - 12))
    blurred = EMPTY + 0.4 * directions(1, 3) + 0.1 * directions(24, 4)
    people = clusters(of_a_crowd(4, 6, blurred), THRESHOLD, EMPTY, set())
    assert same_split(people, WHO)
