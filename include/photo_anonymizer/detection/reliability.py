"""Does 0.9 mean nine of ten? The table, the one figure and the drawing that answer it.

Expected calibration error and reliability table: Guo et al. 2017 (ICML, "On Calibration of Modern Neural Networks"),
with bins of equal width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

BINS = 10


class ReliabilityBin(BaseModel):
    """Candidates whose probability falls into one bin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=1)
    probability: float = Field(ge=0, le=1)
    """Mean of what was promised."""
    faces: float = Field(ge=0, le=1)
    """Share of them that are faces."""


def reliability(probabilities: Sequence[float], is_face: Sequence[bool]) -> tuple[ReliabilityBin, ...]:
    """The reliability table: at most ten bins, empty ones left out, in rising order.

    :param probabilities: 0 to 1.
    :param is_face: what each of them turned out to be; as many.
    """
    promised, truth = np.asarray(probabilities, float), np.asarray(is_face, bool)
    bins: NDArray[np.int64] = np.minimum((promised * BINS).astype(np.int64), BINS - 1)
    return tuple(
        ReliabilityBin(
            count=int((bins == number).sum()),
            probability=round(float(promised[bins == number].mean()), 4),
            faces=round(float(truth[bins == number].mean()), 4),
        )
        for number in range(BINS)
        if (bins == number).any()
    )


def expected_calibration_error(table: Sequence[ReliabilityBin]) -> float | None:
    """Mean distance between promise and outcome, 0 to 1, bins weighted by their count; ``None`` without candidates."""
    total = sum(row.count for row in table)
    return sum(row.count * abs(row.probability - row.faces) for row in table) / total if total else None


# drawing

_SIDE, _LEFT, _TOP, _FOOT = 300, 58, 16, 54
_LARGEST_DOT, _SMALLEST_DOT = 11.0, 2.5
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def reliability_svg(table: Sequence[ReliabilityBin], title: str) -> str:
    """The table as an ``<svg>`` for the report (its style sheet gives the colours); a dot's area is its bin's count.

    Dots on the diagonal: the probability means what it says. Above it faces are more frequent than promised.

    :param title: plain words, also read out by screen readers; must not need escaping.
    :returns: empty when there is nothing to draw.
    """
    if not table:
        return ""
    most = max(row.count for row in table)
    dots = "".join(
        f'<circle class="bar" cx="{_across(row.probability)}" cy="{_up(row.faces)}" r="{_radius(row.count, most)}">'
        f"<title>{row.count} candidates: {row.probability:.2f} promised, {row.faces:.2f} are faces</title></circle>"
        for row in table
    )
    width, height = _LEFT + _SIDE + 16, _TOP + _SIDE + _FOOT
    middle = _across(0.5), _up(0.5)
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img"><title>{title}</title>{_axes()}'
        f'<path class="outline" d="M{_across(0)} {_up(0)}L{_across(1)} {_up(1)}"/>{dots}'
        f'<text x="{middle[0]}" y="{height - 6}" text-anchor="middle">probability given to candidates</text>'
        f'<text class="y-title" transform="translate(15 {middle[1]}) rotate(-90)" text-anchor="middle">'
        "share that are faces</text></svg>"
    )


def _axes() -> str:
    lines = [
        f'<line class="grid" x1="{_across(0)}" x2="{_across(1)}" y1="{_up(at)}" y2="{_up(at)}"/>'
        f'<text x="{_LEFT - 8}" y="{_up(at) + 4}" text-anchor="end">{at:.1f}</text>'
        f'<text x="{_across(at)}" y="{_TOP + _SIDE + 20}" text-anchor="middle">{at:.1f}</text>'
        for at in _TICKS
    ]
    return "".join(lines)


def _across(share: float) -> float:
    return round(_LEFT + _SIDE * share, 2)


def _up(share: float) -> float:
    return round(_TOP + _SIDE * (1 - share), 2)


def _radius(count: int, most: int) -> float:
    return round(max(_SMALLEST_DOT, _LARGEST_DOT * math.sqrt(count / most)), 2)
