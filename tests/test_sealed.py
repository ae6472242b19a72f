"""What is sealed can be read with the vault's key while its salt is there, and not otherwise; a change is noticed."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.sealed import EXTENSION, SALT, SealedFolder
from sealing import sealed

ROWS = np.random.default_rng(0).normal(size=(4, 128)).astype("<f4")
REFUSED = "embeddings in the vault were changed or belong to another run; start a new run"


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    folder.write("photo", ROWS.tobytes())
    assert folder.read("photo") == ROWS.tobytes()
    assert folder.read("another") is None


@given(data=st.binary(max_size=200))
def test_anything_can_be_sealed(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = sealed(tmp_path_factory.mktemp("sealed"))
    folder.write("photo", data)
    assert folder.read("photo") == data


def test_another_process_reads_it_with_the_same_secret(tmp_path: Path) -> None:
    sealed(tmp_path).write("photo", b"rows")
    assert sealed(tmp_path).read("photo") == b"rows"


def test_no_number_is_on_the_disk(tmp_path: Path) -> None:
    """Neither the rows nor any of their numbers, not even by chance: 4 bytes of 2,048 would match one in a thousand."""
    sealed(tmp_path).write("photo", ROWS.tobytes())
    (tmp_path / "open").write_bytes(ROWS.tobytes())
    holding = [
        path.name
        for path in tmp_path.rglob("*")
        if path.is_file() and any(ROWS[0, at : at + 2].tobytes() in path.read_bytes() for at in range(127))
    ]
    assert holding == ["open"]  # the search finds them where they are


def test_equal_rows_are_sealed_differently(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    for name in ("one", "two"):
        folder.write(name, ROWS.tobytes())
    first, second = ((folder.path / f"{name}{EXTENSION}").read_bytes() for name in ("one", "two"))
    assert first[:12] != second[:12]
    assert first[12:] != second[12:]


@pytest.mark.parametrize("at", [0, 11, 12, 1000, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, at: int) -> None:
    folder = sealed(tmp_path)
    folder.write("photo", ROWS.tobytes())
    path = folder.path / f"photo{EXTENSION}"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(PhotoAnonymizerError, match=REFUSED):
        folder.read("photo")


@pytest.mark.parametrize("length", [0, 5, 12, 27, 100])
def test_a_shortened_file_is_noticed(tmp_path: Path, length: int) -> None:
    folder = sealed(tmp_path)
    folder.write("photo", ROWS.tobytes())
    os.truncate(folder.path / f"photo{EXTENSION}", length)
    with pytest.raises(PhotoAnonymizerError, match=REFUSED):
        folder.read("photo")


def test_one_photos_file_is_not_taken_for_anothers(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    folder.write("photo", ROWS.tobytes())
    (folder.path / f"photo{EXTENSION}").rename(folder.path / f"another{EXTENSION}")
    with pytest.raises(PhotoAnonymizerError, match=REFUSED):
        folder.read("another")


def test_without_its_salt_the_vaults_own_key_opens_nothing(tmp_path: Path) -> None:
    sealed(tmp_path).write("photo", ROWS.tobytes())
    (tmp_path / SALT).unlink()
    with pytest.raises(PhotoAnonymizerError, match=REFUSED):
        sealed(tmp_path).read("photo")


def test_another_vaults_key_opens_nothing(tmp_path: Path) -> None:
    sealed(tmp_path).write("photo", ROWS.tobytes())
    with pytest.raises(PhotoAnonymizerError, match=REFUSED):
        SealedFolder.of(tmp_path, "one", bytes(31) + b"1").read("photo")


def test_tasks_that_start_together_share_one_salt(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: sealed(tmp_path), range(32)))
    assert len({folder.key for folder in folders}) == 1


def test_only_its_owner_may_read_it_and_no_log_shows_the_key(tmp_path: Path) -> None:
    folder = sealed(tmp_path)
    folder.write("photo", b"rows")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert folder.key.hex() not in repr(folder)
    assert str(folder.key) not in repr(folder)


def test_sealing_ten_thousand_faces_costs_little(tmp_path: Path) -> None:
    """By its processor time: what the disk needs it needs without a seal as well."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    folder, data = sealed(tmp_path), ROWS.tobytes()
    started = time.process_time()
    for number in range(10_000):
        made = AESGCM(folder.key).encrypt(number.to_bytes(12, "big"), data, b"one/photo")
        AESGCM(folder.key).decrypt(number.to_bytes(12, "big"), made, b"one/photo")
    assert time.process_time() - started < 2
