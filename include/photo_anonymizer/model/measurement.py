"""A measured rate with what is needed to judge it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Rate(BaseModel):
    """``hits`` of ``n`` with the exact 95 % interval and the rate that guessing would reach (all 0 to 1)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: int
    n: int
    rate: float | None
    low: float | None
    high: float | None
    chance: float | None = None
