"""What has been published already: versions by name, and what an intact one says about its photos."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photo_anonymizer.config import RunConfig
from photo_anonymizer.diskmap import DiskMap
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.release import audit, tables
from photo_anonymizer.vault import Vault

_REPEATED = ("photos.parquet", "faces.parquet", "audit.jsonl", "qa.json")
"""What a later version takes over rows, entries or numbers from."""
PUBLISHED_NAME = re.compile(r"photos/[0-9a-f]{32}\.(?:jpg|png|webp|tiff|avif)")
VERSION_NAME = re.compile(r"v(\d{4,})")


@dataclass(frozen=True)
class Version:
    """A published version that is what the vault noted when it was published."""

    name: str
    data: Path
    """The bag's payload folder."""
    photos: dict[str, dict[str, Any]]
    """Rows of photos.parquet by photo_id."""
    faces: dict[str, list[dict[str, Any]]]
    """Rows of faces.parquet by photo_id."""
    events: dict[str, dict[str, Any]]
    """What the audit log says about each photo: ``since`` is the version in which its file was made and attacked."""

    def place(self, photo_id: str) -> str:
        """Path of a photo's file below the dataset's releases."""
        return f"{self.name}/data/{self.photos[photo_id]['file']}"

    def basis(self, photo_id: str) -> str:
        """What this photo's result rests on (:mod:`.provenance`); empty: an older release did not say."""
        return str(self.events[photo_id].get("basis", ""))

    def since(self, photo_id: str) -> str:
        """The version in which this photo's file was made and attacked."""
        return str(self.events[photo_id].get("since", self.name))


@dataclass(frozen=True)
class Holdings:
    """What an intact version holds, looked up on disk: as much of a :class:`Version` as tells which photos stay.

    Not for several threads at once.
    """

    data: Path
    """The bag's payload folder."""
    _photos: DiskMap
    """photo_id → file, its SHA-256, and what its result rests on."""

    def file_of(self, photo_id: str, basis: str) -> tuple[Path, str] | None:
        """A photo's file and the SHA-256 that it was published with; None: not held, or it would come out otherwise.

        :param basis: what its result would rest on now (:mod:`.provenance`).
        """
        file, sha256, held_basis = self._photos.get(photo_id) or ("", "", None)
        return (self.data / file, sha256) if held_basis == basis else None


def dataset_folder(config: RunConfig) -> Path:
    """Where the versions of the run's dataset lie."""
    return Path(config.out).absolute() / "releases" / config.dataset


def versions(dataset: Path) -> list[str]:
    """Published versions of a dataset, oldest first."""
    found = [path.name for path in dataset.glob("v*") if path.is_dir() and VERSION_NAME.fullmatch(path.name)]
    return sorted(found, key=number_of)


def sweep(dataset: Path) -> None:
    """Deletes what a killed export or withdrawal left half done; called with the export's lock held."""
    for leftover in dataset.glob(".v*"):
        shutil.rmtree(leftover)


def next_version(used: Iterable[str]) -> str:
    """The name after the newest version that ever was: a version that was deleted leaves its name behind."""
    return f"v{max((number_of(name) for name in used), default=0) + 1:04d}"


def number_of(name: str) -> int:
    """``v0012`` → 12: the order of versions, whatever their names' length."""
    return int(name[1:])


def find_version(dataset: Path, token: str) -> str | None:
    """The version that this run has published already, if any."""
    for name in reversed(versions(dataset)):
        try:
            about = json.loads((dataset / name / "data" / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if about.get("run") == token:
            return name
    return None


def manifest_sha256(bag: Path) -> str:
    """SHA-256 of a bag's manifest, which holds the hash of every file of its payload (RFC 8493, 2.1.3)."""
    return _sha256_of_file(bag / "manifest-sha256.txt")


def _as_noted(bag: Path, noted: Mapping[str, Any]) -> bool:
    """Are the files that a later version repeats those that were published? Pictures are compared one by one later."""
    if noted.get("manifest_sha256") != manifest_sha256(bag):
        return False
    repeated = {f"data/{name}" for name in _REPEATED}
    with (bag / "manifest-sha256.txt").open(encoding="utf-8") as lines:
        entries = (line.rstrip("\n").partition("  ") for line in lines)
        hashes = {path: digest for digest, _, path in entries if path in repeated}
    return all(hashes[path] == _sha256_of_file(bag / path) for path in repeated)


def _sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 (FIPS 180-4) of a file that need not fit into memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_version(config: RunConfig, vault: Vault, name: str) -> Version | None:
    """A version whose photos may be taken over; None if it is gone, was withdrawn or is not as it was published."""
    bag = dataset_folder(config) / name
    data = bag / "data"
    noted = _noted(vault, name)
    try:
        if noted is None or not _as_noted(bag, noted):
            return None
        entries = audit.read_chain(data / "audit.jsonl")
        photos = {str(row["photo_id"]): row for row in tables.read(data / "photos.parquet")}
        rows = tables.read(data / "faces.parquet")
    except (OSError, ValueError, KeyError, PhotoAnonymizerError):
        return None
    faces: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        faces[str(row["photo_id"])].append(row)
    events = {str(entry["data"]["photo_id"]): entry["data"] for entry in entries if entry["event"] == "photo"}
    whole = (noted["entries"], noted["sha256"]) == (len(entries), audit.head_of(entries).sha256)
    agreeing = {photo_id: event["sha256"] for photo_id, event in events.items()} == {
        photo_id: row["sha256"] for photo_id, row in photos.items()
    }
    return Version(name, data, photos, dict(faces), events) if whole and agreeing else None


def load_holdings(config: RunConfig, vault: Vault, name: str, workplace: Path) -> Holdings | None:
    """What a version holds, checked as :func:`load_version` does, without having all of it in memory.

    :param workplace: a private folder for what is looked up.
    """
    bag = dataset_folder(config) / name
    data, noted = bag / "data", _noted(vault, name)
    logged, photos, end = DiskMap(workplace), DiskMap(workplace), audit.Head(0, audit.START)
    try:
        if noted is None or not _as_noted(bag, noted):
            return None
        for entry in audit.iter_chain(data / "audit.jsonl"):
            end = audit.Head(end.entries + 1, entry["hash"])
            if entry["event"] == "photo":
                event = entry["data"]
                logged.put([(str(event["photo_id"]), [event["sha256"], str(event.get("basis", ""))])])
        for row in tables.iter_rows(data / "photos.parquet", "photo_id", "file", "sha256"):
            sha256, basis = logged.get(str(row["photo_id"])) or ("", "")
            if sha256 != row["sha256"]:
                return None
            photos.put([(str(row["photo_id"]), [row["file"], sha256, basis])])
    except (OSError, ValueError, KeyError, PhotoAnonymizerError):
        return None
    whole = (noted["entries"], noted["sha256"]) == (end.entries, end.sha256)
    return Holdings(data, photos) if whole and len(photos) == len(logged) else None


def _noted(vault: Vault, name: str) -> dict[str, Any] | None:
    """What the vault noted when a version was published; None: nothing, or it was withdrawn."""
    noted = vault.noted_releases().get(name)
    return None if noted is None or "withdrawn" in noted else noted
