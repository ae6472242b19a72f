"""What an attacker learns from faces of known people: a metric, a linear map. Closed forms, the same every time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.reid.attacks.matching import Rows
from photo_anonymizer.reid.attacks.protocol import Labels

COMPONENTS = 40
"""Principal components that metrics are learned in: some hundred faces settle no more."""
SHRINKAGE = 0.1
"""Share of the mean variance in the covariance within people: without it few faces make some directions look sure."""

Mapping = Callable[[Rows], NDArray[np.float64]]
"""Takes rows (n, D) to other rows (n, K)."""


def learned_metric(rows: Rows, people: Labels) -> Mapping:
    """What tells people apart in these rows: principal components, then whitening of the scatter within people.

    :param rows: (m, D), several of each of at least two people.
    :param people: int (m,).
    """
    features = np.asarray(rows, np.float64)
    centre = features.mean(axis=0)
    _, _, directions = np.linalg.svd(features - centre, full_matrices=False)
    basis = directions[: min(COMPONENTS, len(directions))].T
    projected = (features - centre) @ basis
    _, who = np.unique(people, return_inverse=True)
    means = np.stack([projected[who == person].mean(axis=0) for person in range(who.max() + 1)])
    inner = projected - means[who]
    scatter = inner.T @ inner / len(inner)
    level = max(float(np.trace(scatter)) / len(scatter), np.finfo(float).tiny)
    values, vectors = np.linalg.eigh((1 - SHRINKAGE) * scatter + SHRINKAGE * level * np.eye(len(scatter)))
    transform = basis @ (vectors / np.sqrt(values))

    def metric(others: Rows) -> NDArray[np.float64]:
        return np.asarray((np.asarray(others, np.float64) - centre) @ transform)

    return metric


def ridge(inputs: Rows, targets: Rows, penalty: float) -> Mapping:
    """The linear map with an offset that takes ``inputs`` (m, D) nearest to ``targets`` (m, K), in its dual form
    (Saunders, Gammerman & Vovk 1998): m × m numbers are solved, however long the rows are.

    :param penalty: on the map's size, in units of the mean squared length of a centred input.
    """
    rows, wanted = np.asarray(inputs, np.float64), np.asarray(targets, np.float64)
    centre, wanted_centre = rows.mean(axis=0), wanted.mean(axis=0)
    centred = rows - centre
    products = centred @ centred.T
    level = max(float(np.trace(products)) / len(products), np.finfo(float).tiny)
    weights = np.linalg.solve(products + penalty * level * np.eye(len(products)), wanted - wanted_centre)

    def mapped(others: Rows) -> NDArray[np.float64]:
        return np.asarray((np.asarray(others, np.float64) - centre) @ centred.T @ weights + wanted_centre)

    return mapped
