"""Who did something to a photo, with what and when: what ledger and audit log say beside each photo."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from photo_anonymizer import __version__, weights
from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import SourceError
from photo_anonymizer.metadata import exiftool
from photo_anonymizer.software import deciding_versions, software_versions
from photo_anonymizer.sources import is_local, local

_DIGITS = 16


@dataclass(frozen=True)
class Stamp:
    """The part of a ledger row that is the same for all photos of a run."""

    run_id: str
    source: str = ""
    """:func:`source_name`: what tells photos that were deleted from photos of another source."""
    configuration: str = ""
    """SHA-256 of the configuration without its paths."""
    software: str = ""
    """Digest of :func:`software`; the vault's ``software/<digest>.json`` spells it out."""
    time: str = ""
    """UTC, ISO 8601, seconds."""


def stamp_of(config: RunConfig, run_id: str) -> Stamp:
    """The stamp of a run, now."""
    return Stamp(
        run_id=run_id,
        source=source_name(config),
        configuration=config.digest,
        software=digest_of(software()),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def source_name(config: RunConfig) -> str:
    """The source as the ledger names it: the same however it is spelt."""
    if not is_local(config.source):
        return config.source.rstrip("/")
    try:
        return local.uri_of(local.resolve(config.source)).rstrip("/")
    except SourceError:
        return config.source.rstrip("/")


def software() -> dict[str, Any]:
    """Versions of this product, of the packages and of the models, with hashes."""
    return {
        "product": __version__,
        "packages": software_versions(),
        "models": {item.name: item.sha256 for item in weights.registered().values()},
    }


def run_basis(config: RunConfig, key: bytes) -> str:
    """Digest of what decides the result for every photo of a run.

    Left out is what cannot change a picture: where things lie, how many work at once, versions of packages that only
    move data. Files of the user's count with their content.

    :param key: the vault's. The digest is published: without the key nobody can try whether a photo that they have is
        one of those that the user named.
    """
    public = config.public()
    for harmless in ("workers", "release"):
        public.pop(harmless)
    for harmless in ("shard_size", "incremental"):
        public["ingest"].pop(harmless)
    facts = {
        "configuration": public,
        "users_files": {field: content_of(path, key) for field, path in config.users_files().items()},
        "product": __version__,
        "packages": deciding_versions(config.synthetic.generator),
        "models": software()["models"],
        "second_reader": reader.name if (reader := exiftool.wanted(config)) else "",
    }
    return digest_of(facts)


def content_of(path: Path, key: bytes = b"") -> str:
    """Keyed SHA-256 (HMAC, RFC 2104) over a file, or over the files below a folder and their names, in order."""
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for file in files:
        if file.is_file():
            digest.update(hashlib.sha256(os.fsencode(file.relative_to(path))).digest())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def photo_basis(run: str, decisions: Sequence[Any]) -> str:
    """Digest of what decides the result for one photo: the run's basis and what reviewers said about this photo.

    :param run: :func:`run_basis`.
    """
    return digest_of([run, sorted(repr(item) for item in decisions)]) if decisions else run


def digest_of(facts: Any) -> str:
    """The first 64 bits of SHA-256 over canonical JSON, in hexadecimal."""
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:_DIGITS]
