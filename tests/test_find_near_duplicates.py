"""The command that looks for twins in a release of which one shows what the other hides."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.release import tables

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
import find_near_duplicates as command


def scene(seed: int, face: int) -> Pixels:
    cells = np.random.default_rng(seed).uniform(0, 255, (9, 12, 3)).astype(np.float32)
    rgb = np.clip(cv2.resize(cells, (320, 240), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)
    rgb[60:140, 120:180] = face
    return rgb


def photo(photo_id: str) -> dict[str, object]:
    row = dict.fromkeys(tables.PHOTOS.names)
    return {**row, "photo_id": photo_id, "file": f"photos/{photo_id}.png"}


def face(photo_id: str, method: str, decision: str = "anonymized") -> dict[str, object]:
    row = dict.fromkeys(tables.FACES.names)
    box = {"x": 120, "y": 60, "width": 60, "height": 80}
    return {**row, **box, "photo_id": photo_id, "method": method, "decision": decision}


@pytest.fixture
def release(tmp_path: Path, write_photo) -> Path:
    """Four photos: a scene three times, with a mask, kept and overlooked; and another one."""
    data = tmp_path / "data"
    for photo_id, seed, colour in (("aa", 1, 192), ("bb", 1, 90), ("cc", 1, 120), ("dd", 2, 90)):
        write_photo(data / "photos" / f"{photo_id}.png", scene(seed, colour))
    tables.write(data / "photos.parquet", [photo(name) for name in ("aa", "bb", "cc", "dd")], tables.PHOTOS)
    faces = [face("aa", "mask"), face("bb", "", "kept: region"), face("dd", "", "kept: region")]
    tables.write(data / "faces.parquet", faces, tables.FACES)
    return tmp_path


def test_twins_that_show_and_hide_are_named_with_what_was_done(
    release: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([str(release)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("aa  bb") and line.endswith("mask  |  kept: region") for line in lines)
    assert any("cc" in line and command.NO_FACE in line for line in lines)
    assert not any("dd" in line for line in lines)


def test_a_release_in_which_all_were_treated_alike_is_quiet(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = [face(name, "mask") for name in ("aa", "bb", "cc", "dd")]
    tables.write(release / "data" / "faces.parquet", faces, tables.FACES)
    assert command.main([str(release)]) == 0
    assert "no near-duplicates" in capsys.readouterr().out


def test_a_folder_that_is_no_release_ends_with_2(tmp_path: Path) -> None:
    assert command.main([str(tmp_path)]) == 2
