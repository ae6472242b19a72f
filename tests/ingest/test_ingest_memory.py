"""Ingest takes no more memory for more files, whether they are new, known or published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")

FEW, MANY = 2_000, 10_000
PARENTS = "a-folder-with-a-rather-long-name/" * 10
"""Whatever is kept of each file, its path is a part of it."""
BYTES_A_FILE = 4_000
"""Allowed growth. Measured are at most 2,000, until caches of a fixed size are full; when ingest kept a list of the
files, the ledger and the releases in memory it was 6,300 to 9,000."""

PUBLISH = """
import hashlib, sys
from pathlib import Path
from photo_anonymizer.config import load_config
from photo_anonymizer.published import dataset_folder, manifest_sha256
from photo_anonymizer.release import audit, tables
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault

config = load_config({"source": sys.argv[1], "out": sys.argv[2], "workers": 2})
bag = dataset_folder(config) / "v0001"
data = bag / "data"
(data / "photos").mkdir(parents=True)
rows, events = [], []
for record in RunFolder.of(config, "known").iter_records("ingest"):
    row = {"photo_id": record.photo_id, "file": f"photos/{record.photo_id}.jpg", "sha256": hashlib.sha256().hexdigest()}
    (data / row["file"]).touch()
    rows.append(row)
    events.append(("photo", {**row, "basis": record.basis, "edits": []}))
entries = audit.chain(events)
tables.write(data / "photos.parquet", rows, tables.PHOTOS)
tables.write(data / "faces.parquet", [], tables.FACES)
(data / "audit.jsonl").write_text(audit.dump(entries))
(data / "qa.json").write_text("{}")
names = ["photos.parquet", "faces.parquet", "audit.jsonl", "qa.json"]
listed = [f"{hashlib.sha256((data / name).read_bytes()).hexdigest()}  data/{name}\\n" for name in names]
listed += [f"{row['sha256']}  data/{row['file']}\\n" for row in rows]
(bag / "manifest-sha256.txt").write_text("".join(listed))
noted = {"entries": len(entries), "sha256": entries[-1]["hash"], "manifest_sha256": manifest_sha256(bag)}
Vault.of(config).note_release("v0001", noted)
"""
"""Makes a release of what was ingested, with empty files for pictures."""

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
for run_id in sys.argv[4:]:
    run = RunFolder.of(config, run_id)
    run.start(config, run_id)
    counted = ingest(run)
    assert counted.photos == int(sys.argv[3])
    assert counted.carried_over == (counted.photos if run_id == "published" else 0)
    peaks.append(peak_bytes())
print(json.dumps(peaks))
"""


def python(code: str, *arguments: str) -> str:
    """What a program of its own prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def peaks(root: Path, files: int) -> dict[str, int]:
    """Peak memory (bytes) after runs over so many tiny photos that are new, known, and published."""
    folder = root / "photos" / PARENTS
    folder.mkdir(parents=True)
    for number in range(files):
        (folder / f"{number:06}").write_bytes(b"BM" + number.to_bytes(4, "big"))
    where = [str(root / "photos"), str(root / "out")]
    new, known = json.loads(python(MEASURE, *where, str(files), "new", "known"))
    python(PUBLISH, *where)
    (published,) = json.loads(python(MEASURE, *where, str(files), "published"))
    return {"new": new, "known": known, "published": published}


def test_memory_does_not_grow_with_the_number_of_files(tmp_path):
    few, many = peaks(tmp_path / "few", FEW), peaks(tmp_path / "many", MANY)
    grown = {what: (many[what] - few[what]) / (MANY - FEW) for what in few}
    assert max(grown.values()) < BYTES_A_FILE, f"bytes a file: {grown}"
