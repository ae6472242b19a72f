"""The command that says whom a consent list would keep: chances, shrinking, and a folder that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from faces import face

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import measure_consent as command

SAME = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]], bool)


def test_a_person_is_found_by_some_of_their_photos_as_often_as_chance_says() -> None:
    away = np.full((4, 4), 0.9)
    away[0, 1] = away[1, 0] = 0.1  # the first two photos of a person are near, the third is not
    one, strangers = command.found_by(away, SAME, 1, 0.4)
    two, _ = command.found_by(away, SAME, 2, 0.4)
    assert one == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert two == pytest.approx(2 / 3)
    assert strangers == 0


def test_a_stranger_who_is_near_is_counted() -> None:
    away = np.full((4, 4), 0.9)
    away[0, 3] = away[3, 0] = 0.1
    assert command.found_by(away, SAME, 1, 0.4)[1] == pytest.approx(2 / 4)


def test_a_face_is_made_smaller_with_its_photo_and_never_larger() -> None:
    sample = command.Sample(np.zeros((200, 100, 3), np.uint8), face(20, 40, 60, 80), "a")
    rgb, smaller = command.shrunk(sample, 40)
    assert rgb.shape == (100, 50, 3)
    assert smaller.box.height == 40
    assert smaller.landmarks.nose == pytest.approx(tuple(half / 2 for half in sample.face.landmarks.nose))
    assert command.shrunk(sample, 500)[0].shape == sample.rgb.shape


def test_photos_of_two_people_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rgb in (("jane", data.astronaut()), ("john", np.dstack([data.camera()] * 3))):
        (tmp_path / name).mkdir()
        Image.fromarray(rgb).save(tmp_path / name / "1.png")
        Image.fromarray(np.ascontiguousarray(rgb[:, ::-1])).save(tmp_path / name / "2.png")
    assert command.main([str(tmp_path), "--limits", "0.4", "--heights", "48"]) == 0
    told = capsys.readouterr().out
    assert "4 faces of 2 people" in told
    assert "0 (0.0%)" in told
    assert "jane" not in told


def test_a_folder_with_one_person_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "jane").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "jane" / "1.png")
    assert command.main([str(tmp_path)]) == 2
    assert "at least two people" in capsys.readouterr().err
