"""This project and deface 1.5.0 on the same photos, in turn: photos per second, peak memory, and where our time goes.

``make bench`` or ``make bench PHOTOS=folder``. deface gets a virtual environment of its own in .venv-deface. Both are
whole processes. deface detects and blurs; ours also strips metadata, flattens residual cues, attacks the result, judges
it and publishes a checked release. The seconds of every kind of work are printed, so that anybody can compare like with
like.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench_photos import make_photos

from photo_anonymizer.files import read_json

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".venv-deface"
WORKERS = 2
COMPARABLE = ("decode", "detect", "change", "encode")


@dataclass(frozen=True)
class Measured:
    """One whole process."""

    wall_s: float
    peak_mb: float


def measured(command: list[str], **environment: str) -> Measured:
    """Runs a command to its end; its peak memory is that of its largest process.

    :raises SystemExit: it failed.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            output.seek(0)
            raise SystemExit(f"{command[0]} failed:\n{output.read().decode(errors='replace')[-2000:]}")
    return Measured(time.perf_counter() - started, usage.ru_maxrss / 1024)


def peer_environment() -> Path:
    """The python of an environment with deface in it, made if it is not there."""
    python = PEER / "bin" / "python"
    if not (PEER / "ready").is_file():
        subprocess.run([sys.executable, "-m", "venv", str(PEER)], check=True)
        subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", "deface==1.5.0", "onnxruntime", "opencv-python-headless"],
            check=True,
        )
        (PEER / "ready").touch()
    return python


def run_peer(python: Path, photos: Path, folder: Path) -> Measured:
    """deface as it comes, on a copy, because it writes beside its input."""
    shutil.copytree(photos, folder)
    pictures = [str(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in {".jpg", ".jpeg", ".png"}]
    return measured([str(python), "-c", "import sys; from deface.deface import main; main()", *pictures])


def run_ours(photos: Path, folder: Path, method: str) -> tuple[Measured, Counter[str]]:
    """The library's own command, and the seconds of work (of all threads together) by kind."""
    command = [sys.executable, "-m", "photo_anonymizer.cli", "run", str(photos), "--out", str(folder)]
    settings = [
        "--method",
        method,
        "--set",
        "release.keep_workspace=true",
        "--set",
        "detection.person_without_face=release",
    ]
    result = measured([*command, *settings], PYTHONPATH=str(ROOT / "include"))
    seconds: Counter[str] = Counter()
    for manifest in (folder / "workspace").glob("photos/*/embed_faces/*/manifest.json"):
        for record in read_json(manifest):
            seconds.update(record["seconds"])
    return result, seconds


def main() -> None:
    """Prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="?", type=Path, help="folder of JPEG or PNG files; default: generated ones")
    parser.add_argument("--count", type=int, default=60, help="generated photos (default: 60)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--method", default="blur")
    arguments = parser.parse_args()
    python = peer_environment()
    with tempfile.TemporaryDirectory() as place:
        photos = arguments.photos or make_photos(Path(place) / "photos", arguments.count)
        count = sum(path.is_file() for path in photos.rglob("*"))
        ours, peers, seconds = [], [], Counter[str]()
        for number in range(arguments.runs):
            peers.append(run_peer(python, photos, Path(place) / f"peer{number}"))
            measure, seconds = run_ours(photos, Path(place) / f"ours{number}", arguments.method)
            ours.append(measure)
    report(count, ours, peers, seconds)


def report(count: int, ours: list[Measured], peers: list[Measured], seconds: Counter[str]) -> None:
    """Medians, and the ratio run by run."""
    print(f"{count} files, {len(ours)} runs each, in turn; medians")
    for name, runs in (("photo-anonymizer", ours), ("deface 1.5.0", peers)):
        wall_s = statistics.median(run.wall_s for run in runs)
        peak_mb = statistics.median(run.peak_mb for run in runs)
        print(f"  {name:18} {count / wall_s:6.2f} photos/s   {wall_s:6.1f} s   peak {peak_mb:6.0f} MB")
    ratio = statistics.median(peer.wall_s / our.wall_s for our, peer in zip(ours, peers, strict=True))
    print(f"  ours is {ratio:.2f} times as fast, everything included")
    alike_s = sum(seconds[kind] for kind in COMPARABLE) / WORKERS
    print(f"  decode, detect, change and encode alone: {count / alike_s:.2f} photos/s with {WORKERS} workers")
    total = sum(seconds.values())
    print("where our threads spent their time (last run):")
    for kind, value in seconds.most_common():
        note = "" if kind in COMPARABLE else "   (deface does not do this)"
        print(f"  {kind:8} {value:7.2f} s  {value / total:5.1%}{note}")


if __name__ == "__main__":
    main()
