"""Is a release what it says it is? Checksums, tables against files, audit chain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bagit

from photo_anonymizer.errors import ConfigError, ReleaseError
from photo_anonymizer.imagefile import sha256_of
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.published import PUBLISHED_NAME, manifest_sha256
from photo_anonymizer.release import audit, tables
from photo_anonymizer.vault import Vault


def verify(release: Path, vault: Vault | None = None) -> dict[str, int]:
    """Checks a published version and returns what was checked, as counts.

    :param release: ``releases/<dataset>/vNNNN``.
    :param vault: with it, the audit log's end is compared with the one noted at publication.
    :raises ReleaseError: the first thing that is not as it was published.
    :raises ConfigError: the vault is none, or knows no such version; nothing is said about the release then.
    """
    data = release / "data"
    if not (release / "bagit.txt").is_file() or not data.is_dir():
        raise ReleaseError(f"{release} is not a release: give the folder vNNNN itself")
    noted = _noted(vault, release.resolve().name) if vault is not None else None
    _check_bag(release)
    photos = tables.read(data / "photos.parquet")
    faces = tables.read(data / "faces.parquet")
    _check_tables(data, photos, faces)
    for row in photos:
        if not PUBLISHED_NAME.fullmatch(f"{row['file']}"):
            raise ReleaseError("photos.parquet names a file that is not called after its photo's id")
        _check_photo(data / row["file"], row["sha256"])
    entries = audit.read_chain(data / "audit.jsonl")
    _check_audit(data, entries, {row["photo_id"]: row["sha256"] for row in photos})
    if noted is not None:
        _check_noted(release, noted, entries)
    return {"photos": len(photos), "faces": len(faces), "audit entries": len(entries)}


def _noted(vault: Vault, version: str) -> dict[str, Any]:
    """What the vault noted when the version was published."""
    if not vault.path.is_dir():
        raise ConfigError("there is no such vault; give the folder vault/<dataset>")
    noted = vault.noted_releases()
    if version not in noted:
        raise ConfigError(f"that vault knows no version {version}; give the folder vault/<dataset> of its own dataset")
    return noted[version]


def _check_noted(release: Path, noted: dict[str, Any], entries: list[dict[str, object]]) -> None:
    if (noted.get("entries"), noted.get("sha256")) != (len(entries), audit.head_of(entries).sha256):
        raise ReleaseError(
            "the audit log does not end as the vault noted it when the release was published: it was exchanged, or "
            "the vault is that of another dataset"
        )
    if noted.get("manifest_sha256") not in (None, manifest_sha256(release)):
        raise ReleaseError("the bag's manifest is not the one that the vault noted when the release was published")


def _check_bag(release: Path) -> None:
    try:
        bagit.Bag(str(release)).validate(processes=1)
    except bagit.BagError as error:
        raise ReleaseError(f"the bag is not intact: {error}") from None


def _check_tables(data: Path, photos: list[dict[str, object]], faces: list[dict[str, object]]) -> None:
    listed = {str(row["file"]) for row in photos}
    present = {path.relative_to(data).as_posix() for path in (data / "photos").rglob("*") if path.is_file()}
    if len(listed) != len(photos) or listed != present:
        raise ReleaseError(
            f"photos.parquet names {len(listed)} files, {len(present)} are there, {len(listed ^ present)} differ"
        )
    counted: dict[object, int] = {}
    for row in faces:
        counted[row["photo_id"]] = counted.get(row["photo_id"], 0) + 1
    if {row["photo_id"]: row["faces"] for row in photos if row["faces"]} != counted:
        raise ReleaseError("faces.parquet and photos.parquet do not agree on how many faces each photo has")


def _check_photo(path: Path, sha256: str) -> None:
    content = path.read_bytes()
    if sha256_of(content) != sha256:
        raise ReleaseError(f"{path.name} is not the file that photos.parquet names")
    if found := inspect(content):
        raise ReleaseError(f"{path.name} carries more than its pixels: {', '.join(found)}")


def _check_audit(data: Path, entries: list[dict[str, object]], photos: dict[str, str]) -> None:
    about = json.loads((data / "run.json").read_text(encoding="utf-8"))["audit"]
    head = audit.head_of(entries)
    if (about["entries"], about["sha256"]) != (head.entries, head.sha256):
        raise ReleaseError("the audit log does not end where run.json says it does")
    logged = {
        entry["data"]["photo_id"]: entry["data"]["sha256"]  # type: ignore[index]
        for entry in entries
        if entry["event"] == "photo"
    }
    if logged != photos:
        raise ReleaseError("the audit log and photos.parquet do not name the same files")
