"""Photos drawn from a folder on this machine, for what cannot be done to all."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from photo_anonymizer.config import RunConfig
from photo_anonymizer.consent import read_photo
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.errors import ConfigError, PhotoError
from photo_anonymizer.heavy.publishing import Photo
from photo_anonymizer.heavy.sample_size import EACH, check_size
from photo_anonymizer.sources import is_local, local

SMALLEST_FACE_PX = 24
"""Lower faces tell a recogniser nothing: a sample of them alone would make every method look good."""
SEED = 0


def sampled(config: RunConfig, photos: int) -> Iterator[Photo]:
    """Photos of the source that show a face, the same ones every time; what cannot be read is passed over.

    Folders are drawn, and at most :data:`EACH` photos of each: a person must be there several times to be found by
    another photo, and a sample of single photos from a large collection shows few so.

    :param photos: how many are drawn; fewer may show a face.
    :raises ConfigError: a sample cannot have so many, or the source is no folder on this machine.
    :raises SourceError: it does not exist.
    """
    check_size(photos)
    folder = _folder(config.source)
    for path in _drawn(folder, photos):
        try:
            rgb = read_photo(path, config)
        except (PhotoError, OSError):
            continue
        if faces := tuple(faces_of(rgb, config)):
            yield Photo(rgb, faces, str(path.parent.relative_to(folder)))


def _folder(source: str) -> Path:
    place = Path(local.resolve(source)) if is_local(source) else None
    if place is None or not place.is_dir():
        raise ConfigError(
            "samples are drawn from a folder on this machine, not from an archive, a list or a URL; "
            "put a copy of some photos into one and name it"
        )
    return place


def _drawn(folder: Path, photos: int) -> list[Path]:
    chance = random.Random(SEED)
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        by_folder[path.parent].append(path)
    most = EACH if len(by_folder) > 1 else photos
    folders = chance.sample(list(by_folder.values()), len(by_folder))
    return [path for paths in folders for path in chance.sample(paths, min(most, len(paths)))][:photos]
