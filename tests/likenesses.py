"""Embeddings of people who are easy to tell apart, for tests of attacks."""

from __future__ import annotations

import numpy as np

from photo_anonymizer.reid.groups import Key
from photo_anonymizer.reid.stage import FacePairs

THRESHOLD, NUMBERS = 0.6, 64
EMPTY = np.zeros((1, NUMBERS), np.float32)
PEOPLE, PHOTOS_EACH = 10, 4


def directions(n: int, seed: int = 0) -> np.ndarray:
    """Rows of length 1 that are far apart."""
    rows = np.random.default_rng(seed).normal(size=(n, NUMBERS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def collection() -> tuple[FacePairs, dict[Key, int]]:
    """Ten people with four photos each that resemble each other; what is published resembles nobody."""
    who = np.repeat(np.arange(PEOPLE), PHOTOS_EACH)
    keys = tuple((f"p{number:02d}", "f0000") for number in range(len(who)))
    original = directions(PEOPLE)[who] + 0.2 * directions(len(who), 1)
    missing = np.full_like(original, np.nan)
    published = directions(len(who), 2)
    return FacePairs(keys, original, original, published, missing), dict(zip(keys, who.tolist(), strict=True))
