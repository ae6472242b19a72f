"""How many faces are found? Recall and false alarms of the configured detector on your own labelled photos.

    measure_detection.py FOLDER

FOLDER holds pictures and ``annotations.json``: file name → ``{"boxes_xywh": [[x, y, w, h], …], "invalid": [0, …]}``.
A face counts as covered when at least 60 % of its box lies in a detected box enlarged by 1.3; a detection that touches
no labelled face is a false alarm; faces marked invalid are not asked for.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from photo_anonymizer.config import DetectionConfig
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.retinaface import RetinaFace
from photo_anonymizer.metadata.decode import decode
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.model.geometry import Box

COVERED, ENLARGED, TOUCHED = 0.6, 1.3, 0.1
THRESHOLDS = (0.1, 0.2, 0.3, 0.5)


@dataclass(frozen=True)
class Labelled:
    """A photo's labelled faces, which of them are asked for, and what was detected."""

    boxes: list[Box]
    asked: list[bool]
    found: list[Detection]


def share_inside(face: Box, region: Box) -> float:
    """Share of a face's box that lies in a region, 0 to 1."""
    width = min(face.x1, region.x1) - max(face.x0, region.x0)
    height = min(face.y1, region.y1) - max(face.y0, region.y0)
    return max(0.0, width) * max(0.0, height) / (face.width * face.height)


def load(folder: Path) -> list[Labelled]:
    """All labelled photos of a folder, with detections down to the lowest threshold."""
    detector = RetinaFace(DetectionConfig(doubt_score=min(THRESHOLDS)), threads=2)
    photos = []
    for name, labels in json.loads((folder / "annotations.json").read_text()).items():
        rgb, _ = decode(strip((folder / name).read_bytes(), max_pixels=10**9).data)
        kept = [
            (x, y, w, h, bad)
            for (x, y, w, h), bad in zip(labels["boxes_xywh"], invalid(labels), strict=True)
            if w and h
        ]
        boxes = [Box(x0=x, y0=y, x1=x + w, y1=y + h) for x, y, w, h, _ in kept]
        photos.append(Labelled(boxes, [not bad for *_, bad in kept], detector.detect(rgb)))
    return photos


def invalid(labels: dict[str, list[int]]) -> list[int]:
    """The ``invalid`` flags; none where there are none."""
    return labels.get("invalid") or [0] * len(labels["boxes_xywh"])


def measure(photos: list[Labelled], threshold: float) -> str:
    """One line of the table."""
    asked = covered = large = large_covered = alarms = 0
    for photo in photos:
        regions = [item.box.scaled(ENLARGED) for item in photo.found if item.score >= threshold]
        for box, wanted in zip(photo.boxes, photo.asked, strict=True):
            if not wanted:
                continue
            hit = any(share_inside(box, region) >= COVERED for region in regions)
            asked, covered = asked + 1, covered + hit
            if box.height >= 16:
                large, large_covered = large + 1, large_covered + hit
        alarms += sum(all(share_inside(box, region) <= TOUCHED for box in photo.boxes) for region in regions)
    return (
        f"| {threshold} | {covered / max(asked, 1):.2f} of {asked} | {large_covered / max(large, 1):.2f} of {large} "
        f"| {alarms / len(photos):.1f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    photos = load(parser.parse_args().folder)
    print(
        f"{len(photos)} photos\n\n| score from | all faces | faces ≥ 16 px | false alarms a photo |\n|---|---|---|---|"
    )
    for threshold in THRESHOLDS:
        print(measure(photos, threshold))


if __name__ == "__main__":
    main()
