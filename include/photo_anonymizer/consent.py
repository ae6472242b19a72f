"""Kept faces: those of people who agreed to be shown stay as they are. Off unless a list is given; in doubt anonymized.

Two lists say whose: regions that somebody marked in the photos, and a folder with photos of the people, with whom the
recogniser compares every face. A face stays only if

- it is beyond doubt (band ``accept``) after review;
- **region**: it and no other face of the photo overlaps a marked region by :data:`SAME_REGION_IOU` or more; regions
  name their photo by its whole path below the source, so that none is taken for that of another photo of that name;
- **person**: it is at least :data:`SMALLEST_FACE_PX` high, its landmarks lie within it, its nearest photo of somebody
  who agreed is nearer than ``consent.max_distance``, and nearer than an empty picture is to either of the two, which is
  what a recogniser takes for anybody who can hardly be seen; and no other face of the photo is taken for that person.

A kept face gets no edit of its own. One of somebody else that reaches into it is made all the same.

*Why 0.4.* Below 0.6 dlib's documentation calls two faces the same person: right for 99.38 % of the pairs of Labeled
Faces in the Wild, which is too little when one face is compared with many (davisking/dlib, issue 1944). Strangers at
0.43 are reported from a collection of 13,000 people (issue 1502). ``scripts/measure_consent.py`` measures it on photos
of yours. No distance tells twins apart, and recognisers confuse people of some ages and origins far more often than
others (Grother et al. 2019, DOI 10.6028/NIST.IR.8280): where that matters, use regions.

Embeddings of those who agreed are in memory only: every process makes them anew from the photos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.config import RunConfig
from photo_anonymizer.detection.members.given_boxes import GivenBoxes, names_of, read_given
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.imagefile import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.worker import sandbox_of, strip_apart
from photo_anonymizer.model.face import Face, Kept
from photo_anonymizer.model.geometry import Box, intersection_over_union
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.provenance import content_of, source_name
from photo_anonymizer.reid.measure import empty_embeddings
from photo_anonymizer.reid.recognisers.protocol import Embeddings, Recogniser
from photo_anonymizer.reid.stage import chip_of, load_recogniser
from photo_anonymizer.sources import is_local, local, read_file
from photo_anonymizer.threads import threads_each

RECOGNISER = "dlib_resnet"
"""The recogniser whose distances ``consent.max_distance`` means, whichever attacks the result."""
SAME_REGION_IOU = 0.6
"""Overlap from which a marked region means a face. Above 0.5 it can mean only one of two that do not overlap."""
SMALLEST_FACE_PX = 48
"""Height from which a face is compared. Small faces look alike to the recogniser: between strangers' faces made smaller
(100 photos of 10 people) the least distance is 0.56 at 48 px, 0.46 at 24 px and 0.36 at 12 px; at full size 0.57."""
_LANDMARKS_WITHIN = 1.1
"""Landmarks beyond the face's box times this belong to a neighbour, or to no face."""


@dataclass(frozen=True)
class People:
    """Those who agreed, as a recogniser sees them.

    :param recogniser: what they are compared with.
    :param embeddings: float32 (n, D), one row a photo.
    :param persons: number of the person whom each row shows.
    :param empty: float32 (k, D), what the recogniser makes of empty pictures.
    """

    recogniser: Recogniser
    embeddings: Embeddings
    persons: tuple[int, ...]
    empty: Embeddings

    def in_photo(self, rgb: Pixels, faces: Sequence[Face], max_distance: float) -> set[str]:
        """Ids of the faces that are those of somebody who agreed.

        :param rgb: uint8 (H, W, 3).
        """
        compared = [face for face in faces if is_comparable(face)]
        if not compared:
            return set()
        embedded = self.recogniser.embed(np.stack([chip_of(rgb, face, self.recogniser) for face in compared]))
        persons = [self.person(row, max_distance) for row in embedded]
        times = Counter(persons)
        # Nobody is in a photo twice: of two faces that one person is seen in, one at least is somebody else's.
        return {
            face.face_id
            for face, person in zip(compared, persons, strict=True)
            if person is not None and times[person] == 1
        }

    def person(self, embedding: NDArray[np.float32], max_distance: float) -> int | None:
        """Whose face this is; None: nobody's who agreed. A distance that is no number is no match.

        :param embedding: float32 (D,).
        """
        away = _distances(self.embeddings, embedding)
        nearest = int(np.argmin(away))
        empty = min(_distances(self.empty, embedding).min(), _distances(self.empty, self.embeddings[nearest]).min())
        return self.persons[nearest] if away[nearest] < min(max_distance, empty) else None


