"""Which faces a person is asked about: drawn from the newest version, each with its original and a stranger's."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import ConfigError, ReleaseError, SourceError
from photo_anonymizer.files import read_json
from photo_anonymizer.hand_test.originals import Originals
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.face import Face, estimated_landmarks
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.published import Version, dataset_folder, load_version, versions
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import chip_of, load_recogniser
from photo_anonymizer.skin_tone import face_angle_deg
from photo_anonymizer.threads import threads_each
from photo_anonymizer.vault import Vault

FEWEST = 8
"""Triplets: with fewer not even all right answers would show much (8 of 8 by guessing: 1 in 256)."""
SMALLEST_FACE_PX = 48
"""Height of a face; a person sees little in smaller ones, whatever was done to them."""
SIDE_PX = 288
SHOWN = 1.05
"""Side of what is shown in sides of the detected box."""
CHANGED = 8
"""Least difference, 0 to 255, of a pixel that was changed: encoding a photo anew makes less."""
_FEWEST_CHANGED = 0.2
"""Share of the oval that was changed from which what lies beyond is hidden. Where less was changed all is shown, as a
reader of the release sees it."""
_EDGE_PX = 5
FARTHEST_TONE_DEG = 25.0
"""Typology angle by which the two originals may differ: a brown and a pale skin lie further apart."""
SURE = 0.9
"""Probability from which a face is asked about: of places that may be none nobody can say who it is."""
_USED = 0.3
"""What it counts against somebody to have been the wrong one before."""
_GREY = 128
_NOBODY = -1
_READ_PER_TRIPLET = 4
"""Faces that are looked at for each one that is asked about: their originals are read from the source."""

Side = Literal["a", "b"]


class Key(BaseModel):
    """The right answers. They stay in the vault.

    :param test: what the sheet is called.
    :param photo_ids: whose photos the sheet shows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    test: str
    version: str
    made_at: str
    methods: dict[str, int]
    another_photo: bool
    right: tuple[Side, ...]
    photo_ids: tuple[str, ...]

    @property
    def answers_file(self) -> str:
        """What the sheet calls the file that it saves."""
        return f"answers-{self.test}.json"


@dataclass(frozen=True)
class Triplet:
    """One question: three pictures, uint8 (288, 288, 3)."""

    published: Pixels
    a: Pixels
    b: Pixels


@dataclass(frozen=True)
class Candidate:
    """A changed face whose original is there.

    :param person: who it is, as far as folders say; else the photo.
    """

    photo_id: str
    person: str
    method: str
    published: Pixels
    original: Pixels
    chip: Pixels
    tone_deg: float
    height_px: float

    @cached_property
    def look(self) -> NDArray[np.float64]:
        """What makes two people hard to tell apart at first sight: skin tone, and how large the face is."""
        tone = self.tone_deg if np.isfinite(self.tone_deg) else 0.0
        return np.array([tone / 30, np.log2(self.height_px)])


def draw(config: RunConfig, triplets: int, another_photo: bool) -> tuple[Key, list[Triplet]]:
    """Draws the questions, anew every time.

    :param triplets: how many, at most.
    :param another_photo: the right original is another photo of the person: folders of the source are people. Otherwise
        it is the photo that was changed, whose pose and light help.
    :raises ConfigError: nothing was published, or it shows too few faces, or too few people.
    :raises SourceError: the originals are gone.
    :raises ReleaseError: the newest version is not as it was published.
    """
    if triplets < FEWEST:
        raise ConfigError(f"ask about {FEWEST} faces or more: answers about fewer than {FEWEST} show nothing")
    version = _newest(config)
    config = _as_published(config, version)
    test = f"{random.SystemRandom().getrandbits(64):016x}"
    rng = random.Random(test)
    candidates = list(_candidates(config, version, rng, triplets * _READ_PER_TRIPLET, another_photo))
    recogniser = load_recogniser(config.reid.recogniser_names[0], threads_each(1))
    chosen = list(_chosen(candidates, triplets, rng, recogniser, another_photo))
    if len(chosen) < FEWEST:
        what = (
            "that are alone on their photo, with another such photo in the same folder,"
            if another_photo
            else "with somebody else of a similar skin tone"
        )
        raise ConfigError(
            f"only {len(chosen)} faces of {SMALLEST_FACE_PX} px and more {what} can be asked about, and fewer than "
            f"{FEWEST} show nothing; test a larger collection"
        )
    sides: list[Side] = [rng.choice(("a", "b")) for _ in chosen]
    key = Key(
        test=test,
        version=version.name,
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        methods=dict(Counter(asked.method for asked, _, _ in chosen)),
        another_photo=another_photo,
        right=tuple(sides),
        photo_ids=tuple(sorted({face.photo_id for faces in chosen for face in faces})),
    )
    return key, [_triplet(*faces, side) for faces, side in zip(chosen, sides, strict=True)]


