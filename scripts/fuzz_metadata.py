"""Breaks photos of every kind in every way that it can think of, strips them, and says what became of them.

Ends with 1 if anything happened that must not. The files that did it are kept in --keep, named after what they did.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from hostile import POLICIES, Bench, BrokenPromiseError, broken, seeds, tried  # noqa: E402


def main() -> None:
    """Prints counts by format and outcome, then what must not have happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--formats", nargs="*", choices=sorted(seeds()), default=sorted(seeds()))
    parser.add_argument("--keep", type=Path, default=None, help="folder for the files that broke a promise")
    arguments = parser.parse_args()
    os.nice(10)
    print(f"seed {arguments.seed}")
    outcomes, broken_promises = fuzzed(arguments.minutes * 60, arguments.seed, arguments.formats, arguments.keep)
    for (format, outcome), count in sorted(outcomes.items()):
        print(f"{format:9} {outcome:24} {count:8}")
    print(
        f"{sum(outcomes.values())} files in {arguments.minutes:g} min, {sum(broken_promises.values())} broken promises"
    )
    for (format, what), count in broken_promises.most_common():
        print(f"BROKEN {format:9} {count:6} × {what}")
    raise SystemExit(1 if broken_promises else 0)


def fuzzed(
    seconds: float, seed: int, formats: list[str], keep: Path | None
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """(outcomes, broken promises), each counted by format."""
    chance, until = random.Random(seed), time.monotonic() + seconds
    outcomes: Counter[tuple[str, str]] = Counter()
    promises: Counter[tuple[str, str]] = Counter()
    bench = Bench.set_up()
    while time.monotonic() < until:
        format = chance.choice(formats)
        data = broken(chance.choice(seeds()[format]), format, chance)
        started = time.monotonic()
        try:
            outcome = tried(data, bench, chance, chance.choice(POLICIES))
        except BrokenPromiseError as error:
            outcome = "BROKEN"
            promises[format, str(error)] += 1
            _kept(keep, format, str(error), data)
        outcomes[format, outcome] += 1
        if time.monotonic() - started > 3:
            promises[format, "took more than 3 s"] += 1
            _kept(keep, format, "slow", data)
    bench.close()
    return outcomes, promises


def _kept(keep: Path | None, format: str, what: str, data: bytes) -> None:
    if keep:
        folder = keep / format / re.sub(r"[^A-Za-z0-9.]+", "-", what)[:90]
        folder.mkdir(parents=True, exist_ok=True)
        if len(list(folder.iterdir())) < 10:
            (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


if __name__ == "__main__":
    main()
