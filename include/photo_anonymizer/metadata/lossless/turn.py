"""A JPEG turned and mirrored without loss: its blocks change places, and the coefficients inside them signs and places.

A transform of a mirrored block has the sign of every odd frequency flipped, and that of a transposed block is
transposed (from the definition of the DCT, ITU-T T.81 A.3.3). This is exact as long as an edge that moves to the
other side ends with a whole unit of blocks: units cannot start in their middle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from photo_anonymizer.model.coefficients import Coefficients, Component

_SIGNS = np.array([1, -1] * 4, np.int16)
"""Of the eight frequencies along a mirrored axis."""


@dataclass(frozen=True)
class Turn:
    """What brings a picture upright: first transposed, then mirrored."""

    transposed: bool
    left_right: bool
    up_down: bool


TURNS = {
    1: Turn(False, False, False),
    2: Turn(False, True, False),
    3: Turn(False, True, True),
    4: Turn(False, False, True),
    5: Turn(True, False, False),
    6: Turn(True, True, False),
    7: Turn(True, True, True),
    8: Turn(True, False, True),
}
"""By orientation (EXIF 2.32, 4.6.4, tag 0x0112)."""


def upright(picture: Coefficients, orientation: int) -> Coefficients | None:
    """The picture as it is meant to be seen; ``None`` if its size forbids to turn it without loss.

    :param orientation: 1 to 8.
    """
    turn = TURNS[orientation]
    if turn.transposed:
        components = tuple(_transposed(one) for one in picture.components)
        picture = replace(picture, width=picture.height, height=picture.width, components=components)
    unit_width, unit_height = (8 * factor for factor in picture.factors)
    if (turn.left_right and picture.width % unit_width) or (turn.up_down and picture.height % unit_height):
        return None
    return replace(picture, components=tuple(_mirrored(one, turn) for one in picture.components))


def _transposed(one: Component) -> Component:
    return Component(one.down, one.across, one.blocks.transpose(1, 0, 3, 2), one.steps.T)


def _mirrored(one: Component, turn: Turn) -> Component:
    blocks = one.blocks
    if turn.left_right:
        blocks = blocks[:, ::-1] * _SIGNS
    if turn.up_down:
        blocks = blocks[::-1] * _SIGNS[:, None]
    return replace(one, blocks=blocks)
