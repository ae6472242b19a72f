"""What share of a run is the attack and the gate?

    python scripts/bench_gate.py PHOTOS [--attacks naive naive,cross_photo,restoration] [--set FIELD=VALUE …]

One run of the library's stages for each set of attacks, in a folder that is deleted afterwards. Models are loaded
before the clock starts. Times are by the clock.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from photo_anonymizer import stages
from photo_anonymizer.config import RunConfig, load_config, merge, unflatten
from photo_anonymizer.gate.stage import pass_gate
from photo_anonymizer.release.export import export_release

GATE = (stages.EMBED, "measure_reidentification", "reid_gate")
"""Stages that are there for the attack."""


def timed(config: RunConfig) -> dict[str, float]:
    """Stage → seconds of one whole run."""
    seconds: dict[str, float] = defaultdict(float)

    def clock(stage: str, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        done = work()
        seconds[stage] += time.monotonic() - started
        return done

    run = stages.start_run(config, "bench")
    try:
        clock("ingest_photos", lambda: stages.ingest(run))
        for stage in stages.PHOTO_STAGES:
            for shard in stages.plan_shards(run):
                clock(stage, lambda stage=stage, shard=shard: stages.run_shard_stage(run, stage, shard))
        clock("measure_reidentification", lambda: stages.measure(run))
        clock("reid_gate", lambda: pass_gate(run))
        clock("export_release", lambda: export_release(run))
    finally:
        stages.close_run(run)
    return dict(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--attacks", nargs="+", default=["naive", "naive,cross_photo,restoration"])
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    asked = parser.parse_args()
    flat = {name: yaml.safe_load(value) for name, _, value in (text.partition("=") for text in asked.set)}
    for number, attacks in enumerate([asked.attacks[0], *asked.attacks]):
        with tempfile.TemporaryDirectory() as out:
            values = {"source": str(asked.photos), "out": out, "reid": {"attacks": attacks}}
            seconds = timed(load_config(merge(values, unflatten(flat))))
        if number == 0:
            continue  # loads the models
        whole, gate = sum(seconds.values()), sum(seconds[stage] for stage in GATE)
        print(f"{attacks}: {whole:.1f} s, attack and gate {gate:.1f} s ({100 * gate / whole:.0f} %)")
        print("  " + ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items()))


if __name__ == "__main__":
    main()
