"""A2: what enrolling and learning find, and what they must not know."""

from __future__ import annotations

import numpy as np
import pytest

from photo_anonymizer.reid.attacks import parrot
from photo_anonymizer.reid.attacks.cross_photo import CrossPhoto
from photo_anonymizer.reid.attacks.learning import learned_metric, ridge
from photo_anonymizer.reid.attacks.naive import Naive
from photo_anonymizer.reid.attacks.parrot import Parrot
from photo_anonymizer.reid.attacks.protocol import AttackResult, Chips
from reid.attacks.drawn import BLIND, PEOPLE, PHOTOS, SETTING, blurred, by_draws, noise, photos_of_people, probes

CLEAR = photos_of_people()
N = PEOPLE * PHOTOS


def forms(published: Chips, enrolled: list[Chips], original: Chips = CLEAR, setting=SETTING) -> dict[str, AttackResult]:
    found = Parrot().measure(probes(original, published, enrolled), setting)
    return {one.attack.removeprefix("A2 parrot, "): one for one in found}


def test_clear_faces_are_found_in_every_form() -> None:
    for form, found in forms(CLEAR, [CLEAR]).items():
        assert found.hits.mean() > 0.95, form


def test_of_noise_as_many_are_found_as_by_chance_in_every_form() -> None:
    rates: dict[str, list[float]] = {}
    chances: dict[str, float] = {}
    for seed in range(0, 40, 4):
        for form, found in forms(noise(seed), [noise(seed + 1), noise(seed + 2)]).items():
            rates.setdefault(form, []).append(found.hits.mean())
            chances[form] = found.chance
    assert chances["enrolled"] == pytest.approx((PHOTOS - 1) / (N - 1))
    assert chances["trained on pixels"] == pytest.approx(1 / (PEOPLE / 2))
    for form, found in rates.items():
        assert np.mean(found) == pytest.approx(chances[form], abs=0.07), form


def test_a_veil_that_fools_the_naive_attacker_is_seen_through_by_who_knows_the_method() -> None:
    """A negative with a new light for every photo: no recogniser of clear faces knows it, every parrot does."""

    def veiled(seed: int) -> Chips:
        level = np.random.default_rng(seed).integers(-20, 21, (N, 1, 1, 1))
        return np.clip(255 - CLEAR.astype(int) + level, 0, 255).astype(np.uint8)

    published, enrolled = by_draws(veiled)
    (naive,) = Naive().measure(probes(CLEAR, published), SETTING)
    assert naive.hits.mean() < 0.1
    for form, found in forms(published, enrolled).items():
        if form != "translated":
            assert found.hits.mean() > 0.8, form


def test_what_all_published_faces_have_in_common_is_translated_away() -> None:
    original = photos_of_people(light=30)
    darker = np.clip(original.astype(int) * 0.6 - 30, 0, 255).astype(np.uint8)
    (untranslated,) = CrossPhoto().measure(probes(original, darker), SETTING)
    assert forms(darker, [darker], original)["translated"].hits.mean() > untranslated.hits.mean() + 0.2


def test_training_finds_more_people_than_enrolling() -> None:
    """Blurred faces in strongly differing light: the light is most of what is left, and is learned to be ignored."""
    original = photos_of_people(light=40)
    found = forms(blurred(original, 4), [blurred(original, 4)], original)
    assert found["trained on embeddings"].hits.mean() > found["enrolled"].hits.mean() + 0.2


def test_behind_a_mask_only_the_surroundings_are_found() -> None:
    """The floor: a solid middle with a border in the person's colour."""
    masked = CLEAR.copy()
    masked[:, 4:-4, 4:-4] = 0xC0
    bare = np.full_like(CLEAR, 0xC0)
    assert forms(masked, [masked])["trained on pixels"].hits.mean() > 0.9
    assert not forms(bare, [bare])["trained on pixels"].hits.any()  # all are the same: ties are no hits


def test_nobody_who_is_tested_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    learned: list[set[int]] = []

    def spy(rows, people):
        learned.append(set(people.tolist()))
        return learned_metric(rows, people)

    monkeypatch.setattr(parrot, "learned_metric", spy)
    forms(CLEAR, [CLEAR])
    halves = {frozenset(group) for group in learned}
    assert len(halves) == 2
    one, two = halves
    assert not one & two
    assert one | two == set(range(PEOPLE))


def test_a_recogniser_that_sees_nothing_does_not_keep_the_pixels_from_being_learned() -> None:
    found = forms(CLEAR, [CLEAR], setting=BLIND)
    assert found["trained on embeddings"].degenerate
    assert not found["trained on pixels"].degenerate
    assert found["trained on pixels"].hits.mean() > 0.95


def test_embeddings_that_are_no_numbers_are_flagged() -> None:
    class Broken(type(SETTING.recogniser)):  # type: ignore[misc]
        def embed(self, chips: np.ndarray) -> np.ndarray:
            rows = super().embed(chips)
            rows[0, 0] = np.nan
            return rows

    from photo_anonymizer.reid.attacks.protocol import Setting

    assert forms(CLEAR, [CLEAR], setting=Setting(Broken()))["enrolled"].degenerate


# what is learned


def test_the_metric_ignores_what_varies_within_people() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(6), 20)
    rows = np.column_stack([rng.normal(0, 10, 120), people + rng.normal(0, 0.1, 120)])
    metric = learned_metric(rows, people)
    loud, quiet = (np.linalg.norm(np.diff(metric([[0, 0], step]), axis=0)) for step in ([1, 0], [0, 1]))
    assert quiet > 3 * loud


def test_the_ridge_is_that_of_the_normal_equations() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)) + 3, rng.normal(size=(30, 2)) - 1
    centred = x - x.mean(axis=0)
    penalty = 0.1 * np.trace(centred @ centred.T) / 30
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(5), centred.T @ (y - y.mean(axis=0)))
    others = rng.normal(size=(4, 5))
    np.testing.assert_allclose(ridge(x, y, 0.1)(others), (others - x.mean(axis=0)) @ weights + y.mean(axis=0))
