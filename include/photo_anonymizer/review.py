"""Doubt goes to a person: the queue of doubtful faces in the vault, and what was decided about them.

A decision is remembered by place, not by number: it holds for whatever a later run finds there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.vault import Vault

Verdict = Literal["face", "not_a_face"]
SAME_PLACE_IOU = 0.5


@dataclass(frozen=True)
class Decision:
    """What a reviewer said about one place in one photo."""

    box: Box
    verdict: Verdict


def queue_doubtful(vault: Vault, records: Sequence[PhotoRecord], run_id: str) -> None:
    """Puts the faces between the two thresholds on the queue; those that wait or were decided stay as they are."""
    rows = [
        {
            "photo_id": record.photo_id,
            "face_id": face.face_id,
            "run_id": run_id,
            "reason": "score_between_thresholds",
            "score": face.score,
            "detectors": list(face.detectors),
            "x": face.box.x0,
            "y": face.box.y0,
            "width": face.box.width,
            "height": face.box.height,
            "decision": "",
        }
        for record in records
        for face in record.faces
        if face.band == "doubt"
    ]
    if rows:
        vault.queue_for_review(rows)


def decisions(vault: Vault) -> dict[str, list[Decision]]:
    """All decisions by photo_id."""
    found: dict[str, list[Decision]] = defaultdict(list)
    for row in vault.review_queue():
        if row["decision"]:
            box = Box(x0=row["x"], y0=row["y"], x1=row["x"] + row["width"], y1=row["y"] + row["height"])
            found[row["photo_id"]].append(Decision(box, row["decision"]))
    return dict(found)


def decide(vault: Vault, photo_id: str, face_id: str, verdict: str) -> None:
    """Records a reviewer's verdict; the next run follows it.

    :raises ConfigError: unknown verdict, or no such face on the queue.
    """
    if verdict not in get_args(Verdict):
        raise ConfigError(f"unknown verdict {verdict!r}; say one of: {', '.join(get_args(Verdict))}")
    if not vault.record_decision(photo_id, face_id, verdict):
        raise ConfigError(f"no face {face_id!r} of photo {photo_id!r} is on the review queue")


def apply(faces: Sequence[Face], decided: Sequence[Decision]) -> tuple[Face, ...]:
    """The faces after review: what is not a face is dropped, what is one is no longer in doubt.

    Only doubtful detections can be dropped: a verdict never uncovers what the detector is sure of.
    """
    kept = []
    for face in faces:
        verdict = next(
            (item.verdict for item in decided if intersection_over_union(item.box, face.box) >= SAME_PLACE_IOU),
            None,
        )
        if face.band == "doubt" and verdict == "not_a_face":
            continue
        kept.append(face.model_copy(update={"band": "accept"}) if verdict == "face" else face)
    return tuple(kept)
