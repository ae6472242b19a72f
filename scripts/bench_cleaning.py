"""How many one-megapixel JPEGs a second are cleaned: read from a file, stripped, written to a file.

    python scripts/bench_cleaning.py [--photos N] [--workers N] [--folder FOLDER]

The photos are made here (a test picture with grain; quality 90, 4:2:0; EXIF with a thumbnail, XMP), so that
everybody measures the same. Each kind is cleaned by processes and by threads: threads are what a stage uses.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip

_POLICY = Policy(max_pixels=100_000_000)
_KINDS = {
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


def processor_ms(pairs: list[tuple[Path, Path]]) -> float:
    """Processor time a photo, which other work on the machine disturbs less."""
    started = time.process_time()
    for pair in pairs:
        clean(pair)
    return 1000 * (time.process_time() - started) / len(pairs)


@contextmanager
def prepared(pool: Executor, workers: int, pair: tuple[Path, Path]) -> Iterator[Executor]:
    """A pool whose workers have imported everything."""
    with pool:
        list(pool.map(clean, [pair] * workers * 2))
        yield pool


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--photos", type=int, default=200, help="files of each kind that are cleaned")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile (default: the system's own place)")
    options = parser.parse_args()
    for kind, settings in _KINDS.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            made = [photo(seed, **settings) for seed in range(8)]  # type: ignore[arg-type]
            pairs = [(Path(folder, f"{number}.jpg"), Path(folder, f"{number}.out")) for number in range(options.photos)]
            for number, (source, _) in enumerate(pairs):
                source.write_bytes(made[number % len(made)])
            clean(pairs[0])
            print(f"{kind}: {processor_ms(pairs[:50]):.1f} ms of processor time a photo")
            for name, pool in (("processes", ProcessPoolExecutor), ("threads", ThreadPoolExecutor)):
                with prepared(pool(options.workers), options.workers, pairs[0]) as ready:
                    started = time.perf_counter()
                    sizes = list(ready.map(clean, pairs))
                    seconds = time.perf_counter() - started
                ratio = sum(sizes) / sum(source.stat().st_size for source, _ in pairs)
                rate = options.photos / seconds
                print(f"  {rate:.0f} photos/s in {options.workers} {name}, {ratio:.3f} × the size")


if __name__ == "__main__":
    main()
