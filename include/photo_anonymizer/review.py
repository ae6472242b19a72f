"""Doubt goes to a person: the queue of doubtful faces in the vault, and what was decided about them.

A decision is remembered by place, not by number: it holds for whatever a later run finds there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.model.face import Doubt, Face
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.review_picture import jpeg_of
from photo_anonymizer.vault import Vault

Verdict = Literal["face", "not_a_face"]
SAME_PLACE_IOU = 0.5


@dataclass(frozen=True)
class Decision:
    """What a reviewer said about one place in one photo."""

    box: Box
    verdict: Verdict


def queue_doubtful(
    vault: Vault, records: Sequence[PhotoRecord], run_id: str, load: Callable[[PhotoRecord], Pixels]
) -> None:
    """Puts the doubtful faces of photos on the queue, each with a picture, in place of what waited of these photos.

    What was decided stays as it is. Done again, it changes nothing. A photo that is held for too many faces is left
    out: no verdict about one of them would release it.

    :param load: a photo's picture, uint8 (H, W, 3). Where it raises a :class:`PhotoError` the faces are queued without.
    """
    for batch in _batches([record for record in records if record.pending or record.reason in _LOOKED_AT]):
        rows, pictures = [], {}
        for record in batch:
            doubtful = _doubtful(record)
            rows += [_row(record.photo_id, face, run_id) for face in doubtful]
            pictures.update(_pictures(record, doubtful, load))
        vault.queue_for_review(rows, pictures, [record.photo_id for record in batch])


_LOOKED_AT = frozenset({Reason.UNCERTAIN_FACE, Reason.PERSON_WITHOUT_FACE, Reason.TOO_MANY_FACES})
"""Reasons with which a photo is held after its faces were looked for."""
_PICTURES_AT_ONCE = 200
"""Pictures in memory together, unless one photo has more."""


def _batches(records: Sequence[PhotoRecord]) -> Iterator[list[PhotoRecord]]:
    """The photos in groups: the queue is not written anew for every photo, and not all pictures are in memory."""
    batch: list[PhotoRecord] = []
    pictures = 0
    for record in records:
        batch.append(record)
        pictures += len(_doubtful(record))
        if pictures >= _PICTURES_AT_ONCE:
            yield batch
            batch, pictures = [], 0
    if batch:
        yield batch


def _doubtful(record: PhotoRecord) -> list[Face]:
    return [] if record.reason is Reason.TOO_MANY_FACES else [face for face in record.faces if face.band == "doubt"]


def _pictures(
    record: PhotoRecord, faces: Sequence[Face], load: Callable[[PhotoRecord], Pixels]
) -> dict[tuple[str, str], bytes]:
    """(photo_id, face_id) → JPEG."""
    try:
        rgb = load(record) if faces else None
    except PhotoError:
        rgb = None
    return {} if rgb is None else {(record.photo_id, face.face_id): jpeg_of(rgb, face.box) for face in faces}


def _row(photo_id: str, face: Face, run_id: str) -> dict[str, Any]:
    return {
        "photo_id": photo_id,
        "face_id": face.face_id,
        "run_id": run_id,
        "reasons": [str(doubt) for doubt in face.doubts],
        "score": face.score,
        "detectors": list(face.detectors),
        "scores": face.scores,
        "mesh_logit": face.mesh_logit,
        "x": face.box.x0,
        "y": face.box.y0,
        "width": face.box.width,
        "height": face.box.height,
        "decision": "",
    }


def waiting(vault: Vault) -> list[dict[str, Any]]:
    """The faces that nobody has decided about, most important first.

    Large and doubtful ones matter most: they are ordered by height times doubt, which is 1 at even odds and 0 where the
    probability is 0 or 1. Faces too small to recognise anybody by come after all others, and last those without a
    picture, whose photos are gone or were queued by an older version.
    """
    rows = [row for row in vault.review_queue() if not row["decision"]]
    return sorted(({**row, "picture": _still_there(vault, row["picture"])} for row in rows), key=_rank)


def _still_there(vault: Vault, picture: str) -> str:
    """The picture's place, or nothing when it was deleted with its photo."""
    return picture if picture and (vault.path / picture).is_file() else ""


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    doubt = 1 - abs(2 * row["score"] - 1)
    tiny = Doubt.BELOW_RECOGNISABLE_SIZE in row["reasons"]
    return not row["picture"], tiny, -row["height"] * doubt, row["photo_id"], row["face_id"]


def decisions(vault: Vault) -> dict[str, list[Decision]]:
    """All decisions by photo_id."""
    found: dict[str, list[Decision]] = defaultdict(list)
    for row in vault.review_queue():
        if row["decision"]:
            box = Box(x0=row["x"], y0=row["y"], x1=row["x"] + row["width"], y1=row["y"] + row["height"])
            found[row["photo_id"]].append(Decision(box, row["decision"]))
    return dict(found)


def decide(vault: Vault, photo_id: str, face_id: str, verdict: str) -> None:
    """Records a reviewer's verdict; the next run follows it, and the picture is deleted.

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
        kept.append(face.beyond_doubt() if verdict == "face" else face)
    return tuple(kept)
