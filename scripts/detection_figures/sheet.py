"""A picture of false alarms, for a person to say which of them are heads that nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from detection_figures.figures import Candidate, Found, alarms_in
from detection_figures.fitting import Photos
from detection_figures.labels import Labels
from photo_anonymizer.model.pixels import Pixels

CROP_PX = 128
AROUND = 3.0
"""Side of a crop, in heights or widths of the box, whichever is larger."""
COLUMNS = 12
_INK = (0, 255, 0)


def alarm_sheet(labels: Labels, found: Found, photos: Photos, most: int) -> Pixels:
    """The surest false alarms, each with its number from 1 on and its height in px: uint8 (H, W, 3)."""
    alarms = sorted(alarms_in(labels, found), key=lambda alarm: -alarm[1].probability)[:most]
    return laid_out([crop(photos.rgb(name), item, number) for number, (name, item) in enumerate(alarms, 1)])


def crop(rgb: Pixels, item: Candidate, number: int) -> Pixels:
    """One alarm with what is around it and its box drawn in: uint8 (CROP_PX, CROP_PX, 3)."""
    box, half = item.box, CROP_PX / 2
    scale = CROP_PX / (AROUND * max(box.width, box.height))
    (x, y) = box.centre
    shift = np.array([[scale, 0, half - x * scale], [0, scale, half - y * scale]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shown = np.array(cv2.warpAffine(rgb, shift, (CROP_PX, CROP_PX), flags=how))
    corners = [
        (round(half + across * box.width * scale / 2), round(half + down * box.height * scale / 2))
        for across, down in ((-1, -1), (1, 1))
    ]
    cv2.rectangle(shown, corners[0], corners[1], _INK, 1)
    cv2.putText(shown, f"{number}: {box.height:.0f} px", (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return shown


def laid_out(crops: Sequence[Pixels]) -> Pixels:
    """Crops in rows of COLUMNS, the last one filled up with black."""
    rows = max(1, -(-len(crops) // COLUMNS))
    sheet = np.zeros((rows * CROP_PX, COLUMNS * CROP_PX, 3), np.uint8)
    for place, picture in enumerate(crops):
        y, x = (CROP_PX * at for at in divmod(place, COLUMNS))
        sheet[y : y + CROP_PX, x : x + CROP_PX] = picture
    return sheet
