"""Which colour profiles may stay in a published JPEG."""

from __future__ import annotations

import hashlib
import re
import tomllib
from importlib.resources import files

import pytest
from PIL import ImageCms

from jpegs import drawn, saved
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.metadata import profiles
from photo_anonymizer.metadata.profiles import profile_in, well_known
from photo_anonymizer.metadata.readers.jpegfile import with_profile

LISTED = tomllib.loads(files("photo_anonymizer.metadata").joinpath("profiles.toml").read_text(encoding="utf-8"))[
    "profile"
]
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_every_entry_says_what_it_is_and_where_it_comes_from() -> None:
    assert LISTED
    for entry in LISTED:
        assert set(entry) == {"name", "sha256", "bytes", "found"}
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"])
        assert entry["name"]
        assert entry["found"]
        assert entry["bytes"] >= 132


def test_no_profile_is_listed_twice() -> None:
    assert len({entry["sha256"] for entry in LISTED}) == len(LISTED)
    assert len({entry["name"] for entry in LISTED}) == len(LISTED)


def test_profile_is_known_by_all_of_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_names", lambda: {hashlib.sha256(SRGB).hexdigest(): "Generic"})
    assert well_known(SRGB) == "Generic"
    assert well_known(SRGB[:-1] + b"x") == ""
    assert well_known(SRGB + b"\0") == ""


def test_listed_hashes_are_the_ones_looked_up() -> None:
    assert profiles._names() == {entry["sha256"]: entry["name"] for entry in LISTED}


@pytest.mark.parametrize("data", [b"", b"nonsense", SRGB])
def test_other_profiles_are_unknown(data: bytes) -> None:
    assert well_known(data) == ""


@pytest.mark.parametrize("size", [1, 132, 65519, 65520, 200_000])
def test_profile_is_found_again(size: int) -> None:
    profile = bytes(range(256)) * (size // 256 + 1)
    assert profile_in(with_profile(saved(drawn()), profile[:size])) == profile[:size]


def test_jpeg_without_a_profile_has_none() -> None:
    assert profile_in(saved(drawn())) == b""


def test_other_files_have_none() -> None:
    assert profile_in(b"\x89PNG\r\n\x1a\n") == b""


def test_broken_jpeg_is_refused() -> None:
    with pytest.raises(PhotoError):
        profile_in(b"\xff\xd8\xff\xe0\xff")
