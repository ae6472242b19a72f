"""What one face costs by every method: processor time on one core, and memory beyond the photo.

A face of 200 px in a photo of one megapixel; with other heights the photo grows alike. The face is that of the
astronaut Eileen Collins in a picture by NASA, which is in the public domain and comes with scikit-image.
"""

from __future__ import annotations

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import get_args

import cv2
import numpy as np
from skimage import data

from photo_anonymizer.config import MethodName, RunConfig, load_config
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import Patch
from photo_anonymizer.model.pixels import Pixels

AIMS_MS = {"blur": 2, "pixelate": 2, "mask": 2, "avatar": 8, "feature_preserving": 15, "synthetic": 40}
AIM_CROPS = 20
SIDE_PX = 5
"""Sides of the photo in heights of the face: 1,000 px for one of 200."""


def photo_with_face(height_px: int) -> tuple[Pixels, Face]:
    """A grey square photo with one face of about that height in it, and where it is.

    :raises SystemExit: the face is not found.
    """
    picture, config = data.astronaut(), load_config({"source": "-"})
    scale = height_px / _highest(picture, config).box.height
    for _ in range(2):  # in a larger picture the same face is not found just as much larger
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        shown = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
        photo = np.full((SIDE_PX * height_px, SIDE_PX * height_px, 3), 128, np.uint8)
        shown = shown[: len(photo), : len(photo)]
        photo[: shown.shape[0], : shown.shape[1]] = shown
        face = _highest(photo, config)
        scale *= height_px / face.box.height
    return photo, face


def _highest(rgb: Pixels, config: RunConfig) -> Face:
    found = faces_of(rgb, config)
    if not found:
        raise SystemExit("the face is not found at this height; choose another --height")
    return max(found, key=lambda face: face.box.height)


def painter(config: RunConfig, method: MethodName, photo: Pixels, face: Face) -> Callable[[int], Patch]:
    """Changes the face with another seed at every call.

    :raises SystemExit: the method cannot do this face.
    """
    step = ladder(config, method)[0]

    def paint(seed: int) -> Patch:
        made = patch_of(photo, face, step, config.region.feather, np.random.default_rng(seed))
        if made is None or "instead_of" in made.parameters:
            raise SystemExit(f"{method} cannot do this face")
        return made

    return paint


def times_ms(paint: Callable[[int], Patch], repeats: int) -> list[float]:
    """Processor time of one call, again and again; the first calls, which fill caches, do not count."""
    taken = []
    for seed in range(repeats + 3):
        started = time.thread_time()
        paint(seed)
        taken.append(1000 * (time.thread_time() - started))
    return taken[3:]


def peak_crops(paint: Callable[[int], Patch]) -> float:
    """Most memory in use at once, without what stays in caches, in sizes of the crop that changes (RGB, a byte each).

    Buffers within a library's single call are not seen.
    """
    paint(0)
    tracemalloc.start()
    made = paint(1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / (3 * made.region.width * made.region.height)


def main() -> None:
    """Prints both for every method, beside what they may be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=200, help="of the face in px (default: 200)")
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--methods", nargs="+", choices=get_args(MethodName), default=list(AIMS_MS))
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    photo, face = photo_with_face(asked.height)
    height, megapixels = face.box.height, photo.shape[0] ** 2 / 1e6
    print(f"a face of {height:.0f} px in {megapixels:.1f} megapixels, {asked.repeats} times, one core")
    print("| method | ms, median | fastest | aim at 200 px | memory, crops | aim |\n|---|---|---|---|---|---|")
    for method in asked.methods:
        paint = painter(load_config({"source": "-", "method": method}), method, photo, face)
        taken = times_ms(paint, asked.repeats)
        print(
            f"| {method} | {statistics.median(taken):.1f} | {min(taken):.1f} | {AIMS_MS[method]} "
            f"| {peak_crops(paint):.1f} | {AIM_CROPS} |"
        )


if __name__ == "__main__":
    main()
