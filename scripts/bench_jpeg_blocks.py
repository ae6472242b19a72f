"""What it costs to exchange only the touched blocks of a JPEG, and what it spares the rest of the picture.

    python scripts/bench_jpeg_blocks.py [--megapixels N] [--rounds N]

The photo is made here (a test picture with grain, quality 90, 4:2:0), so that everybody measures the same.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from skimage import data

from photo_anonymizer.imagefile import coefficients_of, decode, encode, with_coefficients
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.outside import change_outside
from photo_anonymizer.model.patch import FACE_LAYER, Patch, compose
from photo_anonymizer.render.jpeg_blocks import with_edits

_MOST = 10**9


def photo(megapixels: float) -> bytes:
    """A JPEG of three by two."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    picture = Image.fromarray(data.astronaut()).resize((height * 3 // 2, height), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(0).normal(0, 4, (height, height * 3 // 2, 3))
    out = io.BytesIO()
    Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
    return out.getvalue()


def faces(count: int, side_px: int, size_wh: tuple[int, int]) -> list[Patch]:
    """Flat squares in places of their own."""
    rng = np.random.default_rng(1)
    corners = [
        (int(rng.integers(0, size_wh[0] - side_px)), int(rng.integers(0, size_wh[1] - side_px))) for _ in range(count)
    ]
    return [
        Patch(
            region=PixelBox(x0=x, y0=y, x1=x + side_px, y1=y + side_px),
            pixels=np.full((side_px, side_px, 3), (180, 140, 110), np.uint8),
            alpha=np.full((side_px, side_px), 255, np.uint8),
            layer=FACE_LAYER,
            author="bench.flat",
        )
        for x, y in corners
    ]


def fastest_ms(work: Callable[[], object], rounds: int) -> float:
    """Processor time, which other work on the machine disturbs less."""
    times = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return 1000 * min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--megapixels", type=float, default=12)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    stripped = strip(photo(options.megapixels), Policy(max_pixels=_MOST))
    original, encoding = stripped.data, stripped.encoding
    rgb = decode(original)
    stored = coefficients_of(original, _MOST)
    a_megapixel = 1e6 / (stripped.width * stripped.height)

    def told(name: str, work: Callable[[], object]) -> None:
        print(f"{name}: {a_megapixel * fastest_ms(work, options.rounds):.1f} ms a megapixel")

    told("coefficients read", lambda: coefficients_of(original, _MOST))
    told("coefficients written", lambda: with_coefficients(original, stored))
    for count, side_px in ((1, 300), (20, 120), (1, stripped.height - 1)):
        patches = faces(count, side_px, (stripped.width, stripped.height))
        composed = compose(rgb, patches)
        print(f"{count} × {side_px} px")
        told("  blocks exchanged", lambda: with_edits(original, composed, patches))  # noqa: B023
        told("  encoded as a whole", lambda: encode(composed, encoding))  # noqa: B023
        for name, made in (
            ("exchanged", with_edits(original, composed, patches)),
            ("whole", encode(composed, encoding)),
        ):
            if made is None:
                raise SystemExit("no block was exchanged: this would measure something else")
            outside = change_outside(rgb, decode(made), patches, lossless=False)
            print(
                f"  {name}: {len(made) / len(original):.3f} of the size; outside {outside.mean:.3f}, {outside.largest}"
            )


if __name__ == "__main__":
    main()
