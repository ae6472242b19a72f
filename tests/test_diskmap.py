"""Keys and values on disk: in order, private, gone with their owner."""

from __future__ import annotations

import gc
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from photo_anonymizer.diskmap import DiskMap


def open_files(below: Path) -> list[str]:
    links = (str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.exists())
    return [name for name in links if name.startswith(str(below))]


def test_values_come_back_in_the_order_of_their_keys(tmp_path):
    kept = DiskMap(tmp_path)
    kept.put([("b", {"n": [1, None]}), ("a", None), ("ü😀", "x"), ("a#was=1", 1), ("a#frame=2", 2), ("B", [])])
    keys = [key for key, _ in kept.items()]
    assert keys == sorted(keys) == ["B", "a", "a#frame=2", "a#was=1", "b", "ü😀"]
    assert (kept.get("b"), kept.get("ü😀"), kept.get("a"), kept.get("c")) == ({"n": [1, None]}, "x", None, None)
    assert ("a" in kept, "c" in kept, len(kept)) == (True, False, 6)


def test_the_last_value_that_is_put_stays_and_the_first_that_is_added(tmp_path):
    kept = DiskMap(tmp_path)
    kept.put([("a", 1), ("a", 2)])
    assert not kept.add("a", 3)
    assert kept.add("b", 4)
    assert list(kept.items()) == [("a", 2), ("b", 4)]


def test_nobody_else_can_open_it_and_nothing_is_left(tmp_path, monkeypatch):
    modes = []
    real = sqlite3.connect

    def connect(*arguments, **options):
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir())
        return real(*arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", connect)
    kept = DiskMap(tmp_path)
    kept.put((str(number), "x" * 1000) for number in range(10_000))  # more than is kept in memory
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_its_file_is_closed_with_its_last_user(tmp_path):
    kept = DiskMap(tmp_path)
    assert len(open_files(tmp_path)) == 1
    del kept
    gc.collect()
    assert open_files(tmp_path) == []


def test_a_killed_process_leaves_nothing(tmp_path):
    code = (
        "import os, pathlib, signal, sys; from photo_anonymizer.diskmap import DiskMap\n"
        "kept = DiskMap(pathlib.Path(sys.argv[1])); kept.put((str(n), 'x' * 1000) for n in range(10_000))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_any_name_will_do(tmp_path):
    folder = tmp_path / "a b%20?#ü&mode=ro"
    folder.mkdir()
    assert DiskMap(folder).add("a")
