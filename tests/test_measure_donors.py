"""Whether averaged faces are taken for those who lent them features."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from photo_anonymizer.donors import Lent
from photo_anonymizer.mesh.topology import mean_shape
from photo_anonymizer.methods.surrogate.donors import DonorPool
from photo_anonymizer.model.patch import FACE_LAYER, Patch
from subjects import subject

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import measure_donors
from measure_donors import HEAD, Batch, batch_of, line
from method_figures.subjects import Original


def lent(quality: float, shade: int) -> Lent:
    return Lent(quality, np.full((256, 256, 3), shade, np.uint8), mean_shape().astype(np.float32), np.zeros(5))


def faces(count: int) -> list[Original]:
    someone = subject(60)
    return [Original(someone.rgb, someone.face, f"person {number}") for number in range(count)]


def a_patch(**about: str) -> Patch:
    region = subject(60).region
    return Patch(region.box, subject(60).rgb[region.box.slices], region.alpha, FACE_LAYER, "test", about)


def along(*places: float) -> np.ndarray:
    """Embeddings on a line."""
    return np.array([[place, 0.0] for place in places], np.float32)


def test_a_person_is_one_row_of_the_best_photo_and_is_excluded_with_all_of_them(monkeypatch) -> None:
    lending = iter([lent(0.2, 1), lent(0.9, 2), "too_small", lent(0.5, 3)])
    monkeypatch.setattr(measure_donors, "lent_by", lambda *_: next(lending))
    batch = batch_of(faces(4), along(0.0, 0.1, 0.2, 9.0))
    assert sorted(batch.pool.albedos[:, 0, 0, 0]) == [2, 3]
    own = int(np.flatnonzero(batch.pool.albedos[:, 0, 0, 0] == 2)[0])
    assert batch.excluded(along(0.6)[0]) == {own}
    assert batch.excluded(along(5.0)[0]) == frozenset()


def test_a_folder_without_donors_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(measure_donors, "lent_by", lambda *_: "glasses")
    with pytest.raises(SystemExit, match="lend"):
        batch_of(faces(2), along(0.0, 1.0))


class Recogniser:
    """Sees whatever was replaced where the test says."""

    threshold = 0.6

    def __init__(self, place: float) -> None:
        self.place = place

    def embed(self, chips: np.ndarray) -> np.ndarray:
        return along(*([self.place] * len(chips)))


@pytest.mark.parametrize(
    ("place", "shares"),
    [(0.0, "1.0000 | 0.0000 | 0.0000"), (5.0, "0.0000 | 1.0000 | 1.0000"), (9.0, "0.0000 | 0.0000 |")],
)
def test_what_a_new_face_is_taken_for_is_counted(monkeypatch, place: float, shares: str) -> None:
    """Somebody at 0 is replaced; somebody else, at 5, lends."""
    someone, other = faces(2)
    plain = a_patch()
    monkeypatch.setattr(measure_donors, "patch_of", lambda _rgb, _face, _step, _feather, _rng, offer: plain)
    monkeypatch.setattr(measure_donors, "compose", lambda rgb, _patches: rgb)
    monkeypatch.setattr(measure_donors, "chip_of", lambda *_: np.zeros((1,)))
    pool = DonorPool("batch", *(np.stack([part]) for part in (lent(1, 9).albedo, lent(1, 9).shape, np.zeros(5))))
    batch = Batch(pool, [along(5.0)])
    monkeypatch.setattr(measure_donors, "within_others", lambda after, *_: float(abs(after[0, 0] - 5) <= 0.6))
    found = line(5, [someone], along(0.0), batch, Recogniser(place), 0.01)
    assert shares in found
    assert found.startswith("| 5 | 1 | 0 |")
    assert found.count("|") == HEAD.count("|")
    assert other.person not in found


def test_faces_that_are_drawn_instead_are_counted_apart(monkeypatch) -> None:
    left = a_patch(instead_of="synthetic")
    monkeypatch.setattr(measure_donors, "patch_of", lambda *_: left)
    pool = DonorPool("batch", *(np.stack([part]) for part in (lent(1, 9).albedo, lent(1, 9).shape, np.zeros(5))))
    found = line(10, faces(3), along(0.0, 1.0, 2.0), Batch(pool, [along(5.0)]), Recogniser(0.0), 0.01)
    assert found == "| 10 | 0 | 3 | – | – | – | 0.0100 |"