@dataclass(frozen=True)
class Consent:
    """What a run's configuration says about faces that stay.

    :param source: the source's name (:func:`photo_anonymizer.provenance.source_name`).
    """

    regions: GivenBoxes
    people: People | None
    max_distance: float
    source: str

    @classmethod
    def of(cls, config: RunConfig) -> Consent:
        """Reads the lists that the configuration names.

        :raises ConfigError: a list is missing or malformed, or a photo of it does not show exactly one face.
        :raises ModelError: a model that looks at the photos is missing or altered.
        """
        asked = config.consent
        return cls(
            regions=_regions(asked.regions) if asked.regions else GivenBoxes({}),
            people=_people(config, _content(_folder(asked.people))) if asked.people else None,
            max_distance=asked.max_distance,
            source=source_name(config),
        )

    def kept(self, record: PhotoRecord, rgb: Pixels, faces: Sequence[Face]) -> tuple[Face, ...]:
        """The faces of a photo, each with why it is kept, if it is.

        :param rgb: uint8 (H, W, 3), upright.
        :param faces: after review.
        """
        sure = [face for face in faces if face.band == "accept"]
        reasons: dict[str, Kept] = {}
        if self.people:
            reasons |= dict.fromkeys(self.people.in_photo(rgb, sure, self.max_distance), "person")
        reasons |= dict.fromkeys(in_regions(sure, self._regions_of(record, rgb)), "region")
        return tuple(face.model_copy(update={"kept": reasons.get(face.face_id, "")}) for face in faces)

    def _regions_of(self, record: PhotoRecord, rgb: Pixels) -> list[Box]:
        """The regions marked in a photo. Of a file with several pictures they are those of the first."""
        name = name_in_source(record.file_uri, self.source)
        if name is None or record.frame > 0:
            return []
        size_wh = rgb.shape[1], rgb.shape[0]
        if (
            self.regions.sizes.get(name, size_wh) != size_wh
        ):  # marked in another picture, or in one that lies on its side
            return []
        return [item.box for item in self.regions.boxes.get(name, [])]


def check(config: RunConfig) -> None:
    """Can everything be read that says which faces stay?

    :raises ConfigError, ModelError: as :meth:`Consent.of`; or the people's photos lie among those to be published.
    """
    people = config.consent.people
    if people and is_local(config.source) and _folder(people).resolve().is_relative_to(local.resolve(config.source)):
        raise _refused("lies inside the source, whose photos are published; move it out")
    Consent.of(config)


def rule(config: RunConfig) -> dict[str, Any]:
    """By which rule faces are kept, for the release: numbers and names of lists, nothing about anybody."""
    asked = config.consent
    rules: dict[str, Any] = {}
    if asked.regions:
        rules["region"] = {"min_iou": SAME_REGION_IOU}
    if asked.people:
        rules["person"] = {
            "recogniser": RECOGNISER,
            "max_distance": asked.max_distance,
            "min_height_px": SMALLEST_FACE_PX,
        }
    return rules


def in_regions(faces: Sequence[Face], regions: Sequence[Box]) -> set[str]:
    """Ids of the faces that marked regions mean. A region that could mean two faces means none."""
    meant = ([face for face in faces if _means(region, face.box)] for region in regions)
    return {faces_of_region[0].face_id for faces_of_region in meant if len(faces_of_region) == 1}


def is_comparable(face: Face) -> bool:
    """Does a recogniser's answer mean something for this face?"""
    within = face.box.scaled(_LANDMARKS_WITHIN)
    inside = all(within.x0 <= x <= within.x1 and within.y0 <= y <= within.y1 for x, y in face.landmarks.points)
    return inside and face.box.height >= SMALLEST_FACE_PX


