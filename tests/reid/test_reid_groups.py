"""In which groups an attack is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from faces import face
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.groups import ORDER, SIZE, SIZE_BANDS, TONE, labels_of, size_band
from photo_anonymizer.reid.stage import write_skin_tones
from sealing import sealed


@pytest.mark.parametrize(("height_px", "band"), [(5, 0), (31.9, 0), (32, 1), (63.9, 1), (64, 2), (128, 3), (4000, 3)])
def test_faces_are_grouped_by_height(height_px: float, band: int) -> None:
    assert size_band(height_px) == SIZE_BANDS[band]


def photo(photo_id: str, *heights: float) -> PhotoRecord:
    faces = tuple(face(0, 0, 20, height, face_id=f"f{number:04d}") for number, height in enumerate(heights))
    return PhotoRecord(photo_id=photo_id, source_uri=f"file:///{photo_id}.jpg", faces=faces)


def test_every_face_has_a_group_of_each_kind(tmp_path: Path) -> None:
    photos = [photo("one", 20, 200), photo("two", 40)]
    write_skin_tones(sealed(tmp_path), photos[0], [60.0, -40.0])
    labels = labels_of(photos, sealed(tmp_path))
    assert labels[SIZE] == {
        ("one", "f0000"): SIZE_BANDS[0],
        ("one", "f0001"): SIZE_BANDS[3],
        ("two", "f0000"): SIZE_BANDS[1],
    }
    assert labels[TONE] == {("one", "f0000"): "very light", ("one", "f0001"): "dark", ("two", "f0000"): ""}
    assert set(labels) == set(ORDER)


def test_tones_of_another_number_of_faces_are_not_guessed(tmp_path: Path) -> None:
    write_skin_tones(sealed(tmp_path), photo("one", 20, 200), [60.0, -40.0])
    assert set(labels_of([photo("one", 20)], sealed(tmp_path))[TONE].values()) == {""}
