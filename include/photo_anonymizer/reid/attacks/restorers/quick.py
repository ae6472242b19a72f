"""The restorers of a run's own gate: fixed strengths, some milliseconds a face. Nothing is learned."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from photo_anonymizer.reid.attacks.protocol import Chips
from photo_anonymizer.reid.attacks.restorers import RESTORERS
from photo_anonymizer.reid.attacks.restorers.chips import WORK_PX, to_chips, to_stack
from photo_anonymizer.reid.attacks.restorers.protocol import QuickRestorer, Restore

QUICK = ("wiener", "total_variation", "super_resolution")
"""A few milliseconds a face each. Richardson's and Lucy's steps take 30, blind deconvolution 50; the learned ones need
pairs of other people. Those are left to the heavy attacks."""


@cache
def quick_looks() -> Mapping[str, Restore]:
    """Ways to look at a published face, by name: every quick restorer at each of its strengths."""
    looks: dict[str, Restore] = {}
    for name in QUICK:
        restorer: QuickRestorer = RESTORERS.load(name)()
        looks.update(restorer.untaught())
    return MappingProxyType(looks)


def restored(chips: Chips, restore: Restore) -> Chips:
    """Published chips as the attacker looks at them: uint8 (n, S, S, 3), as large as they were."""
    size_px = int(chips.shape[1])
    return to_chips(restore(to_stack(chips, min(WORK_PX, size_px))), size_px)
