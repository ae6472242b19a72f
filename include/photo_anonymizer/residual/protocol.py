"""What a residual cue is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from photo_anonymizer.model.face import Face
from photo_anonymizer.model.patch import Patch
from photo_anonymizer.model.pixels import Pixels


class ResidualCue(Protocol):
    """Finds one kind of cue around a face and takes its place.

    No chance is involved: the same photo and faces give the same patches, so a task that is run again publishes the
    same picture.
    """

    name: str

    def patches(self, rgb: Pixels, face: Face, faces: Sequence[Face]) -> list[Patch]:
        """Edits that remove the cue from the person to whom ``face`` belongs; none when there is nothing to remove.

        :param rgb: uint8 (H, W, 3), the untouched photo; not changed.
        :param faces: all faces of the photo, ``face`` among them.
        """