def _triplet(asked: Candidate, right: Candidate, wrong: Candidate, side: Side) -> Triplet:
    a, b = (right, wrong) if side == "a" else (wrong, right)
    return Triplet(asked.published, a.original, b.original)


def _newest(config: RunConfig) -> Version:
    names = versions(dataset_folder(config))
    if not names:
        raise ConfigError("nothing of this dataset was published; a hand test asks about the newest version")
    version = load_version(config, Vault.of(config), names[-1])
    if version is None:
        raise ReleaseError(f"{names[-1]} is not as it was published; see: photo-anonymizer verify")
    return version


def _as_published(config: RunConfig, version: Version) -> RunConfig:
    """The configuration with what the version was made with, as far as it decides how originals are read."""
    about = read_json(version.data / "run.json")["configuration"]
    made_with = {name: about[name] for name in ("ingest", "metadata")}
    names = {"recognisers": about["reid"]["recognisers"]}
    return load_config(
        {"source": config.source, "out": config.out, "dataset": config.dataset, **made_with, "reid": names}
    )


def _candidates(
    config: RunConfig, version: Version, rng: random.Random, most: int, another_photo: bool
) -> Iterator[Candidate]:
    """Changed faces by chance, at most so many; with ``another_photo`` only of photos that show one face."""
    originals = Originals.of(config)
    photo_ids = sorted(version.faces)
    if another_photo:
        photo_ids = [photo_id for photo_id in photo_ids if len(version.faces[photo_id]) == 1]
    rng.shuffle(photo_ids)
    found = gone = 0
    for photo_id in photo_ids:
        places = _places(version.faces[photo_id])
        if found >= most or not places:
            continue
        clear = originals.load(photo_id)
        published = load(version.data / version.photos[photo_id]["file"])
        if clear is None or clear.shape != published.shape:
            gone += 1
            continue
        person = originals.folder(photo_id) if another_photo else photo_id
        for row, box in places:
            if candidate := _candidate(row, person, box, clear, published, config):
                found += 1
                yield candidate
    if gone and not found:
        raise SourceError(
            f"the originals of {version.name} are no longer at their source, and no run of it left intermediate files; "
            "bring them back, or run again with release.keep_workspace"
        )


def _places(rows: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], Box]]:
    """The faces of a photo that can be asked about, with their boxes: changed, large and sure, none upon another."""
    boxes = [_face_box(row) for row in rows]
    return [
        (row, box)
        for row, box in zip(rows, boxes, strict=True)
        if row["method"]
        and row["confidence"] >= SURE
        and box.height >= SMALLEST_FACE_PX
        and not any(intersection_over_union(box, other) > 0 for other in boxes if other is not box)
    ]


def _face_box(row: dict[str, Any]) -> Box:
    """The detected box of a face, as far as its region says."""
    region = Box(x0=row["x"], y0=row["y"], x1=row["x"] + row["width"], y1=row["y"] + row["height"])
    return region.scaled(1 / json.loads(row["parameters"]).get("scale", 1))


def _candidate(
    row: dict[str, Any], person: str, box: Box, clear: Pixels, published: Pixels, config: RunConfig
) -> Candidate | None:
    """``None`` where the photo's edge cuts the face off: the cut would tell which original it is."""
    face = Face(
        face_id=row["face_id"], box=box, landmarks=estimated_landmarks(box), score=1, band="accept", detectors=()
    )
    side = SHOWN * max(box.width, box.height)
    shown = box.scaled(side / box.width, side / box.height)
    if min(shown.x0, shown.y0) < 0 or shown.x1 > clear.shape[1] or shown.y1 > clear.shape[0]:
        return None
    recogniser = load_recogniser(config.reid.recogniser_names[0], threads_each(1))
    return Candidate(
        photo_id=row["photo_id"],
        person=person,
        method=row["method"],
        published=cut_out_changed(published, clear, shown),
        original=cut_out(clear, shown),
        chip=chip_of(clear, face, recogniser),
        tone_deg=face_angle_deg(clear, face.landmarks),
        height_px=box.height,
    )


