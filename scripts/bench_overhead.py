"""What Airflow costs: the same photos through the DAG (./anonymize) and through the library alone, in turn."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_photos import make_photos

ROOT = Path(__file__).resolve().parents[1]


def timed(command: list[str]) -> float:
    """Seconds that a command takes.

    :raises SystemExit: it failed.
    """
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return time.perf_counter() - started


def main() -> None:
    """Prints both times and the share that Airflow adds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    through_airflow, directly = [], []
    with tempfile.TemporaryDirectory() as place:
        photos = make_photos(Path(place) / "photos", arguments.count, (480, 320))
        for run in range(arguments.runs):
            options = [str(photos), "--method", "pixelate", "--out"]
            directly.append(timed([str(ROOT / ".venv/bin/photo-anonymizer"), "run", *options, f"{place}/library{run}"]))
            through_airflow.append(timed([str(ROOT / "anonymize"), *options, f"{place}/airflow{run}"]))
    with_s, without_s = statistics.median(through_airflow), statistics.median(directly)
    print(f"{arguments.count} photos of 480 × 320 px, {arguments.runs} runs each; medians; {sys.version.split()[0]}")
    print(f"  library alone   {without_s:7.1f} s  {arguments.count / without_s:6.2f} photos/s")
    print(f"  through Airflow {with_s:7.1f} s  {arguments.count / with_s:6.2f} photos/s")
    print(f"  Airflow adds {with_s - without_s:.1f} s, {with_s / without_s - 1:.1%}")


if __name__ == "__main__":
    main()
