"""A published face that shows somebody else of the run is counted; one that looks like everybody is not."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.reid.resemblance import ONE_OF_MANY, Gallery, likeness, resemblance

PEOPLE = 60


def strangers(number: int = PEOPLE, seed: int = 0) -> np.ndarray:
    """Rows of people who do not resemble each other: distances of about 1.4."""
    rows = np.random.default_rng(seed).normal(size=(number, 128))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def gallery(rows: np.ndarray, threshold: float = 0.6, empty: float = 1.0) -> Gallery:
    return Gallery(rows, np.arange(len(rows)), np.full(len(rows), empty), threshold)


def test_a_copy_of_somebody_else_has_no_distance() -> None:
    rows = strangers()
    found = likeness(rows[[7, 7]], [0, 7], gallery(rows))
    assert found[0] == pytest.approx(0, abs=1e-3)
    assert found[1] == np.inf  # it is her own


def test_a_face_as_near_to_two_people_shows_neither() -> None:
    rows = strangers(2)
    rows[1] = rows[0] * 0.9 + rows[1] * 0.1
    between = (rows[:1] + rows[1:]) / 2
    assert likeness(between, [5], gallery(rows)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("threshold", "empty"), [(0.05, 1.0), (0.6, 0.6)], ids=["far", "taken for emptiness"])
def test_who_is_not_recognised_is_not_shown(threshold: float, empty: float) -> None:
    rows = strangers()
    probe = rows[7:8] + np.float32(0.1) * strangers(1, seed=1)
    assert likeness(probe, [0], gallery(rows))[0] < ONE_OF_MANY
    assert likeness(probe, [0], gallery(rows, threshold, empty))[0] == np.inf


def test_whom_every_coarse_face_resembles_is_nobody_in_particular() -> None:
    """A small, blurred original: the recogniser takes it for an empty picture."""
    rows = strangers()
    coarse = np.repeat(rows[:1] * np.float32(0.8), PEOPLE, axis=0)
    vague = Gallery(rows, np.arange(PEOPLE), np.where(np.arange(PEOPLE) == 0, 0.5, 1.0), 0.6)
    assert resemblance(coarse, np.arange(PEOPLE), gallery(rows)).published.hits == PEOPLE - 1
    assert resemblance(coarse, np.arange(PEOPLE), vague).published.hits == 0


def test_of_two_people_emptiness_is_the_second_nearest() -> None:
    rows = strangers(2)
    probe = rows[1:] * np.float32(0.9)
    assert likeness(probe, [0], gallery(rows, empty=0.8)) == pytest.approx(0.125, abs=1e-3)


def test_blocks_change_nothing() -> None:
    rows, probes = strangers(), strangers(seed=1) * np.float32(0.5)
    everybody = gallery(rows, threshold=2, empty=2)
    np.testing.assert_allclose(
        likeness(probes, np.arange(PEOPLE), everybody, block=7),
        likeness(probes, np.arange(PEOPLE), everybody),
        rtol=1e-5,
    )


def test_one_person_on_everybody_is_far_more_than_strangers_reach() -> None:
    rows = strangers()
    found = resemblance(np.repeat(rows[:1], PEOPLE, axis=0), np.arange(PEOPLE), gallery(rows))
    assert (found.published.hits, found.originals.hits) == (PEOPLE - 1, 0)
    assert found.low_excess > 0.9


def test_faces_that_look_like_nobody_are_no_more_than_strangers_reach() -> None:
    rows = strangers()
    found = resemblance(strangers(seed=1), np.arange(PEOPLE), gallery(rows))
    assert found.published.hits == 0
    assert found.low_excess <= 0


def test_where_many_originals_pass_for_another_the_ratio_is_stricter() -> None:
    twins = strangers()
    twins[1::2] = twins[::2] + np.float32(0.05) * strangers(PEOPLE // 2, seed=1)
    found = resemblance(strangers(seed=2), np.arange(PEOPLE), gallery(twins))
    assert found.ratio < 0.1
    assert found.originals.rate is not None
    assert found.originals.rate <= 0.05


def test_alone_nobody_can_be_taken_for_somebody_else() -> None:
    rows = strangers(3)
    alone = Gallery(rows, np.zeros(3, np.int64), np.ones(3), 0.6)
    found = resemblance(rows, [0, 0, 0], alone)
    assert (found.published.n, found.low_excess) == (0, 0)


def test_a_face_without_numbers_is_nobody() -> None:
    rows = strangers()
    assert likeness(np.full((1, 128), np.nan, np.float32), [0], gallery(rows))[0] == np.inf


def test_a_gallery_without_a_person_for_each_row_is_refused() -> None:
    with pytest.raises(ValueError, match="a person and a limit for each of 60 rows"):
        Gallery(strangers(), np.arange(3), np.ones(PEOPLE), 0.6)
