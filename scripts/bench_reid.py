"""What exact ranks of many faces among many cost: time and memory.

    python scripts/bench_reid.py [--faces N] [--numbers D]

Embeddings are made here: as many people as faces, unit length, each probe a little off its own person's row. The last
line is a recogniser that fails: all rows are the same, and every pair must be compared twice.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.ranking import ranks


def people(faces: int, numbers: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probes and gallery, float32 (faces, numbers) each."""
    rng = np.random.default_rng(0)
    gallery = rng.normal(size=(faces, numbers)).astype(np.float32)
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    noise = rng.normal(0, 4 / numbers**0.5, gallery.shape).astype(np.float32)
    return gallery + noise, gallery


def told(name: str, work: Callable[[], NDArray[np.int64]]) -> None:
    """Runs once; prints seconds by the clock and by the processors, and the process's peak memory."""
    started, processors = time.monotonic(), time.process_time()
    found = work()
    seconds, used = time.monotonic() - started, time.process_time() - processors
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name:34} {seconds:6.1f} s {used:6.1f} s of processors {peak_mb:6.0f} MB  rank 1: {(found == 1).mean():.3f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--faces", type=int, default=10_000)
    parser.add_argument("--numbers", type=int, default=128)
    options = parser.parse_args()
    probes, gallery = people(options.faces, options.numbers)
    alone = np.arange(options.faces)
    told("one row a person", lambda: ranks(probes, gallery, alone, alone))
    five = alone // 5
    told("five rows a person", lambda: ranks(probes, gallery, five, five))
    few = slice(0, min(options.faces, 1000))
    same = np.repeat(gallery[:1], len(alone[few]), axis=0)
    told(f"all the same, {len(same):,} faces", lambda: ranks(probes[few], same, alone[few], alone[few]))


if __name__ == "__main__":
    main()
