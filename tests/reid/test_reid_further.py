"""The attacks besides the naive one: whom do they link, and what is only chance?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likenesses import EMPTY, NUMBERS, PEOPLE, PHOTOS_EACH, THRESHOLD, collection
from photo_anonymizer.reid.further import other_photos, same_photo
from photo_anonymizer.reid.stage import FacePairs


def showing(pairs: FacePairs, faces: dict[int, np.ndarray]) -> FacePairs:
    """The same with some other published faces."""
    published = pairs.published.copy()
    for place, row in faces.items():
        published[place] = row
    return FacePairs(pairs.keys, pairs.original, pairs.mirrored, published, pairs.blank)


def test_a_face_is_linked_to_another_photo_of_the_same_person() -> None:
    pairs, people = collection()
    found = other_photos(showing(pairs, {5: pairs.original[6]}), THRESHOLD, EMPTY, people)
    assert found.links == {pairs.keys[5]}
    assert len(found.keys) == len(pairs.keys)
    assert found.chance == pytest.approx(3 / 39, abs=0.03)


def test_a_strangers_likeness_is_no_link() -> None:
    pairs, people = collection()
    assert not other_photos(showing(pairs, {5: pairs.original[20]}), THRESHOLD, EMPTY, people).links


def test_the_own_photo_is_no_other_photo() -> None:
    pairs, people = collection()
    alone = {key: (99 if key == pairs.keys[5] else person) for key, person in people.items()}
    found = other_photos(showing(pairs, {5: pairs.original[5]}), THRESHOLD, EMPTY, alone)
    assert pairs.keys[5] not in found.keys
    assert not found.links


def test_faces_of_whom_nothing_is_known_cannot_be_attacked_with_other_photos() -> None:
    pairs, people = collection()
    some = {key: people[key] for key in pairs.keys[:20]}
    assert set(other_photos(pairs, THRESHOLD, EMPTY, some).keys) == set(pairs.keys[:20])
    assert other_photos(pairs, THRESHOLD, EMPTY, {}).keys == ()


def test_published_faces_that_all_look_like_one_person_link_nobody_and_are_chance() -> None:
    """A mask, or a restored blank, lies near the same few originals whoever is behind it."""
    pairs, people = collection()
    everybody_alike = showing(pairs, dict.fromkeys(range(len(pairs.keys)), pairs.original[0]))
    for found in (
        other_photos(everybody_alike, THRESHOLD, EMPTY, people),
        same_photo(everybody_alike, THRESHOLD, EMPTY, people),
    ):
        assert not found.links
    found = other_photos(everybody_alike, THRESHOLD, EMPTY, people)
    assert found.firsts == 4
    assert found.chance is not None
    assert found.firsts / len(found.keys) <= found.chance + 1e-9


def test_a_face_that_is_left_clear_is_linked_by_both() -> None:
    pairs, people = collection()
    clear = showing(pairs, {7: pairs.original[7]})
    assert same_photo(clear, THRESHOLD, EMPTY, people).links == {pairs.keys[7]}
    assert other_photos(clear, THRESHOLD, EMPTY, people).links == {pairs.keys[7]}


def test_an_empty_picture_as_near_as_the_face_is_no_link() -> None:
    pairs, people = collection()
    near_empty = showing(pairs, {7: pairs.original[7]})
    assert not same_photo(near_empty, THRESHOLD, pairs.original[7:8], people).links


def test_what_the_photos_edge_tells_is_no_link() -> None:
    pairs, people = collection()
    clear = showing(pairs, {7: pairs.original[6]})
    assert clear.blank is not None
    clear.blank[7] = pairs.original[6]
    assert not other_photos(clear, THRESHOLD, EMPTY, people).links


def test_a_face_without_numbers_counts_as_linked() -> None:
    pairs, people = collection()
    broken = showing(pairs, {3: np.full(NUMBERS, np.nan, np.float32)})
    assert pairs.keys[3] in other_photos(broken, THRESHOLD, EMPTY, people).links
    assert pairs.keys[3] in same_photo(broken, THRESHOLD, EMPTY, people).links


def test_an_original_without_numbers_links_nobody_else() -> None:
    pairs, people = collection()
    pairs.original[3] = np.nan
    assert not other_photos(pairs, THRESHOLD, EMPTY, people).links


def test_a_recogniser_that_sees_nothing_is_flagged_and_links_nobody() -> None:
    pairs, people = collection()
    same = np.ones_like(pairs.original)
    blind = FacePairs(pairs.keys, same, same, same, pairs.blank)
    found = other_photos(blind, THRESHOLD, EMPTY, people)
    assert found.degenerate
    assert not found.links


def test_one_face_alone_is_attacked_by_its_own_photo_only() -> None:
    pairs, people = collection()
    one = FacePairs(pairs.keys[:1], pairs.original[:1], pairs.mirrored[:1], pairs.original[:1])
    assert same_photo(one, THRESHOLD, EMPTY, people).links == {pairs.keys[0]}
    assert other_photos(one, THRESHOLD, EMPTY, people).keys == ()


@given(st.sets(st.integers(0, PEOPLE * PHOTOS_EACH - 1), max_size=8), st.integers(0, 50))
def test_exactly_the_faces_left_clear_are_linked_whatever_the_order(clear: set[int], seed: int) -> None:
    pairs, people = collection()
    order = np.random.default_rng(seed).permutation(len(pairs.keys))
    shown = showing(pairs, {place: pairs.original[place] for place in clear})
    shuffled = FacePairs(
        tuple(shown.keys[place] for place in order),
        *(rows[order] for rows in (shown.original, shown.mirrored, shown.published)),
    )
    assert same_photo(shuffled, THRESHOLD, EMPTY, people).links == {pairs.keys[place] for place in clear}
    assert other_photos(shuffled, THRESHOLD, EMPTY, people).links == {pairs.keys[place] for place in clear}
