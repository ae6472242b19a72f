"""A picture of false alarms, for a person to say which of them are heads that nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from detection_figures.figures import Candidate, Found, alarms_in
from detection_figures.fitting import Photos
from detection_figures.labels import Labels
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.review_picture import picture_of

CELL_PX = 128
COLUMNS = 12
_INK = (0, 255, 0)


def alarm_sheet(labels: Labels, found: Found, photos: Photos, most: int) -> Pixels:
    """The surest false alarms as a reviewer would see them, each with its number from 1 on and its height in px: uint8
    (H, W, 3)."""
    alarms = sorted(alarms_in(labels, found), key=lambda alarm: -alarm[1].probability)[:most]
    return laid_out([cell(photos.rgb(name), item, number) for number, (name, item) in enumerate(alarms, 1)])


def cell(rgb: Pixels, item: Candidate, number: int) -> Pixels:
    """One alarm: uint8 (CELL_PX, CELL_PX, 3)."""
    picture = picture_of(rgb, item.box, CELL_PX)
    shown = np.zeros((CELL_PX, CELL_PX, 3), np.uint8)
    shown[: picture.shape[0], : picture.shape[1]] = picture
    text = f"{number}: {item.box.height:.0f} px"
    cv2.putText(shown, text, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return shown


def laid_out(cells: Sequence[Pixels]) -> Pixels:
    """Cells in rows of COLUMNS, the last one filled up with black."""
    rows = max(1, -(-len(cells) // COLUMNS))
    sheet = np.zeros((rows * CELL_PX, COLUMNS * CELL_PX, 3), np.uint8)
    for place, picture in enumerate(cells):
        y, x = (CELL_PX * at for at in divmod(place, COLUMNS))
        sheet[y : y + CELL_PX, x : x + CELL_PX] = picture
    return sheet
