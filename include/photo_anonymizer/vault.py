"""What few may read: the key for photo ids, the ledger, the review queue, private attack details."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.files import exclusive, read_json, write_bytes, write_json
from photo_anonymizer.model.record import PhotoRecord

LEDGER_SCHEMA = pa.schema(
    [
        ("source_uri", pa.string()),
        ("photo_id", pa.string()),
        ("run_id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("version", pa.string()),
        ("output", pa.string()),
    ]
)
REVIEW_SCHEMA = pa.schema(
    [
        ("photo_id", pa.string()),
        ("face_id", pa.string()),
        ("run_id", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
        ("detectors", pa.list_(pa.string())),
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("decision", pa.string()),
    ]
)
ID_HEX_DIGITS = 32


@dataclass(frozen=True)
class Vault:
    """``vault/<dataset>``, readable by its owner only.

    :param path: the dataset's folder in the vault.
    """

    path: Path

    @classmethod
    def of(cls, config: RunConfig) -> Vault:
        """The vault of the run's dataset; made with mode 0700 when it is not there."""
        root = Path(config.out).absolute() / "vault"
        for folder in (root, root / config.dataset):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
        return cls(root / config.dataset)

    @property
    def ledger_path(self) -> Path:
        """One row for every input file ever seen."""
        return self.path / "ledger.parquet"

    @property
    def review_path(self) -> Path:
        """Faces that wait for a person's decision, and the decisions."""
        return self.path / "review.parquet"

    def private_folder(self, run_name: str) -> Path:
        """Private details of one run's attacks."""
        folder = self.path / "runs" / run_name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the dataset's lock: one writer at a time, whatever process it is in."""
        with exclusive(self.path / ".lock"):
            yield

    @contextmanager
    def locked_for(self, purpose: str) -> Iterator[None]:
        """Holds a lock of its own for a longer piece of work, such as an export."""
        with exclusive(self.path / f".{purpose}.lock"):
            yield

    def note_release(self, version: str, audit_head: dict[str, Any]) -> None:
        """Remembers the end of a release's audit log, so that a log that was rewritten whole is noticed too."""
        with self.locked():
            path = self.path / "releases.json"
            known = read_json(path) if path.is_file() else {}
            write_json(path, {**known, version: audit_head})

    def _published(self) -> bool:
        """Are there releases of this dataset, whose ids were made with a key?"""
        return any((self.path.parents[1] / "releases" / self.path.name).glob("v*"))

    def noted_releases(self) -> dict[str, dict[str, Any]]:
        """The audit heads of all releases, by version."""
        path = self.path / "releases.json"
        return dict(read_json(path)) if path.is_file() else {}

    # photo ids

    def key(self) -> bytes:
        """The dataset's secret key, made once.

        :raises PhotoAnonymizerError: the key file is damaged, readable by others, or gone although it was used.
        """
        path = self.path / "photo_id.key"
        with self.locked():
            if not path.exists():
                if self.ledger_path.exists() or self._published():
                    raise PhotoAnonymizerError("the key of the vault is gone; restore it from your backup")
                write_bytes(path, secrets.token_hex(32).encode(), 0o600)
        if path.stat().st_mode & 0o077:
            raise PhotoAnonymizerError("the key of the vault may be read by others; set its mode to 0600")
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except ValueError:
            key = b""
        if len(key) != 32:
            raise PhotoAnonymizerError("the key of the vault is damaged; restore it from your backup")
        return key

    # ledger

    def ledger(self) -> list[dict[str, Any]]:
        """All rows of the ledger."""
        return _read(self.ledger_path)

    def update_ledger(self, rows: Iterable[dict[str, Any]], *, keep_existing: bool = False) -> None:
        """Inserts rows by ``source_uri``; a newer row replaces an older one unless ``keep_existing``.

        A photo that is not in the newest version keeps the version and the path under which it was published last, so
        that nobody forgets what is public.
        """
        with self.locked():
            merged = {row["source_uri"]: row for row in self.ledger()}
            for row in rows:
                known = merged.get(row["source_uri"])
                if known and keep_existing:
                    continue
                if known and not row["version"] and known["photo_id"] == row["photo_id"]:
                    row = {**row, "version": known["version"], "output": known["output"]}
                merged[row["source_uri"]] = row
            _write(self.ledger_path, list(merged.values()), LEDGER_SCHEMA)

    # review queue

    def review_queue(self) -> list[dict[str, Any]]:
        """All rows of the review queue; ``decision`` is empty while a face waits."""
        return _read(self.review_path)

    def queue_for_review(self, rows: Sequence[dict[str, Any]]) -> None:
        """Adds faces to the queue.

        What was decided about a place stays. Should a later detector give the same ``face_id`` to another place, that
        face is queued under a name of its own, so that no face goes unreviewed and no verdict moves.
        """
        with self.locked():
            merged = {(row["photo_id"], row["face_id"]): row for row in self.review_queue()}
            for row in rows:
                face_id = row["face_id"]
                while (known := merged.get((row["photo_id"], face_id))) and known["decision"] and not _near(known, row):
                    face_id += "+"
                if not (known and known["decision"]):
                    merged[row["photo_id"], face_id] = {**row, "face_id": face_id}
            _write(self.review_path, list(merged.values()), REVIEW_SCHEMA)

    def record_decision(self, photo_id: str, face_id: str, decision: str) -> bool:
        """Writes a decision beside a queued face; False when no such face is on the queue."""
        with self.locked():
            rows = self.review_queue()
            chosen = [row for row in rows if (row["photo_id"], row["face_id"]) == (photo_id, face_id)]
            for row in chosen:
                row["decision"] = decision
            if chosen:
                _write(self.review_path, rows, REVIEW_SCHEMA)
        return bool(chosen)


def photo_id_of(key: bytes, digest: bytes) -> str:
    """The id of a photo: HMAC-SHA256 (RFC 2104) over the SHA-256 of its bytes, shortened to 128 bits.

    Without the key nobody can tell whether a photo that they have is in a release.
    """
    return hmac.new(key, digest, hashlib.sha256).hexdigest()[:ID_HEX_DIGITS]


def ledger_row(
    record: PhotoRecord, run_id: str, version: str | None = None, output: str | None = None
) -> dict[str, str | None]:
    """The ledger's row of a photo."""
    return {
        "source_uri": record.source_uri,
        "photo_id": record.photo_id,
        "run_id": run_id,
        "status": str(record.status),
        "reason": str(record.reason) if record.reason else "",
        "detail": record.detail,
        "version": version,
        "output": output,
    }


def _near(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Do two rows of the queue speak of the same place?"""
    return bool(abs(a["x"] - b["x"]) <= b["width"] / 2 and abs(a["y"] - b["y"]) <= b["height"] / 2)


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        return list(pq.read_table(path).to_pylist())
    except pa.ArrowInvalid:
        raise PhotoAnonymizerError(f"{path.name} in the vault is damaged; restore it from your backup") from None


def _write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    write_bytes(path, sink.getvalue().to_pybytes(), 0o600)
