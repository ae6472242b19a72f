"""Near-duplicates in a release of which one shows what the other hides.

    find_near_duplicates.py RELEASE            such as out/releases/photos/v0003

Burst shots, copies in other sizes and frames of one scene: if the face in one of them is kept, was treated by another
method or was not found, whoever hides in the other is known too. Compared is what lies outside of all faces
(``photo_anonymizer.reid.attacks.prints``); cropped, turned and mirrored copies are not recognised. Prints one line a
pair: the two photos' ids, the share of bits that differ (0.1 at most), and what was done to the faces of each. Exit
code 1: there are pairs; 2: the folder is no release.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.reid.attacks.near_duplicates import pairs
from photo_anonymizer.reid.attacks.prints import Prints, print_of
from photo_anonymizer.release import tables

NO_FACE = "no face found"
AROUND = 1.1
"""Regions count as face with so much around them: the same face is not found in quite the same place twice."""


def lines_of(release: Path) -> list[str]:
    """One line for every pair of near-duplicates that were treated differently.

    :raises OSError: there are no tables.
    :raises PhotoError: a photo cannot be decoded.
    """
    data = release / "data"
    photos = tables.read(data / "photos.parquet")
    faces: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tables.read(data / "faces.parquet"):
        faces[row["photo_id"]].append(row)
    prints, numbers, treatments = [], [], []
    for number, photo in enumerate(photos):
        own = faces[photo["photo_id"]]
        rgb = load(data / photo["file"])
        one = print_of(rgb, [box for row in own if (box := _box(row, (rgb.shape[1], rgb.shape[0])))])
        for treatment in sorted({_treatment(row) for row in own}) or [NO_FACE]:
            prints.append(one)
            numbers.append(number)
            treatments.append(treatment)
    found = pairs(Prints.of(prints), np.array(numbers, np.int64), treatments)
    ids = [photo["photo_id"] for photo in photos]
    return [
        f"{ids[pair.first]}  {ids[pair.second]}  {pair.difference:.3f}  "
        f"{', '.join(sorted(pair.treatments[0]))}  |  {', '.join(sorted(pair.treatments[1]))}"
        for pair in found
    ]


def _box(row: dict[str, Any], size_wh: tuple[int, int]) -> PixelBox | None:
    if not row["width"] or not row["height"]:
        return None
    box = Box(x0=row["x"], y0=row["y"], x1=row["x"] + row["width"], y1=row["y"] + row["height"])
    return box.scaled(AROUND).cover(size_wh)


def _treatment(row: dict[str, Any]) -> str:
    """Method, or why there is none."""
    return str(row["method"] or row["decision"])


def main(words: Sequence[str] | None = None) -> int:
    """Prints the pairs; 1: there are some, 2: the folder is no release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", type=Path)
    asked = parser.parse_args(words)
    try:
        found = lines_of(asked.release)
    except (OSError, PhotoError) as error:
        print(f"find_near_duplicates: {asked.release} is no release that can be read ({error})", file=sys.stderr)
        return 2
    print("\n".join(found) or "no near-duplicates were treated differently")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
