"""A0 and A1: planted cases."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.reid.attacks.cross_photo import CrossPhoto
from photo_anonymizer.reid.attacks.naive import Naive
from reid.attacks.drawn import PEOPLE, PHOTOS, SETTING, noise, photos_of_people, probes

CLEAR = photos_of_people()
N = PEOPLE * PHOTOS


@pytest.mark.parametrize("attack", [Naive(), CrossPhoto()])
def test_clear_faces_are_all_found(attack) -> None:
    (found,) = attack.measure(probes(CLEAR, CLEAR), SETTING)
    assert found.hits.all()
    assert found.verified is not None
    assert found.verified.all()
    assert not found.degenerate


@pytest.mark.parametrize(("attack", "chance"), [(Naive(), 1 / N), (CrossPhoto(), (PHOTOS - 1) / (N - 1))])
def test_of_noise_as_many_are_found_as_by_chance(attack, chance: float) -> None:
    hits = []
    for seed in range(20):
        (found,) = attack.measure(probes(CLEAR, noise(seed)), SETTING)
        assert found.chance == pytest.approx(chance)
        hits.append(found.hits.mean())
    assert np.mean(hits) == pytest.approx(chance, abs=0.05)


def test_the_photo_itself_finds_a_face_that_another_photo_of_the_person_does_not() -> None:
    """Whoever looks different in every photo is found by A0 and not by A1."""
    strangers = noise(1)
    (same,), (other,) = (attack.measure(probes(strangers, strangers), SETTING) for attack in (Naive(), CrossPhoto()))
    assert same.hits.all()
    assert other.hits.mean() < 0.3


def test_an_empty_picture_is_not_verified() -> None:
    grey = np.full_like(CLEAR, 0xC0)
    (found,) = Naive().measure(probes(CLEAR, grey), SETTING)
    assert found.verified is not None
    assert not found.verified.any()
