"""MediaPipe's short-range face network: faces up to 2 m away; two grids of anchors."""

from __future__ import annotations

from photo_anonymizer.detection.members._blazeface import BlazeFace, Network


class MediaPipeShortRange(BlazeFace):
    """See :class:`~photo_anonymizer.detection.members._blazeface.BlazeFace`."""

    name = "mediapipe_short_range"
    network = Network(
        "face_detection_short_range",
        side_px=128,
        anchors_per_cell=((8, 2), (16, 6)),
        smallest_px=16,
        up=0.12,
        wide=0.91,
        high=1.26,
    )
