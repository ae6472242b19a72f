"""Who is the same person: the folders say so where the originals agree, else a recogniser does."""

from __future__ import annotations

import numpy as np
import pytest

from faces import face
from likenesses import PHOTOS_EACH, THRESHOLD, collection
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
    found = identities(PAIRS, THRESHOLD, set(), BY_PERSON)
    assert found.said_by == "folders"
    assert same_split(dict(found.people), WHO)


def test_folders_of_days_are_no_people() -> None:
    found = identities(PAIRS, THRESHOLD, set(), BY_DAY)
    assert found.said_by == "estimated"
    assert found.largest == PHOTOS_EACH
    assert found.folders is not None
    assert found.folders.within_alike < module.ALIKE_WITHIN * found.folders.within
    assert same_split(dict(found.people), WHO)


@pytest.mark.parametrize(("asked", "said"), [("folders", "folders"), ("estimated", "estimated")])
def test_what_is_declared_is_believed(asked: module.Asked, said: str) -> None:
    assert identities(PAIRS, THRESHOLD, set(), BY_DAY, asked).said_by == said


def test_smaller_faces_belong_to_whom_a_recogniser_says() -> None:
    """The folder names the largest face; another face of the same person in a group photo is found by its cluster."""
    largest = {key: folder for key, folder in BY_PERSON.items() if key != PAIRS.keys[1]}
    people = identities(PAIRS, THRESHOLD, set(), largest).people
    assert people[PAIRS.keys[1]] == people[PAIRS.keys[0]]


def test_photos_in_one_folder_say_nothing() -> None:
    photos = [
        PhotoRecord(photo_id=f"p{number}", source_uri=f"file:///photos/{number}.jpg", faces=(face(0, 0, 60, 80),))
        for number in range(3)
    ]
    assert folders_of(photos) == {}
    assert identities(PAIRS, THRESHOLD, set(), {}).said_by == "estimated"


def test_a_folder_names_the_largest_face_of_each_photo() -> None:
    group = (face(0, 0, 30, 40), face(100, 0, 60, 80, face_id="f0001"))
    photos = [
        PhotoRecord(photo_id=name, source_uri=f"file:///photos/{name}/1.jpg", faces=group) for name in ("anna", "bert")
    ]
    assert folders_of(photos) == {("anna", "f0001"): "file:///photos/anna", ("bert", "f0001"): "file:///photos/bert"}


def test_of_many_faces_a_sample_is_clustered_and_the_others_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_of", lambda n, _always: np.arange(0, n, 2))
    assert same_split(clusters(PAIRS, THRESHOLD, set()), WHO)


def test_who_joins_no_cluster_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "sample_of", lambda n, _always: np.arange(PHOTOS_EACH, n))
    assert set(clusters(PAIRS, THRESHOLD, set())) == set(PAIRS.keys[PHOTOS_EACH:])


def test_originals_without_numbers_are_nobodys() -> None:
    original = PAIRS.original.copy()
    original[0] = np.nan
    assert PAIRS.keys[0] not in clusters(FacePairs(PAIRS.keys, original, original, original), THRESHOLD, set())
