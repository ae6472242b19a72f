"""How many one-megapixel JPEGs a second are cleaned: read from a file, stripped, written to a file.

    python scripts/bench_cleaning.py [--photos N] [--workers N] [--folder FOLDER]

The photos are made here (a test picture with grain; quality 90, 4:2:0; EXIF with a thumbnail, XMP), so that
everybody measures the same. Each kind is cleaned by plain processes and as a run does it: by the stage itself, whose
threads read, hash, hand the photo to a process that may die, check its answer and write.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.stage import STAGE, strip_metadata
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault, photo_id_of

_POLICY = Policy(max_pixels=100_000_000)
_KINDS: dict[str, dict[str, Any]] = {
    "compressed bytes stay": {},
    "the same, with blocks beyond the edges": {"size": (1000, 1000)},
    "coefficients written again (progressive)": {"progressive": True},
    "coefficients turned (orientation 6)": {"orientation": 6},
}


def photo(seed: int, size: tuple[int, int] = (1152, 864), orientation: int = 1, progressive: bool = False) -> bytes:
    """A JPEG of about a megapixel with the metadata of a camera."""
    picture = Image.fromarray(data.astronaut()).resize(size, Image.Resampling.LANCZOS)
    grain = np.random.default_rng(seed).normal(0, 4, (size[1], size[0], 3))
    picture = Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Bench", "Camera", orientation
    exif.get_ifd(0x8825)[1] = "N"
    small = io.BytesIO()
    picture.resize((160, 120)).save(small, "JPEG")
    exif.get_ifd(0x8769)[0x927C] = small.getvalue()  # as large as a thumbnail, and as unwanted
    out = io.BytesIO()
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b" " * 2000 + b"</x:xmpmeta>"
    picture.save(out, "JPEG", quality=90, exif=exif, xmp=xmp, progressive=progressive)
    return out.getvalue()


def clean(paths: tuple[Path, Path]) -> int:
    """Clean one file; the size of the result."""
    source, target = paths
    result = strip(source.read_bytes(), _POLICY)
    if not (result.final and result.lossless):
        raise SystemExit("a photo was encoded anew: this would measure something else")
    return target.write_bytes(result.data)


def written(folder: Path, count: int, settings: dict[str, Any]) -> list[Path]:
    """Files of one kind: eight pictures in turn, each file with a number of its own behind its picture."""
    folder.mkdir()
    made = [photo(seed, **settings) for seed in range(8)]
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(made[number % len(made)] + number.to_bytes(4))  # no two alike: a photo's id is its content's
    return paths


def processor_ms(photos: Sequence[Path], out: Path) -> float:
    """Processor time a photo, which other work on the machine disturbs less."""
    target = out / "cleaned"
    clean((photos[0], target))  # everything is imported
    started = time.process_time()
    for source in photos:
        clean((source, target))
    return 1000 * (time.process_time() - started) / len(photos)


def by_processes(photos: Sequence[Path], out: Path, workers: int) -> tuple[float, int]:
    """Photos a second, and bytes in all, of plain processes."""
    pairs = [(photo, out / photo.name) for photo in photos]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(clean, pairs[: 2 * workers]))  # everything is imported
        started = time.perf_counter()
        written = sum(pool.map(clean, pairs))
        return len(pairs) / (time.perf_counter() - started), written


def by_the_stage(photos: Sequence[Path], out: Path, workers: int) -> tuple[float, int]:
    """Photos a second, and bytes in all, of the stage that a run has for this."""
    config = load_config({"source": str(photos[0].parent), "out": str(out), "workers": workers})
    run = RunFolder.of(config, "bench")
    run.start(config, "bench")
    for shard, some in (("warm", photos[: 2 * workers]), ("0000", photos)):
        with run.publish("listed", shard) as listed:
            listed.write_records(listed_photos(some, config))
    strip_metadata(run, "warm", "listed")
    started = time.perf_counter()
    records = strip_metadata(run, "0000", "listed")
    rate = len(photos) / (time.perf_counter() - started)
    if not all(record.pending and record.final for record in records):
        raise SystemExit("a photo was refused or encoded anew: this would measure something else")
    return rate, sum(path.stat().st_size for path in run.stage(STAGE, "0000").glob("*.jpg"))


def listed_photos(photos: Sequence[Path], config: RunConfig) -> list[PhotoRecord]:
    """Photos as listing hands them to the stage."""
    key = Vault.of(config).key()
    return [
        PhotoRecord(photo_id=photo_id_of(key, hashlib.sha256(path.read_bytes()).digest()), source_uri=path.as_uri())
        for path in photos
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=200, help="files of each kind that are cleaned")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile (default: the system's own place)")
    options = parser.parse_args()
    ways = {"plain processes": by_processes, "the stage's threads and sandboxed processes": by_the_stage}
    for kind, settings in _KINDS.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            photos = written(Path(folder, "photos"), options.photos, settings)
            size = sum(photo.stat().st_size for photo in photos)
            print(f"{kind}: {processor_ms(photos[:50], Path(folder)):.1f} ms of processor time a photo")
            for name, way in ways.items():
                out = Path(folder, way.__name__)
                out.mkdir()
                rate, cleaned = way(photos, out, options.workers)
                print(f"  {rate:.0f} photos/s in {options.workers} {name}, {cleaned / size:.3f} × the size")


if __name__ == "__main__":
    main()
