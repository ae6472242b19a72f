"""MediaPipe's full-range face network: faces up to 5 m away; one grid of anchors."""

from __future__ import annotations

from photo_anonymizer.detection.members._blazeface import BlazeFace, Network


class MediaPipeFullRange(BlazeFace):
    """See :class:`~photo_anonymizer.detection.members._blazeface.BlazeFace`."""

    name = "mediapipe_full_range"
    network = Network(
        "face_detection_full_range",
        side_px=192,
        anchors_per_cell=((4, 1),),
        smallest_px=16,
        up=0.07,
        wide=0.86,
        high=1.19,
    )
