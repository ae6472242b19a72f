"""Whom would ``consent.people`` keep? Distances between faces of people whom you know, on photos of your own.

    measure_consent.py FOLDER [--limits DISTANCE …] [--heights PX …]

FOLDER holds a sub-folder a person with photos in which their face is the largest (``consent.people`` is read stricter:
there a photo must show one face). Printed, without any name:

- of all pairs of photos, how many of one person and how many of different people are nearer than each limit;
- how often a person is found by one, three and five other photos of theirs, with the limit of the configuration's
  default, and how often one of somebody else is nearer than that;
- the same pairs when one of the faces was made smaller, and when both were: small faces look alike.

A face is found as a run with the default configuration finds it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import ConsentConfig, RunConfig
from photo_anonymizer.consent import RECOGNISER, is_comparable, photos_by_person
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.face import Face, Landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.reid.recognisers.protocol import Embeddings, Recogniser
from photo_anonymizer.reid.stage import chip_of, load_recogniser

LIMITS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
HEIGHTS_PX = (12, 16, 24, 32, 48, 64, 96)
PHOTOS_EACH = (1, 3, 5)
DEFAULT_LIMIT = ConsentConfig().max_distance

Distances = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """One photo's face and whose it is."""

    rgb: Pixels
    face: Face
    person: str


def read_samples(folder: Path, config: RunConfig) -> list[Sample]:
    """The largest comparable face of every photo; photos without one are left out.

    :raises ConfigError: fewer than two people are left.
    """
    samples = []
    for path, person in photos_by_person(folder).items():
        try:
            rgb = decode(strip(path.read_bytes(), Policy.of(config)).data)
        except PhotoError:
            continue
        faces = [face for face in faces_of(rgb, config) if face.band == "accept" and is_comparable(face)]
        if faces:
            samples.append(Sample(rgb, max(faces, key=lambda face: face.box.height), person))
    if len({sample.person for sample in samples}) < 2:
        raise ConfigError("the folder must hold a sub-folder with photos for each of at least two people")
    return samples


def embedded(samples: Sequence[Sample], recogniser: Recogniser, height_px: float | None = None) -> Embeddings:
    """Embeddings (n, D) of the faces, each made so high first where it is higher."""
    chips = []
    for sample in samples:
        rgb, face = shrunk(sample, height_px) if height_px else (sample.rgb, sample.face)
        chips.append(chip_of(rgb, face, recogniser))
    return recogniser.embed(np.stack(chips))


def shrunk(sample: Sample, height_px: float) -> tuple[Pixels, Face]:
    """The photo made smaller, so that its face is at most so high, and the face in it."""
    scale = min(1.0, height_px / sample.face.box.height)
    size_wh = [max(1, round(side * scale)) for side in sample.rgb.shape[1::-1]]
    across, down = size_wh[0] / sample.rgb.shape[1], size_wh[1] / sample.rgb.shape[0]
    box = sample.face.box
    points = {name: (x * across, y * down) for name, (x, y) in sample.face.landmarks.model_dump().items()}
    smaller = {
        "box": Box(x0=box.x0 * across, y0=box.y0 * down, x1=box.x1 * across, y1=box.y1 * down),
        "landmarks": Landmarks.model_validate(points),
    }
    rgb = np.asarray(cv2.resize(sample.rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return rgb, sample.face.model_copy(update=smaller)


def distances(first: Embeddings, second: Embeddings) -> Distances:
    """Euclidean distances of all pairs: float64 (n, n)."""
    return np.asarray(np.linalg.norm(first[:, np.newaxis].astype(np.float64) - second[np.newaxis], axis=2))


def found_by(away: Distances, same: NDArray[np.bool_], photos: int, limit: float) -> tuple[float, float]:
    """Share of faces nearer than the limit to one of so many other photos of theirs, and to one of anybody else's.

    The expectation over all choices of photos: the chance that none of those drawn is among the near ones.
    """
    other = ~np.eye(len(away), dtype=bool)
    shares = []
    for near, mine in zip(away < limit, same & other, strict=True):
        total, hits = int(mine.sum()), int((near & mine).sum())
        if total >= photos:
            misses = np.prod([max(0, total - hits - drawn) / (total - drawn) for drawn in range(photos)])
            shares.append(1 - float(misses))
    strangers = ((away < limit) & ~same).any(axis=1).mean()
    return (float(np.mean(shares)) if shares else float("nan")), float(strangers)


def report(samples: Sequence[Sample], limits: Sequence[float], heights_px: Sequence[float]) -> str:
    """The three tables."""
    recogniser = load_recogniser(RECOGNISER, 2)
    people = np.array([sample.person for sample in samples])
    same = people[:, np.newaxis] == people[np.newaxis]
    pairs = np.triu(np.ones(same.shape, bool), 1)
    full = embedded(samples, recogniser)
    away = distances(full, full)
    own, others = away[pairs & same], away[pairs & ~same]
    heights = [sample.face.box.height for sample in samples]
    lines = [
        f"{len(samples)} faces of {len(set(people))} people, {min(heights):.0f} to {max(heights):.0f} px high",
        "",
        f"{'nearer than':>12}{f'of {len(own)} pairs of one person':>30}{f'of {len(others)} pairs of two':>26}",
    ]
    lines += [f"{limit:>12.2f}{share(own < limit):>30}{share(others < limit):>26}" for limit in limits]
    lines += [f"nearest two people: {others.min():.3f}", "", f"found at {DEFAULT_LIMIT} by so many photos of theirs:"]
    for photos in PHOTOS_EACH:
        theirs, strangers = found_by(away, same, photos, DEFAULT_LIMIT)
        lines.append(f"{photos:>12}{theirs:>30.1%}   (near to somebody else: {strangers:.1%})")
    lines += [
        "",
        f"{'height, px':>12}{'one person':>14}{'two people':>14}{'nearest':>10}{'both small':>14}{'nearest':>10}",
    ]
    apart = ~same
    for height in heights_px:
        small = embedded(samples, recogniser, height)
        one, both = distances(small, full), distances(small, small)
        mine = one[same & ~np.eye(len(same), dtype=bool)]
        lines.append(
            f"{height:>12g}{(mine < DEFAULT_LIMIT).mean():>14.1%}{int((one[apart] < DEFAULT_LIMIT).sum()):>14}"
            f"{one[apart].min():>10.3f}{int((both[pairs & apart] < DEFAULT_LIMIT).sum()):>14}{both[apart].min():>10.3f}"
        )
    lines.append(f"(pairs nearer than {DEFAULT_LIMIT}: share of those of one person, number of those of two people)")
    return "\n".join(lines)


def share(hits: NDArray[np.bool_]) -> str:
    """``12 (0.3 %)``."""
    return f"{int(hits.sum())} ({hits.mean():.1%})" if len(hits) else "none"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the tables; 2: the folder cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limits", type=float, nargs="+", default=LIMITS, metavar="DISTANCE")
    parser.add_argument("--heights", type=float, nargs="+", default=HEIGHTS_PX, metavar="PX")
    arguments = parser.parse_args(argv)
    config = RunConfig(source="-")
    try:
        print(report(read_samples(arguments.folder, config), arguments.limits, arguments.heights))
    except ConfigError as error:
        print(f"measure_consent: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
