"""Ingest takes no more memory for more files, whether they are new or known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")

FEW, MANY = 2_000, 10_000
PARENTS = "a-folder-with-a-rather-long-name/" * 6
"""Whatever is kept of each file, its path is a part of it."""
BYTES_A_FILE = 1_500
"""Allowed growth. Measured: 10 for new files and 600 for known ones, until the maps' caches are full; before what is
known of each file was put on disk it was 3,900 and 7,800."""

MEASURE = """
import json, sys
from pathlib import Path
from photo_anonymizer.config import load_config
from photo_anonymizer.ingest.stage import ingest
from photo_anonymizer.runfolder import RunFolder

def peak_bytes():  # of this program: getrusage also counts what was there before it was loaded
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

config = load_config({"source": sys.argv[1], "out": sys.argv[2], "workers": 2})
peaks = []
for run_id in ("new", "known"):
    run = RunFolder.of(config, run_id)
    run.start(config, run_id)
    assert ingest(run).photos == int(sys.argv[3])
    peaks.append(peak_bytes())
print(json.dumps(peaks))
"""


def peaks(root: Path, files: int) -> tuple[int, int]:
    """Peak memory (bytes) after a first and a second run over so many tiny photos, in a process of its own."""
    folder = root / "photos" / PARENTS
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / f"{number:06}").write_bytes(b"BM" + number.to_bytes(4, "big"))
    arguments = [str(root / "photos"), str(root / "out"), str(files)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    new, known = json.loads(done.stdout.splitlines()[-1])
    return new, known


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    few, many = peaks(tmp_path / "few", FEW), peaks(tmp_path / "many", MANY)
    grown = [(after - before) / (MANY - FEW) for before, after in zip(few, many, strict=True)]
    assert max(grown) < BYTES_A_FILE, f"bytes a file, new and known: {grown}"
