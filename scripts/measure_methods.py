"""How good changed faces look, and how little of the person is left in them, for every method.

    .venv/bin/python scripts/measure_methods.py PHOTOS [--methods mask synthetic …] [--most 60] [--draws 4]

PHOTOS is a folder; faces of 32 px and more that are beyond doubt are changed one by one, as a run's first step would.
Faces that a method leaves to another one are counted and left out of its figures. Recognition is the naive attack of
one recogniser with the original's landmarks; ``scripts/measure_attacks.py`` has stronger ones. It is shown by the
faces' heights too, beside how often two strangers of that size are taken for one: small faces look alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from method_figures.quality import Quality, quality
from method_figures.subjects import Changed, Original, changed, originals

from photo_anonymizer.config import MethodName, load_config
from photo_anonymizer.detection.protocol import Detector
from photo_anonymizer.detection.stage import members_of
from photo_anonymizer.reid.measure import empty_embeddings, linked
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import FacePairs, chip_of, load_recogniser

GROUPS = (("light", 41, 91), ("intermediate", 28, 41), ("tan", 10, 28), ("brown and dark", -91, 10))
"""Individual typology angle in degrees, after Del Bino & Bernerd (2013), the darkest two and lightest two together."""
HEIGHTS_PX = ((32, 100), (100, 1_000_000))
INDEPENDENT = ("retinaface", "mediapipe_full_range")
HEAD = (
    "| method | n | left to others | found again: retinaface | mediapipe | yaw, pitch, roll off (°) "
    "| landmarks off (IOD): mesh, retinaface | mouth, eyes corr. | ΔE2000 | light off (°) | seam "
    "| same photo ≤ threshold | linked | others | ms |"
)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description="Quality of changed faces, by method.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--methods", nargs="+", choices=get_args(MethodName), default=list(get_args(MethodName)))
    parser.add_argument("--most", type=int, default=120, help="faces at most (default: 120)")
    parser.add_argument("--draws", type=int, default=1, help="how often each face is changed (default: 1)")
    arguments = parser.parse_args()
    faces = list(originals(arguments.photos))[: arguments.most]
    if not faces:
        raise SystemExit("no face of 32 px or more beyond doubt in that folder")
    recogniser, detectors = load_recogniser("dlib_resnet", 2), independent_detectors()
    before = embedded(faces, recogniser)
    print(f"{len(faces)} faces; strangers within the threshold: {strangers(before, faces, recogniser):.4f}\n")
    print(HEAD, "|---" * 15 + "|", sep="\n")
    by_group: list[str] = []
    by_height: list[str] = []
    for method in arguments.methods:
        made = [one for one in changed(faces, method, arguments.draws) if not one.by_another_method]
        figures = [quality(one, detectors) for one in made]
        left = arguments.draws * len(faces) - len(made)
        seen = looked_at(made, recogniser)
        print(row(method, figures, left, *recognised(made, *seen, recogniser)), flush=True)
        by_group += [group_row(method, name, figures, low, high) for name, low, high in GROUPS]
        by_height += [height_row(method, made, seen, faces, before, recogniser.threshold, px) for px in HEIGHTS_PX]
    print("\n| method | height (px) | n | same photo ≤ threshold | others | two strangers |")
    print("|---" * 6 + "|", *by_height, sep="\n")
    print("\n| method | skin tone | n | found again: retinaface | mediapipe | ΔE2000 | landmarks off | seam |")
    print("|---" * 8 + "|", *by_group, sep="\n")


def independent_detectors() -> dict[str, Detector]:
    """Detectors that look for the changed faces, one at a time."""
    found = {}
    for name in INDEPENDENT:
        members, _ = members_of(load_config({"source": "-", "detection": {"detectors": name}}).detection, 2)
        found[name] = members[0]
    return found


def embedded(faces: Sequence[Original], recogniser: Recogniser) -> np.ndarray:
    """float32 (n, D)."""
    return recogniser.embed(np.stack([chip_of(one.rgb, one.face, recogniser) for one in faces]))


def strangers(before: np.ndarray, faces: Sequence[Original], recogniser: Recogniser) -> float:
    """Share of pairs of originals of different people within the threshold; by folder, or by photo in one folder."""
    return within_others(before, faces, before, faces, recogniser.threshold)


def looked_at(made: Sequence[Changed], recogniser: Recogniser) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of the changed faces' originals and of themselves: float32 (n, D) each."""
    if not made:
        return np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32)
    before = embedded([one.original for one in made], recogniser)
    return before, recogniser.embed(np.stack([chip_of(one.rgb, one.original.face, recogniser) for one in made]))


