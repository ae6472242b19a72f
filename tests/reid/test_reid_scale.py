"""Ten thousand faces against ten thousand, all pairs: what the gate needs for a large run."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from photo_anonymizer.reid.ranking import ranks
from photo_anonymizer.reid.resemblance import Gallery, likeness

FACES, MOST_S, MOST_BYTES = 10_000, 10.0, 1_000_000_000


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(FACES, 128)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def watched():
    """Ends with an error where more than ten seconds or a gigabyte was needed."""
    tracemalloc.start()
    started = time.monotonic()
    yield
    seconds, (_, peak) = time.monotonic() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < MOST_S
    assert peak < MOST_BYTES


def test_everybody_is_ranked_against_everybody(faces: np.ndarray, watched: None) -> None:
    everybody = np.arange(FACES)
    assert (ranks(faces, faces, everybody, everybody) == 1).all()


def test_everybody_is_held_against_everybody_else(faces: np.ndarray, watched: None) -> None:
    gallery = Gallery(faces, np.arange(FACES), np.full(FACES, 1.2), 0.6)
    assert np.isinf(likeness(faces, np.arange(FACES), gallery)).all()
