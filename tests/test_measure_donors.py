"""Whether averaged faces are taken for those who lent them features."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from photo_anonymizer.donors import Lenders, Lent
from photo_anonymizer.mesh.topology import mean_shape
from photo_anonymizer.model.patch import FACE_LAYER, Patch
from subjects import subject

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import measure_donors
from measure_donors import HEAD, lenders_of, line
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
    lending = iter([lent(0.2, 1), lent(0.9, 2), None, lent(0.5, 3)])
    monkeypatch.setattr(measure_donors, "donor_of", lambda *_: next(lending))
    lenders = lenders_of(faces(4), along(0.0, 0.1, 0.2, 9.0))
    shades = lenders.pool().albedos[:, 0, 0, 0]
    assert sorted(shades) == [2, 3]
    assert lenders.maybe(along(0.6)[0]) == np.flatnonzero(shades == 2).tolist()
    assert lenders.maybe(along(5.0)[0]) == []


def test_a_folder_without_donors_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(measure_donors, "donor_of", lambda *_: None)
    with pytest.raises(SystemExit, match="lend"):
        lenders_of(faces(2), along(0.0, 1.0))


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
    lenders = Lenders([lent(1, 9)], [along(5.0)])
    monkeypatch.setattr(measure_donors, "within_others", lambda after, *_: float(abs(after[0, 0] - 5) <= 0.6))
    found = line(5, [someone], along(0.0), lenders, Recogniser(place), 0.01)
    assert shares in found
    assert found.startswith("| 5 | 1 | 0 |")
    assert found.count("|") == HEAD.count("|")
    assert other.person not in found


def test_faces_that_are_drawn_instead_are_counted_apart(monkeypatch) -> None:
    left = a_patch(instead_of="synthetic")
    monkeypatch.setattr(measure_donors, "patch_of", lambda *_: left)
    found = line(10, faces(3), along(0.0, 1.0, 2.0), Lenders([lent(1, 9)], [along(5.0)]), Recogniser(0.0), 0.01)
    assert found == "| 10 | 0 | 3 | – | – | – | 0.0100 |"
