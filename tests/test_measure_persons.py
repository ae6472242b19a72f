"""The command that measures the person model, on pictures and detectors made here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import measure_persons as command

from photo_anonymizer.detection.persons import Person
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.geometry import Box

FACE = Box(x0=40, y0=40, x1=60, y1=60)


class BrightFaces:
    """Sees a face in every bright photo, and two in the brightest."""

    name = "bright_faces"

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        count = 2 if rgb.max() == 255 else int(rgb.max() > 100)
        return [Detection(FACE, None, 0.9), Detection(Box(x0=5, y0=5, x1=15, y1=15), None, 0.9)][:count]


@pytest.fixture
def surest(monkeypatch) -> None:
    """The person model says 0.6 where no face is known, nothing otherwise."""
    person = Person(FACE, (0.0, -1.0), 0.6)
    monkeypatch.setattr(command, "persons", lambda _, faces: () if faces else (person,))


def test_every_kind_of_photo_is_counted_apart(surest) -> None:
    pictures = [np.full((100, 100, 3), value, np.uint8) for value in (10, 150, 255)]
    scores = command.measured(iter(pictures), BrightFaces())
    assert scores.of == {
        "no face found": [0.6],
        "faces found": [0.0, 0.0],
        "all faces covered: grey": [0.6, 0.6],
        "all faces covered: mirrored": [0.6, 0.6],
        "all faces covered: hair": [0.6, 0.6],
        "largest face covered: hair": [0.0],
    }


def test_the_table_gives_shares_from_each_threshold_on() -> None:
    scores = command.Scores()
    scores.of["no face found"], scores.seconds["no face found"] = [0.1, 0.3, 0.5, 0.7], [0.002] * 4
    assert command.table(scores, [0.3, 0.6]).splitlines()[-1] == "| no face found | 4 | 0.75 | 0.25 | 2 |"


@pytest.mark.parametrize("cover", [command.grey, command.mirrored, command.hair])
def test_a_covered_face_is_gone_and_the_rest_is_as_it_was(cover: command.Cover) -> None:
    photo = np.full((100, 100, 3), 20, np.uint8)
    photo[40:60, 40:60] = 255
    covered = command.covered(photo, [FACE], cover)
    assert covered[45:55, 45:55].max() < 200
    outside = np.ones((100, 100), bool)
    outside[36:64, 36:64] = False
    assert (covered[outside] == 20).all()
    assert photo.max() == 255


def test_a_face_that_fills_the_photo_has_nothing_beside_it_to_mirror() -> None:
    covered = command.covered(np.full((20, 20, 3), 255, np.uint8), [Box(x0=0, y0=0, x1=20, y1=20)], command.mirrored)
    assert (covered == command.GREY).all()


def test_what_is_no_photo_is_passed_over(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("nobody")
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    assert [rgb.shape for rgb in command.photos(tmp_path)] == [(20, 30, 3)]


def test_a_folder_that_is_not_there_ends_the_command(tmp_path, capsys) -> None:
    with pytest.raises(ConfigError):
        next(command.photos(tmp_path / "none"))
    assert command.main([str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err
