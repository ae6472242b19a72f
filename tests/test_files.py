"""Nobody ever sees half of a file or folder."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from photo_anonymizer.files import exclusive, published_folder, read_json, write_bytes, write_json, written


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def no_space(*_arguments):
    raise OSError(errno.ENOSPC, "No space left on device")


# files


def test_a_file_is_written_with_its_folder(tmp_path):
    write_bytes(tmp_path / "a" / "b", b"content")
    assert (tmp_path / "a" / "b").read_bytes() == b"content"
    assert names(tmp_path / "a") == ["b"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_is_respected(tmp_path, mode):
    before = os.umask(0o022)
    try:
        write_bytes(tmp_path / "f", b"", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


def test_only_the_owner_may_read_by_default(tmp_path):
    write_json(tmp_path / "f", {})
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@pytest.mark.parametrize("function", ["fsync", "fdopen"])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, function):
    write_bytes(tmp_path / "f", b"old")
    monkeypatch.setattr(os, function, no_space)
    with pytest.raises(OSError, match="No space"):
        write_bytes(tmp_path / "f", b"new")
    assert names(tmp_path) == ["f"]
    assert (tmp_path / "f").read_bytes() == b"old"


def test_a_rename_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "f").mkdir()
    with pytest.raises(OSError):
        write_bytes(tmp_path / "f", b"new")
    assert names(tmp_path) == ["f"]


def test_json_comes_back_as_it_was(tmp_path):
    value = {"ü": [1, 2.5, None, "\n"], "b": {"c": True}}
    write_json(tmp_path / "f.json", value)
    assert read_json(tmp_path / "f.json") == value


# folders


def test_a_folder_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "a" / "b"
    with published_folder(target) as folder:
        (folder / "x").write_text("1")
        assert not target.exists()
    assert names(target) == ["x"]
    assert names(tmp_path / "a") == ["b"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o700


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_a_folder_vanishes_on_error(tmp_path, error):
    def interrupted():
        with published_folder(tmp_path / "b") as folder:
            (folder / "x").write_text("1")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == []


def test_what_a_faster_twin_published_stays(tmp_path):
    with published_folder(tmp_path / "b") as slow:
        (slow / "x").write_text("slow")
        with published_folder(tmp_path / "b") as fast:
            (fast / "x").write_text("fast")
    assert (tmp_path / "b" / "x").read_text() == "fast"
    assert names(tmp_path) == ["b"]


def test_a_file_in_the_folders_place_is_an_error(tmp_path):
    (tmp_path / "b").write_text("in the way")
    with pytest.raises(OSError), published_folder(tmp_path / "b"):
        pass
    assert names(tmp_path) == ["b"]


# locks

HOLD = """
import sys
from pathlib import Path
from photo_anonymizer.files import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
TRY = """
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(7)
"""


def run_python(code: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, "-c", code, *arguments], check=False).returncode


def test_a_lock_keeps_another_process_out_until_it_is_given_back(tmp_path):
    lock = tmp_path / "sub" / "lock"
    with exclusive(lock):
        assert run_python(TRY, str(lock)) == 7
    assert run_python(TRY, str(lock)) == 0


def test_a_lock_is_given_back_on_error(tmp_path):
    with pytest.raises(ValueError), exclusive(tmp_path / "lock"):
        raise ValueError
    assert run_python(TRY, str(tmp_path / "lock")) == 0


def test_a_killed_process_gives_its_lock_back(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        assert run_python(TRY, str(tmp_path / "lock")) == 7
    finally:
        holder.kill()
        holder.communicate()
    with exclusive(tmp_path / "lock"):
        pass


def test_a_large_file_appears_whole_and_for_its_owner_only(tmp_path):
    with written(tmp_path / "new" / "table") as temporary:
        temporary.write_bytes(b"rows")
        assert not (tmp_path / "new" / "table").exists()
    assert (tmp_path / "new" / "table").read_bytes() == b"rows"
    assert (tmp_path / "new" / "table").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table"]


def test_a_large_file_that_failed_leaves_what_was_there(tmp_path):
    (tmp_path / "table").write_bytes(b"old")

    def fails() -> None:
        with written(tmp_path / "table") as temporary:
            temporary.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        fails()
    assert (tmp_path / "table").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["table"]
