"""Several looks at one photo outvote what only one of them takes for a face.

A candidate's score is the mean of the log odds that every look gives it which could see it: the part of the photo holds
it, and it reaches the network at a height at which faces are seen. On 60 street scenes, at 1.5 false alarms a photo,
that finds 0.60 of all faces where the best look's score finds 0.55 and the mean over all looks 0.55.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.detection.rows import Rows, suppress
from photo_anonymizer.model.geometry import PixelBox

SAME_IOU = 0.5
MISSED = 0.01
"""Score of a look that could see a candidate and did not."""
SEEN_PX = (14, 400)
"""Heights in the network's input between which a look has a vote."""
SURE = 0.5
"""From this score on a look has a vote whatever the height: it has seen the face."""
_INSIDE = 0.9
_BLOCK = 256
"""Candidates compared at once: bounds the memory in photos with thousands of faces."""


@dataclass(frozen=True)
class Look:
    """What one look found."""

    rows: Rows
    """float32 (n, 16), in the photo's pixels."""
    part: PixelBox
    """Of the photo."""
    scale: float
    """Pixels of the network's input for one of the photo."""


def voted(looks: Sequence[Look], size_wh: tuple[int, int], lowest: float) -> Rows:
    """The candidates of all looks, each once, with the scores that the looks give them together; best first.

    :param size_wh: of the photo.
    :param lowest: a candidate needs this score, 0 to 1, in one look at least.
    """
    rows = np.concatenate([look.rows for look in looks])
    candidates = suppress(rows[rows[:, 15] >= lowest])
    if not len(candidates):
        return candidates
    seen = np.stack([_seen(candidates, look.rows) for look in looks], axis=1)
    may = np.stack([_able(candidates, look, size_wh) for look in looks], axis=1) | (seen >= SURE)
    odds = np.log(seen / (1 - np.minimum(seen, 1 - 1e-4)))
    together = (odds * may).sum(axis=1) / np.maximum(may.sum(axis=1), 1)
    together = np.where(may.any(axis=1), together, odds.max(axis=1))
    candidates[:, 15] = 1 / (1 + np.exp(-together))
    candidates[:, 14] = 1 - candidates[:, 15]
    return candidates[np.argsort(-candidates[:, 15], kind="stable")]


def _seen(candidates: Rows, rows: Rows) -> NDArray[np.float64]:
    """The best score (n,) that a look gave each candidate."""
    best = np.full(len(candidates), MISSED)
    for start in range(0, len(candidates), _BLOCK):
        some = candidates[start : start + _BLOCK]
        if len(rows):
            scores = np.where(overlaps(some, rows) >= SAME_IOU, rows[np.newaxis, :, 15], 0)
            best[start : start + _BLOCK] = np.maximum(scores.max(axis=1), MISSED)
    return best


def _able(candidates: Rows, look: Look, size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """Could the look see each candidate? (n,)"""
    heights = (candidates[:, 3] - candidates[:, 1]) * look.scale
    # Boxes may reach beyond the photo; what counts is the photo's part of them.
    low, high = np.maximum(candidates[:, :2], 0), np.minimum(candidates[:, 2:4], size_wh)
    corners = [look.part.x0, look.part.y0], [look.part.x1, look.part.y1]
    shared = np.clip(np.minimum(high, corners[1]) - np.maximum(low, corners[0]), 0, None).prod(axis=1)
    inside = shared >= _INSIDE * np.clip(high - low, 0, None).prod(axis=1)
    return np.asarray((heights >= SEEN_PX[0]) & (heights <= SEEN_PX[1]) & inside)


def overlaps(some: Rows, rows: Rows) -> NDArray[np.float32]:
    """IoU (n, m) of all pairs of boxes."""
    low = np.maximum(some[:, np.newaxis, :2], rows[np.newaxis, :, :2])
    high = np.minimum(some[:, np.newaxis, 2:4], rows[np.newaxis, :, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:4] - boxes[:, :2]).prod(axis=1) for boxes in (some, rows)]
    union = areas[0][:, np.newaxis] + areas[1][np.newaxis] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)
