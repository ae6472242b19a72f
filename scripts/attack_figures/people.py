"""Photos, whom they show, and where the faces are."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from photo_anonymizer.config import RunConfig
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.donors import grouped
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.heavy.publishing import Photo
from photo_anonymizer.imagefile import decode
from photo_anonymizer.metadata.policy import Policy
from photo_anonymizer.metadata.strip import strip
from photo_anonymizer.reid.recognisers.protocol import Recogniser
from photo_anonymizer.reid.stage import chip_of

FOLDER, ESTIMATED = "folder", "estimated"
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".avif"}


def read_photos(folders: Sequence[Path], people: str, config: RunConfig) -> list[Photo]:
    """The photos of some folders in which a run finds a face; each is looked at once.

    :param people: ``folder``: the sub-folder is the person; ``estimated``: nobody says; else the name of a JSON file in
        the photos' folder, or its path, that maps file names to people.
    :raises ConfigError: a folder holds no photo, or does not say whom the photos show.
    """
    photos = []
    for folder in folders:
        named = _named(folder, people)
        if not named:
            raise ConfigError(f"there are no photos in {folder}")
        for path, person in named.items():
            try:
                rgb = decode(strip(path.read_bytes(), Policy.of(config)).data)
            except PhotoError as error:
                print(f"a photo is left out: {error}", file=sys.stderr)
                continue
            if faces := faces_of(rgb, config):
                photos.append(Photo(rgb, faces, person))
            else:
                print("a photo without a face is left out", file=sys.stderr)
    return photos


def _named(folder: Path, people: str) -> Mapping[Path, str]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if people == ESTIMATED:
        return dict.fromkeys(paths, "")
    if people == FOLDER:
        listed = sorted(folder.glob("*.json"))
        if any(path.parent != folder for path in paths) or not listed:
            return {path: path.parent.name for path in paths if path.parent != folder}
        return _from_file(listed[0], paths)
    return _from_file(folder / people if (folder / people).exists() else Path(people), paths)


def _from_file(path: Path, paths: Sequence[Path]) -> Mapping[Path, str]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return {photo: str(said[photo.name]) for photo in paths if photo.name in said}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} must map file names to people ({type(error).__name__})") from None


def numbered(photos: Sequence[Photo], recogniser: Recogniser) -> np.ndarray:
    """A number for the person of every photo's largest face: int (n,).

    Where nobody said who it is, the originals are clustered (average linkage, :func:`photo_anonymizer.donors.grouped`).
    """
    if all(photo.person for photo in photos):
        return np.unique([photo.person for photo in photos], return_inverse=True)[1].astype(np.int64)
    chips = np.stack([chip_of(photo.rgb, photo.largest, recogniser) for photo in photos])
    return np.array(grouped(list(recogniser.embed(chips))), np.int64)
