"""What has been published already: versions by name, and what an intact one says about its photos."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.release import audit, tables
from photo_anonymizer.vault import Vault

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

    def since(self, photo_id: str) -> str:
        """The version in which this photo's file was made and attacked."""
        return str(self.events[photo_id].get("since", self.name))


def dataset_folder(config: RunConfig) -> Path:
    """Where the versions of the run's dataset lie."""
    return Path(config.out).absolute() / "releases" / config.dataset


def versions(dataset: Path) -> list[str]:
    """Published versions of a dataset, oldest first."""
    found = [path.name for path in dataset.glob("v*") if path.is_dir() and VERSION_NAME.fullmatch(path.name)]
    return sorted(found, key=_number)


def next_version(used: Iterable[str]) -> str:
    """The name after the newest version that ever was: a version that was deleted leaves its name behind."""
    return f"v{max((_number(name) for name in used), default=0) + 1:04d}"


def _number(name: str) -> int:
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


def load_version(config: RunConfig, vault: Vault, name: str) -> Version | None:
    """A version whose photos may be taken over; None if it is gone, was withdrawn or is not as it was published."""
    data = dataset_folder(config) / name / "data"
    noted = vault.noted_releases().get(name)
    if noted is None or "withdrawn" in noted:
        return None
    try:
        entries = audit.read_chain(data / "audit.jsonl")
        photos = {str(row["photo_id"]): row for row in tables.read(data / "photos.parquet")}
        rows = tables.read(data / "faces.parquet")
    except (OSError, ValueError, PhotoAnonymizerError):
        return None
    faces: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        faces[str(row["photo_id"])].append(row)
    events = {str(entry["data"]["photo_id"]): entry["data"] for entry in entries if entry["event"] == "photo"}
    whole = noted == {"entries": len(entries), "sha256": audit.head_of(entries).sha256}
    agreeing = {photo_id: event["sha256"] for photo_id, event in events.items()} == {
        photo_id: row["sha256"] for photo_id, row in photos.items()
    }
    return Version(name, data, photos, dict(faces), events) if whole and agreeing else None
