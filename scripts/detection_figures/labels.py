"""The faces that somebody has marked in a folder of photos."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.geometry import Box

FILE = "annotations.json"
HEIGHTS_PX = (0, 10, 16, 32, 64)
FROM_PX = 16
"""Labels of smaller faces are too coarse to measure a member's boxes by."""


@dataclass(frozen=True)
class Label:
    """A labelled face; ``flags`` holds those that the file gives (occlusion, pose, blur), 0 = none."""

    box: Box
    asked: bool
    flags: Mapping[str, int]
    original_px: float | None = None
    """Height before the photo was changed, by which the face is then counted."""

    @property
    def height_px(self) -> float:
        """Height by which the face is counted."""
        return self.box.height if self.original_px is None else self.original_px


Labels = dict[str, list[Label]]
"""File name → its faces."""


def read_labels(folder: Path) -> Labels:
    """The labels of a folder; boxes without an area are left out.

    :raises ConfigError: there are none, or they cannot be understood.
    """
    try:
        stored = json.loads((folder / FILE).read_text())
        return {name: list(_labels_of(entry)) for name, entry in stored.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the folder needs an {FILE} as described by --help ({type(error).__name__})") from None


def _labels_of(entry: Any) -> Iterable[Label]:
    if isinstance(entry, list):  # one object a face, as some label files have it
        entry = {"boxes_xywh": [face["box_xywh"] for face in entry]}
    boxes = entry["boxes_xywh"]
    flags = {name: entry[name] for name in ("occlusion", "pose", "blur") if entry.get(name)}
    invalid = entry.get("invalid") or [0] * len(boxes)
    for place, (x, y, width, height) in enumerate(boxes):
        if width > 0 and height > 0:
            box = Box(x0=x, y0=y, x1=x + width, y1=y + height)
            yield Label(box, not invalid[place], {name: values[place] for name, values in flags.items()})


def chosen(labels: Labels, photos: Sequence[str]) -> Labels:
    """All photos, so many evenly spaced ones (one number), or those named.

    :raises ConfigError: a name is not among the labels.
    """
    names = list(labels)
    if len(photos) == 1 and photos[0].isdigit():
        count = max(1, min(int(photos[0]), len(names)))
        names = [names[place * len(names) // count] for place in range(count)]
    elif photos:
        names = list(photos)
    if missing := [name for name in names if name not in labels]:
        raise ConfigError(f"{len(missing)} of the photos named are not in {FILE}")
    return {name: labels[name] for name in names}


def in_height(place: int) -> Callable[[Label], bool]:
    """Does a face's height lie in this step of HEIGHTS_PX?"""
    low, high = HEIGHTS_PX[place], [*HEIGHTS_PX[1:], float("inf")][place]
    return lambda label: low <= label.height_px < high


def large(label: Label) -> bool:
    """Is the face at least 16 px high?"""
    return label.height_px >= FROM_PX


def has_flag(flag: str, value: int) -> Callable[[Label], bool]:
    """Is a face flagged so?"""
    return lambda label: label.flags.get(flag) == value
