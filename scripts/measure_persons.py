"""How many photos are held because of a person without a face, and how many such persons are seen? On your own photos.

    measure_persons.py FOLDER … [--thresholds S …] [--faces NAME]

For every folder (searched to its depths; what is no photo is passed over) a table: of so many photos, the share held
at each ``detection.person_score``.

- *no face found*: of photos without anybody these are false; of photos of people, what is rightly stopped.
- *faces found*: as they are, so that a hold means a turned head or a phantom.
- *all faces covered* (grey, mirrored, as hair): the photo then shows somebody and no face; the share is the recall.
- *largest face covered* (as hair), the others known: recall of one turned head in a group.

Covered is the face's box enlarged by 1.35. *Mirrored*: by what is beside it; *as hair*: by a dark, streaky ellipse.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection import DETECTORS
from photo_anonymizer.detection.persons import persons
from photo_anonymizer.detection.protocol import Detector
from photo_anonymizer.errors import ConfigError, ModelError, PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.geometry import Box, PixelBox
from photo_anonymizer.model.pixels import Pixels

COVERED = 1.35
GREY = 127
HAIR_RGB, HAIR_STREAKS = (62, 44, 32), 12
Cover = Callable[[Pixels, PixelBox], Pixels]
"""(photo, place) → what is put there, uint8 of the place's size."""

# covering faces


def grey(rgb: Pixels, place: PixelBox) -> Pixels:
    """A plain grey plate."""
    return np.full_like(rgb[place.slices], GREY)


def mirrored(rgb: Pixels, place: PixelBox) -> Pixels:
    """The strip beside the place, on the side where more of it is, mirrored; grey where there is none."""
    left, right = rgb[place.y0 : place.y1, : place.x0], rgb[place.y0 : place.y1, place.x1 :]
    beside = left[:, -place.width :] if left.shape[1] >= right.shape[1] else right[:, : place.width]
    if not beside.shape[1]:
        return grey(rgb, place)
    return np.asarray(cv2.resize(np.ascontiguousarray(beside[:, ::-1]), (place.width, place.height)), np.uint8)


def hair(rgb: Pixels, place: PixelBox) -> Pixels:
    """A dark ellipse with streaks, as the back of a head has it; the same for the same place."""
    width, height = place.width, place.height
    noise = np.random.default_rng(width * height).normal(size=(height, width)).astype(np.float32)
    streaks = cv2.GaussianBlur(noise, (0, 0), sigmaX=max(1.0, width / 60), sigmaY=max(1.0, height / 8))
    streaks /= max(float(streaks.std()), 1e-6)
    drawn = np.clip(np.array(HAIR_RGB) + HAIR_STREAKS * streaks[..., np.newaxis], 0, 255)
    head = np.zeros((height, width), np.float32)
    cv2.ellipse(head, (width // 2, height // 2), (max(1, width // 2), max(1, height // 2)), 0, 0, 360, 1.0, cv2.FILLED)
    share = cv2.GaussianBlur(head, (0, 0), max(1.0, width / 40))[..., np.newaxis]
    return np.asarray(drawn * share + rgb[place.slices] * (1 - share), np.uint8)


def covered(rgb: Pixels, faces: Sequence[Box], cover: Cover) -> Pixels:
    """The photo with its faces covered."""
    result = rgb.copy()
    for face in faces:
        place = face.scaled(COVERED).cover((rgb.shape[1], rgb.shape[0]))
        if place is not None:
            result[place.slices] = cover(result, place)
    return result


# measuring


class Scores:
    """Kind of photo → the surest person's score in each (0: nobody), and the seconds that each took."""

    def __init__(self) -> None:
        self.of: dict[str, list[float]] = {}
        self.seconds: dict[str, list[float]] = {}

    def ask(self, kind: str, rgb: Pixels, faces: Sequence[Box]) -> None:
        """Looks for persons without a face in one photo."""
        started = time.perf_counter()
        found = persons(rgb, faces)
        self.seconds.setdefault(kind, []).append(time.perf_counter() - started)
        self.of.setdefault(kind, []).append(found[0].score if found else 0.0)


def photos(folder: Path) -> Iterator[Pixels]:
    """The first picture of every file that holds one.

    :raises ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError("one of the folders does not exist")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                yield decode(strip(path.read_bytes(), Policy(max_pixels=10**8)).data)
            except PhotoError:
                continue


def measured(pictures: Iterator[Pixels], detector: Detector) -> Scores:
    """All kinds of figures of these photos."""
    scores = Scores()
    for rgb in pictures:
        faces = sorted((found.box for found in detector.detect(rgb)), key=lambda box: -box.height)
        scores.ask("faces found" if faces else "no face found", rgb, faces)
        if not faces:
            continue
        for cover in (grey, mirrored, hair):
            scores.ask(f"all faces covered: {cover.__name__}", covered(rgb, faces, cover), [])
        if len(faces) > 1:
            scores.ask("largest face covered: hair", covered(rgb, faces[:1], hair), faces[1:])
    return scores


def table(scores: Scores, thresholds: Sequence[float]) -> str:
    """Shares of photos held, as a Markdown table."""
    head = ["photos", "n", *(f"from {threshold:.2f}" for threshold in thresholds), "ms (median)"]
    rows = [head, ["---"] * len(head)]
    for kind, best in scores.of.items():
        shares = [f"{sum(score >= threshold for score in best) / len(best):.2f}" for threshold in thresholds]
        rows.append([kind, str(len(best)), *shares, f"{1000 * statistics.median(scores.seconds[kind]):.0f}"])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main(words: Sequence[str] | None = None) -> int:
    """Prints the figures; 2: something asked for cannot be done."""
    default = DetectionConfig().person_score
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--thresholds", nargs="+", type=float, default=[0.1, 0.15, default, 0.25, 0.3, 0.4, 0.5])
    parser.add_argument("--faces", default="retinaface", help="registered detector that says where faces are")
    asked = parser.parse_args(words)
    try:
        detector = DETECTORS.load(asked.faces)(DetectionConfig(), 1)
        for folder in asked.folders:
            print(f"\n## {folder.name}\n\n{table(measured(photos(folder), detector), asked.thresholds)}")
    except (ConfigError, ModelError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
