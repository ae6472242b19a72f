"""In which groups an attack is looked at besides as a whole: how large a face is, and how light its skin shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.stage import read_skin_tones
from photo_anonymizer.sealed import SealedFolder
from photo_anonymizer.skin_tone import GROUPS, group_of

Key = tuple[str, str]
"""(photo_id, face_id)."""
SIZE, TONE = "face_height", "skin_tone"
_EDGES_PX = (32, 64, 128)
SIZE_BANDS = ("below 32 px", "32 to 63 px", "64 to 127 px", "128 px and more")
ORDER: Mapping[str, Sequence[str]] = {SIZE: SIZE_BANDS, TONE: GROUPS}
"""Kind of group → its groups, in the order in which they are shown."""
MIN_FACES = 10
"""Groups of fewer faces are not shown: they say nothing, and might say who is in the release."""


def size_band(height_px: float) -> str:
    """One of :data:`SIZE_BANDS`."""
    return SIZE_BANDS[sum(height_px >= edge for edge in _EDGES_PX)]


def labels_of(records: Sequence[PhotoRecord], tones: SealedFolder) -> dict[str, dict[Key, str]]:
    """Kind of group → the group of every anonymized face of these photos; ``""``: it is in none.

    :param tones: folder with the skins' angles.
    """
    labels: dict[str, dict[Key, str]] = {SIZE: {}, TONE: {}}
    for record in records:
        for face, angle in zip(record.anonymized_faces, read_skin_tones(tones, record), strict=True):
            key = record.photo_id, face.face_id
            labels[SIZE][key] = size_band(face.box.height)
            labels[TONE][key] = group_of(angle)
    return labels
