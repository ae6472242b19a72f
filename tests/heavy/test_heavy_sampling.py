"""What a sample is drawn from, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from faces import face, noise_picture
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import ConfigError, SourceError
from photo_anonymizer.heavy import sampling
from photo_anonymizer.heavy.sample_size import EACH
from photo_anonymizer.heavy.sampling import sampled

PEOPLE = 5


@pytest.fixture
def source(tmp_path: Path, write_photo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for each person, two photos in it, one face on each."""
    monkeypatch.setattr(sampling, "faces_of", lambda rgb, config: (face(10, 10, 30, 40),))
    for person in range(PEOPLE):
        for number in range(2):
            write_photo(tmp_path / f"person{person}" / f"{number}.png", noise_picture(60, 60, person))
    (tmp_path / "notes.txt").write_text("no photo")
    return tmp_path


def config(source: Path) -> RunConfig:
    return load_config({"source": str(source)})


def test_every_folder_is_drawn_from_and_what_is_no_photo_is_passed_over(source: Path) -> None:
    found = list(sampled(config(source), 100))
    assert sorted(photo.person for photo in found) == sorted(f"person{n}" for n in range(PEOPLE) for _ in range(2))


def test_the_same_photos_are_drawn_every_time_and_no_more_than_asked_for(source: Path) -> None:
    first, second = (list(sampled(config(source), 8)) for _ in range(2))
    assert [photo.person for photo in first] == [photo.person for photo in second]
    assert len(first) <= 8


def test_one_folder_does_not_fill_the_sample(source: Path, write_photo) -> None:
    for number in range(EACH + 5):
        write_photo(source / "person0" / f"more{number}.png", noise_picture(60, 60, number))
    found = [photo.person for photo in sampled(config(source), 1000)]
    assert found.count("person0") == EACH


@pytest.mark.parametrize("photos", [-3, 0, 7, 5001])
def test_a_sample_has_a_sensible_size(source: Path, photos: int) -> None:
    with pytest.raises(ConfigError, match=f"{photos} photos; ask for 8 to 5,000"):
        list(sampled(config(source), photos))


def test_a_source_that_is_no_folder_of_this_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK")
    for place in ("s3://bucket", str(tmp_path / "photos.zip")):
        with pytest.raises(ConfigError, match="from a folder on this machine"):
            list(sampled(load_config({"source": place}), 8))


def test_of_a_folder_that_is_not_there_is_said_that_it_is_not(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="does not exist"):
        list(sampled(config(tmp_path / "gone"), 8))