def recognised(
    made: Sequence[Changed], before: np.ndarray, after: np.ndarray, recogniser: Recogniser
) -> tuple[float, float, float]:
    """Shares of changed faces within the threshold of their original, linked to it, and of pairs with others."""
    if not made:
        return (float("nan"),) * 3
    faces = [one.original for one in made]
    keys = tuple((str(number), "f") for number in range(len(made)))
    links = linked(FacePairs(keys, before, before, after), recogniser.threshold, empty_embeddings(recogniser))
    others = within_others(after, faces, before, faces, recogniser.threshold)
    return _own_within(before, after, recogniser.threshold), len(links) / len(made), others


def height_row(
    method: str,
    made: Sequence[Changed],
    seen: tuple[np.ndarray, np.ndarray],
    faces: Sequence[Original],
    all_before: np.ndarray,
    threshold: float,
    limits_px: tuple[int, int],
) -> str:
    """One line of the second table: shares within the threshold of changed faces of that height and their originals,
    of the same and the originals of other people, and of their originals and those.

    :param seen: see :func:`looked_at`.
    """
    low, high = limits_px
    name = f"{low} to {high}" if high < HEIGHTS_PX[-1][1] else f"{low} and more"
    rows = [row for row, one in enumerate(made) if low <= one.original.face.box.height < high]
    if not rows:
        return f"| {method} | {name} | 0 | – | – | – |"
    before, after = (some[rows] for some in seen)
    own = [made[row].original for row in rows]
    others, usual = (within_others(some, own, all_before, faces, threshold) for some in (after, before))
    same = _own_within(before, after, threshold)
    return f"| {method} | {name} | {len(own)} | {same:.3f} | {others:.3f} | {usual:.3f} |"


def _own_within(before: np.ndarray, after: np.ndarray, threshold: float) -> float:
    return float((np.linalg.norm(after.astype(float) - before, axis=1) <= threshold).mean())


def within_others(
    after: np.ndarray, made: Sequence[Original], before: np.ndarray, faces: Sequence[Original], threshold: float
) -> float:
    """Share of pairs of a changed face and the original of another person within the threshold."""
    return _within(after, before, _different(made, faces), threshold)


def _different(one: Sequence[Original], other: Sequence[Original]) -> np.ndarray:
    names = len({face.person for face in one}) > 1
    left, right = ([face.person if names else id(face.rgb) for face in faces] for faces in (one, other))
    return np.array(left, object)[:, np.newaxis] != np.array(right, object)[np.newaxis]


def _within(one: np.ndarray, other: np.ndarray, counted: np.ndarray, threshold: float) -> float:
    distances = np.linalg.norm(one[:, np.newaxis].astype(float) - other[np.newaxis], axis=2)
    return float((distances[counted] <= threshold).mean()) if counted.any() else float("nan")


def row(method: str, figures: Sequence[Quality], left: int, same: float, links: float, others: float) -> str:
    """One line of the first table."""

    def correlated(name: str) -> float:
        pairs = np.array([[getattr(one, f"{name}_before"), getattr(one, f"{name}_after")] for one in figures])
        pairs = pairs[np.isfinite(pairs).all(axis=1)] if len(pairs) else pairs
        return float(np.corrcoef(pairs.T)[0, 1]) if len(pairs) > 2 else float("nan")

    cells = [
        method,
        str(len(figures)),
        str(left),
        *(f"{found_again(figures, name):.2f}" for name in INDEPENDENT),
        ", ".join(f"{median(figures, name):.1f}" for name in ("yaw_off", "pitch_off", "roll_off")),
        f"{median(figures, 'landmarks_off'):.3f}, {median(figures, 'detector_landmarks_off'):.3f}",
        f"{correlated('mouth'):.2f}, {correlated('eyes'):.2f}",
        f"{median(figures, 'delta_e'):.1f}",
        f"{median(figures, 'light_off'):.0f}",
        f"{median(figures, 'seam'):.2f}",
        f"{same:.3f}",
        f"{links:.3f}",
        f"{others:.4f}",
        f"{median(figures, 'paint_ms'):.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def median(figures: Sequence[Quality], name: str) -> float:
    """Median of a figure over the faces in which it could be measured."""
    values = np.array([getattr(one, name) for one in figures], float)
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")


def found_again(figures: Sequence[Quality], detector: str) -> float:
    """Share of changed faces that a detector still finds."""
    return float(np.mean([one.found[detector] for one in figures])) if figures else float("nan")


def group_row(method: str, name: str, figures: Sequence[Quality], low: float, high: float) -> str:
    """One line of the second table: the faces whose skin has a typology angle in ``[low, high)``."""
    own = [one for one in figures if low <= one.typology_deg < high]
    delta_e, landmarks, seam = (median(own, field) for field in ("delta_e", "landmarks_off", "seam"))
    found = " | ".join(f"{found_again(own, detector):.2f}" for detector in INDEPENDENT)
    return f"| {method} | {name} | {len(own)} | {found} | {delta_e:.1f} | {landmarks:.3f} | {seam:.2f} |"


if __name__ == "__main__":
    main()