def cut_out(rgb: Pixels, box: Box) -> Pixels:
    """The face alone, in an oval on grey: uint8 (288, 288, 3). Hair, clothes and background would tell who it is.

    :param rgb: uint8 (H, W, 3).
    :param box: within the picture.
    """
    return _on_grey(_enlarged(rgb, box), _oval())


def cut_out_changed(published: Pixels, clear: Pixels, box: Box) -> Pixels:
    """The same of a published face, without what was left as it was: a hairline would tell who it is, and the test is
    about the method.

    :param clear: the original, of the same size.
    """
    picture = _enlarged(published, box)
    return _on_grey(picture, _changed(picture, _enlarged(clear, box)))


def _enlarged(rgb: Pixels, box: Box) -> NDArray[np.float32]:
    place = box.cover((rgb.shape[1], rgb.shape[0]))
    if place is None:
        raise ValueError("the box lies outside the picture")
    kind = cv2.INTER_AREA if place.width > SIDE_PX else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb[place.slices], (SIDE_PX, SIDE_PX), interpolation=kind), np.float32)


def _oval() -> NDArray[np.float32]:
    """1 in the face, 0 around it: float32 (288, 288)."""
    inside = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    centre = (SIDE_PX // 2, SIDE_PX // 2)
    cv2.ellipse(inside, centre, (round(0.35 * SIDE_PX), round(0.47 * SIDE_PX)), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    return inside


def _changed(after: NDArray[np.float32], before: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 in the part of the oval that was changed, with what lies enclosed by it: float32 (288, 288)."""
    oval = _oval()
    differs = cv2.GaussianBlur(np.abs(after - before).max(axis=2), (0, 0), 2) > CHANGED
    parts, _ = cv2.findContours((differs & (oval > 0)).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    whole = np.zeros_like(oval)
    if parts:
        cv2.fillConvexPoly(whole, cv2.convexHull(max(parts, key=cv2.contourArea)), 1.0)
    if whole.sum() < _FEWEST_CHANGED * oval.sum():
        return oval
    return np.minimum(oval, np.asarray(cv2.erode(whole, np.ones((_EDGE_PX, _EDGE_PX), np.uint8)), np.float32))


def _on_grey(picture: NDArray[np.float32], inside: NDArray[np.float32]) -> Pixels:
    soft = cv2.GaussianBlur(inside, (0, 0), 2)[..., np.newaxis]
    made: Pixels = np.clip(np.rint(picture * soft + _GREY * (1 - soft)), 0, 255).astype(np.uint8)
    return made


def _chosen(
    candidates: Sequence[Candidate], triplets: int, rng: random.Random, recogniser: Recogniser, another_photo: bool
) -> Iterator[tuple[Candidate, Candidate, Candidate]]:
    """(Face asked about, right original, wrong original), each face asked about once."""
    if not candidates:
        return
    rows = recogniser.embed(np.stack([candidate.chip for candidate in candidates])).astype(np.float64)
    used: Counter[int] = Counter()
    asked = 0
    for place, face in enumerate(candidates):
        right = rng.choice(_other_photos(candidates, face) or [_NOBODY]) if another_photo else place
        strangers = _strangers(candidates, right, rows, recogniser.threshold)
        if not strangers or asked == triplets:
            continue
        wrong = min(strangers, key=lambda at: strangers[at] + _USED * used[at])
        used[wrong] += 1
        asked += 1
        yield face, candidates[right], candidates[wrong]


def _other_photos(candidates: Sequence[Candidate], face: Candidate) -> list[int]:
    return [
        at for at, other in enumerate(candidates) if other.person == face.person and other.photo_id != face.photo_id
    ]


def _strangers(
    candidates: Sequence[Candidate], right: int, rows: NDArray[np.float64], threshold: float
) -> dict[int, float]:
    """Candidates with a similar skin tone whom the recogniser does not take for the right one → how unlike they are at
    first sight."""
    if right == _NOBODY:
        return {}
    one = candidates[right]
    apart = np.linalg.norm(rows - rows[right], axis=1)
    return {
        at: float(np.abs(other.look - one.look).sum())
        for at, other in enumerate(candidates)
        if other.person != one.person
        and other.photo_id != one.photo_id
        and apart[at] > threshold
        and not abs(other.tone_deg - one.tone_deg) > FARTHEST_TONE_DEG  # an unknown tone is no reason
    }
