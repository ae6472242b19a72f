"""Times listing, hashing and book-keeping of many small files, and the memory that it takes.

    python scripts/bench_ingest.py [FILES]     # default 100,000 files of 20 kB

Printed are both sizes, and by how much the peak grows from the one to the other, in bytes a file.

The files are made in a temporary folder: a small JPEG each, padded behind its end to 20 kB of random bytes. Each size
runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

FILE_BYTES = 20_000
PER_FOLDER = 1_000
PEAKS = "peaks.json"


def main() -> None:
    """Runs the measurement for a tenth of the files and for all of them."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if len(sys.argv) > 2:
        measure(Path(sys.argv[2]), files)
        return
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as folder:
        sizes, peaks = (files // 10, files), list[dict[str, float]]()
        for count in sizes:
            root = Path(folder, str(count))
            make(root / "photos", count)
            subprocess.run([sys.executable, __file__, str(count), str(root)], check=True)
            peaks.append(json.loads((root / PEAKS).read_text()))
    few, many = peaks
    for what in few:
        grown = 1_000_000 * (many[what] - few[what]) / (sizes[1] - sizes[0])
        print(f"growth, {what:<5}: {grown:6.0f} bytes a file ({many[what] - few[what]:+.1f} MB)")


def make(folder: Path, count: int) -> None:
    """Writes ``count`` different files, a thousand to a folder."""
    stream = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(stream, "JPEG")
    head = stream.getvalue()
    for number in range(count):
        place = folder / f"{number // PER_FOLDER:04d}"
        if number % PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{number:06d}.jpg").write_bytes(head + os.urandom(FILE_BYTES - len(head)))


def measure(root: Path, count: int) -> None:
    """Ingests and cuts into shards, once as new and once as known files, and prints seconds and megabytes."""
    from photo_anonymizer.config import load_config
    from photo_anonymizer.ingest.stage import ingest, plan_shards
    from photo_anonymizer.runfolder import RunFolder

    config = load_config({"source": str(root / "photos"), "out": str(root / "out"), "dataset": "bench"})
    before_mb, peaks = peak_mb(), dict[str, float]()
    for run_id, what in (("first", "new"), ("second", "known")):
        run = RunFolder.of(config, run_id)
        run.start(config, run_id)
        started = time.monotonic()
        counted = ingest(run)
        seconds = time.monotonic() - started
        shards = len(plan_shards(run))
        peaks[what] = peak_mb() - before_mb
        print(
            f"{count:>7} files, {what:<5}: {seconds:6.1f} s, {count / seconds:7.0f} files/s, "
            f"{peaks[what]:6.0f} MB above the {before_mb:.0f} MB of an idle process; "
            f"{counted.going_on} go on in {shards} shards",
            flush=True,
        )
    (root / PEAKS).write_text(json.dumps(peaks))


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1_000_000


if __name__ == "__main__":
    main()