def name_in_source(uri: str, source: str) -> str | None:
    """What a list calls a photo: its path below the source, its path in the archive that is the source, or host and
    path of its entry in a list of URLs. None where that may be the name of several photos: members of one archive among
    others, and web addresses that differ behind their ``?``.

    :param source: the source's name.
    """
    plain, below = unquote(uri), f"{unquote(source)}/"
    if plain.startswith(below):
        return plain.removeprefix(below)
    if "?" in uri or ("::" in uri and not uri.endswith(f"::{source}")):
        return None
    return next(names_of(uri))


def _means(region: Box, face: Box) -> bool:
    return intersection_over_union(region, face) >= SAME_REGION_IOU


def _distances(rows: Embeddings, one: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean distances (n,) of rows (n, D) from (D,); what is no number is infinitely far away."""
    away = np.linalg.norm(rows.astype(np.float64) - one, axis=1)
    return np.asarray(np.where(np.isfinite(away), away, np.inf))


def _regions(path: str) -> GivenBoxes:
    try:
        return read_given(Path(path).expanduser())
    except ConfigError as error:
        raise ConfigError(f"consent.regions: {error}") from None


def _folder(path: str) -> Path:
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise _refused("is not a folder, or does not exist")
    return folder


def _content(folder: Path) -> str:
    try:
        return content_of(folder)
    except OSError as error:
        raise _refused(f"a file cannot be read ({error.strerror})") from None


@lru_cache(maxsize=1)
def _people(config: RunConfig, content: str) -> People:  # noqa: ARG001 - the content decides what is remembered
    """Read once a process, and again when the folder's content has changed."""
    folder = _folder(str(config.consent.people))
    photos = photos_by_person(folder)
    if not photos:
        raise _refused("holds no photos")
    recogniser = load_recogniser(RECOGNISER, threads_each(config.workers))
    places = [f"photo {number} of {len(photos)} (in the order of their paths)" for number in range(1, len(photos) + 1)]
    with ThreadPoolExecutor(config.workers) as pool:
        chips = list(pool.map(lambda photo, place: _chip(photo, place, config, recogniser), photos, places))
    numbers = {name: number for number, name in enumerate(dict.fromkeys(photos.values()))}
    persons = tuple(numbers[name] for name in photos.values())
    return People(recogniser, recogniser.embed(np.stack(chips)), persons, empty_embeddings(recogniser))


def photos_by_person(folder: Path) -> Mapping[Path, str]:
    """Every file below a folder → whom it shows: the folder right below, or the file itself. Without hidden files."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    parts = {path: path.relative_to(folder).parts for path in files}
    return {path: names[0] for path, names in parts.items() if not any(name.startswith(".") for name in names)}


def read_photo(path: Path, config: RunConfig) -> Pixels:
    """A photo of the user's, read under the limits of the run and decoded in a process of its own.

    :raises PhotoError: it cannot be read as one.
    """
    data = read_file(local.uri_of(str(path.absolute())), int(config.ingest.max_file_mb * 1_000_000))
    return decode(strip_apart(sandbox_of(config), data, Policy.of(config)).data)


def _chip(path: Path, place: str, config: RunConfig, recogniser: Recogniser) -> Pixels:
    """The one face of a photo as the recogniser wants it."""
    try:
        rgb = read_photo(path, config)
    except PhotoError as error:
        raise _refused(f"{place} cannot be read as a photo ({error.reason})") from None
    faces = faces_of(rgb, config)
    if not faces:
        raise _refused(f"{place} shows no face; replace it")
    if len(faces) > 1:
        raise _refused(f"{place} shows several faces, or something that may be one; crop it to the one who agreed")
    if faces[0].band != "accept" or not is_comparable(faces[0]):
        raise _refused(f"{place} shows a face in doubt or less than {SMALLEST_FACE_PX} px high; take a clearer one")
    return chip_of(rgb, faces[0], recogniser)


def _refused(problem: str) -> ConfigError:
    return ConfigError(f"consent.people: the folder of those who agreed is refused: {problem}")
