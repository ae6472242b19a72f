"""What few may read: the key for photo ids, the ledger, the review queue, private attack details."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.files import exclusive, read_json, write_bytes, write_json, written
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.provenance import Stamp

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
        ("source", pa.string()),
        ("basis", pa.string()),
        ("configuration", pa.string()),
        ("software", pa.string()),
        ("updated_at", pa.string()),
        ("metadata_found", pa.list_(pa.string())),
    ]
)
"""The columns up to ``output`` are the contract with others; those behind it are provenance (:mod:`.provenance`)."""
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
_PRESENT_SCHEMA = pa.schema([("source_uri", pa.string()), ("photo_id", pa.string())])
ID_HEX_DIGITS = 32


@dataclass(frozen=True)
class Present:
    """What a run found at its source. Columns and not sets: collections are large."""

    uris: pa.Array
    """``source_uri`` of every picture (string)."""
    ids: pa.Array
    """``photo_id`` of every picture (string)."""
    stopped: Mapping[str, str]
    """source_uri → reason, of what ingest stopped."""

    @classmethod
    def of(cls, records: Iterable[PhotoRecord]) -> Present:
        """What these records are of."""
        found, stopped = _Batches(_PRESENT_SCHEMA), dict[str, str]()
        for record in records:
            found.add({"source_uri": record.source_uri, "photo_id": record.photo_id})
            if record.reason:
                stopped[record.source_uri] = str(record.reason)
        table = found.table()
        return cls(table["source_uri"].combine_chunks(), table["photo_id"].combine_chunks(), stopped)


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

    def note_software(self, digest: str, facts: dict[str, Any]) -> None:
        """Keeps what a ledger row's ``software`` stands for."""
        path = self.path / "software" / f"{digest}.json"
        if not path.is_file():
            write_json(path, facts)

    def note_release(self, version: str, audit_head: dict[str, Any]) -> None:
        """Remembers the end of a release's audit log, so that a log that was rewritten whole is noticed too.

        :param audit_head: ``entries``, ``sha256``, and the ``run`` whose version it is.
        """
        with self.locked():
            path = self.path / "releases.json"
            known = read_json(path) if path.is_file() else {}
            write_json(path, {**known, version: audit_head})

    def _published(self) -> bool:
        """Are there releases of this dataset, whose ids were made with a key?"""
        return any((self.path.parents[1] / "releases" / self.path.name).glob("v*"))

    def note_withdrawal(self, version: str, time: str, elsewhere: Mapping[str, str]) -> None:
        """Remembers that a version is gone on purpose. Its photos are public where else they are, or nowhere.

        :param elsewhere: photo_id → place in the newest other version that holds it.
        """
        with self.locked():
            path = self.path / "releases.json"
            known = read_json(path) if path.is_file() else {}
            write_json(path, {**known, version: {**known.get(version, {}), "withdrawn": time}})
            _write_table(self.ledger_path, _withdrawn(self._ledger_table(), version, elsewhere))

    def noted_releases(self) -> dict[str, dict[str, Any]]:
        """The audit heads of all releases, by version; of a withdrawn one also when that happened."""
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
        return list(self._ledger_table().to_pylist())

    def _ledger_table(self) -> pa.Table:
        """The ledger with all of today's columns; those that an older one did not have are empty."""
        table = _read_table(self.ledger_path, LEDGER_SCHEMA)
        for field in LEDGER_SCHEMA:
            if field.name not in table.column_names:
                table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(LEDGER_SCHEMA.names).cast(LEDGER_SCHEMA)

    def update_ledger(self, rows: Iterable[dict[str, Any]], *, keep_existing: bool = False) -> None:
        """Inserts rows by ``source_uri``; a newer row replaces an older one unless ``keep_existing``.

        Nobody forgets what is public: a photo that is not in the newest version keeps the version and the path under
        which it was published last, and one whose file now holds another picture keeps a row ``…#was=<photo_id>``.
        """
        with self.locked():
            table = self._ledger_table()
            known = {uri: place for place, uri in enumerate(table["source_uri"].to_pylist())}
            public = {} if keep_existing else _last_published(table)
            new = _Batches(LEDGER_SCHEMA)
            written: set[str] = set()
            for row in rows:
                uri = row["source_uri"]
                if keep_existing and uri in known:
                    continue
                if uri in public and public[uri][0] != row["photo_id"]:
                    new.add(_replaced(table.slice(known[uri], 1).to_pylist()[0], row))
                elif uri in public and not row["version"]:
                    row = {**row, "version": public[uri][1], "output": public[uri][2]}
                written.add(uri)
                new.add(row)
            kept = [uri not in written for uri in known]
            _write_table(self.ledger_path, pa.concat_tables([table.filter(pa.array(kept, pa.bool_())), new.table()]))

    def ledger_columns(self, *names: str) -> list[tuple[Any, ...]]:
        """Some columns of the ledger, row by row."""
        table = self._ledger_table()
        return list(zip(*(table[name].to_pylist() for name in names), strict=True))

    def mark_missing(self, stamp: Stamp, present: Present) -> int:
        """Writes down which pictures of the stamp's source are gone, and returns how many photos that are.

        What lies in a folder or archive that could not be read this time is not called gone: nobody knows. A photo
        that is there under another name is not counted. Done again by the same run, it returns the same.
        """
        unread = {uri for uri, reason in present.stopped.items() if reason == Reason.UNREADABLE}
        with self.locked():
            table = self._ledger_table()
            absent = pc.invert(pc.is_in(table["source_uri"], value_set=present.uris))
            known = pc.and_(absent, pc.not_equal(table["reason"], _DELETED))
            places = [
                place
                for place in pc.indices_nonzero(known).to_pylist()
                if _belongs(table["source_uri"][place].as_py(), table["source"][place].as_py(), stamp.source)
            ]
            if places:
                rows = table.take(pa.array(places, pa.int64())).to_pylist()
                for row in rows:
                    _mark_missing(row, _fate(row["source_uri"], present.stopped, unread), present.ids)
                    row.update(run_id=stamp.run_id, updated_at=stamp.time)
                kept = table.filter(pc.invert(pc.is_in(pa.array(range(len(table))), value_set=pa.array(places))))
                table = pa.concat_tables([kept, pa.Table.from_pylist(rows, schema=LEDGER_SCHEMA)])
                _write_table(self.ledger_path, table)
        mine = pc.and_(pc.equal(table["run_id"], stamp.run_id), pc.equal(table["reason"], _DELETED))
        gone = pc.unique(table["photo_id"].filter(mine))
        return int(pc.sum(pc.invert(pc.is_in(gone, value_set=present.ids))).as_py() or 0)

    # review queue

    def review_queue(self) -> list[dict[str, Any]]:
        """All rows of the review queue; ``decision`` is empty while a face waits."""
        return _read(self.review_path, REVIEW_SCHEMA)

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


def photo_id_of(key: bytes, digest: bytes, frame: int = 0) -> str:
    """The id of a photo: HMAC-SHA256 (RFC 2104) over the SHA-256 of its bytes, shortened to 128 bits.

    The first picture of a file has the file's id, so that turning frames on or off renames nothing.

    Without the key nobody can tell whether a photo that they have is in a release.
    """
    suffix = f"/frame/{frame}".encode() if frame else b""
    return hmac.new(key, digest + suffix, hashlib.sha256).hexdigest()[:ID_HEX_DIGITS]


def ledger_row(
    record: PhotoRecord, stamp: Stamp, version: str | None = None, output: str | None = None
) -> dict[str, Any]:
    """The ledger's row of a photo. Of its metadata only the kinds that were found are kept, never a value."""
    return {
        "source_uri": record.source_uri,
        "photo_id": record.photo_id,
        "run_id": stamp.run_id,
        "status": str(record.status),
        "reason": str(record.reason) if record.reason else "",
        "detail": record.detail,
        "version": version,
        "output": output,
        "source": stamp.source,
        "basis": record.basis,
        "configuration": stamp.configuration,
        "software": stamp.software,
        "updated_at": stamp.time,
        "metadata_found": list(record.removed),
    }


def _near(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Do two rows of the queue speak of the same place?"""
    return bool(abs(a["x"] - b["x"]) <= b["width"] / 2 and abs(a["y"] - b["y"]) <= b["height"] / 2)


class _Batches:
    """Collects rows column by column: a hundred thousand of them as dictionaries would take ten times the memory."""

    ROWS = 5_000

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._tables: list[pa.Table] = []
        self._rows: list[dict[str, Any]] = []

    def add(self, row: dict[str, Any]) -> None:
        """One more row."""
        self._rows.append(row)
        if len(self._rows) >= self.ROWS:
            self._flush()

    def table(self) -> pa.Table:
        """All rows; of several with one ``source_uri`` the last."""
        self._flush()
        table = pa.concat_tables([self._schema.empty_table(), *self._tables])
        uris = table["source_uri"].to_pylist()
        if len(set(uris)) == len(uris):
            return table
        last = {uri: place for place, uri in enumerate(uris)}
        return table.take(pa.array(list(last.values()), pa.int64()))

    def _flush(self) -> None:
        self._tables.append(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


def _last_published(table: pa.Table) -> dict[str, tuple[str, str, str]]:
    """source_uri → (photo_id, version, output) of the rows that were published once."""
    columns = (table[name].to_pylist() for name in ("source_uri", "photo_id", "version", "output"))
    return {
        uri: (photo_id, version, output) for uri, photo_id, version, output in zip(*columns, strict=True) if version
    }


def _withdrawn(table: pa.Table, version: str, elsewhere: Mapping[str, str]) -> pa.Table:
    """The ledger after a version is gone."""
    rows = table.to_pylist()
    for row in rows:
        if row["version"] == version:
            place = elsewhere.get(row["photo_id"])
            row.update(version=place.partition("/")[0] if place else None, output=place)
            if row["status"] == Status.RELEASED and not place:
                row.update(status=str(Reason.WITHDRAWN.status), reason=str(Reason.WITHDRAWN))
    return pa.Table.from_pylist(rows, schema=LEDGER_SCHEMA)


_DELETED = str(Reason.DELETED_AT_SOURCE)


def _belongs(uri: str, source: str, name: str) -> bool:
    """Is this a picture of the source ``name``, whichever folder around or below it was the source then?"""
    return source == name or uri.startswith(f"{name}/") or f"::{name}/" in uri


def _fate(uri: str, stopped: Mapping[str, str], unread: Set[str]) -> str:
    """Why a picture that was not found is not there: gone, or out of sight."""
    file = uri.partition("#frame=")[0]
    if stopped.get(file) in (Reason.UNREADABLE, Reason.SEVERAL_PICTURES):
        return stopped[file]  # a further picture of a file that is there and was not looked into
    container = file.rpartition("::")[2]
    above = container
    while above and unread:
        if above in unread:
            return Reason.UNREADABLE
        above = above.rpartition("/")[0]
    return Reason.DELETED_AT_SOURCE


def _mark_missing(row: dict[str, Any], fate: str, ids: pa.Array) -> None:
    moved = fate == Reason.DELETED_AT_SOURCE and pc.is_in(pa.scalar(row["photo_id"]), value_set=ids).as_py()
    detail = "the same photo is there under another name" if moved else ""
    row.update(status=str(Reason(fate).status), reason=str(fate), detail=detail)


def _replaced(row: dict[str, Any], stamp: dict[str, Any]) -> dict[str, Any]:
    """The row of a published photo whose file holds something else now, under a name of its own.

    :param stamp: the row that takes its place.
    """
    return {
        **row,
        "source_uri": f"{row['source_uri']}#was={row['photo_id']}",
        "status": str(Reason.DELETED_AT_SOURCE.status),
        "reason": _DELETED,
        "detail": "another picture is there under its name",
        "run_id": stamp["run_id"],
        "updated_at": stamp["updated_at"],
    }


def _read(path: Path, schema: pa.Schema) -> list[dict[str, Any]]:
    return list(_read_table(path, schema).to_pylist())


def _read_table(path: Path, schema: pa.Schema) -> pa.Table:
    if not path.is_file():
        return schema.empty_table()
    try:
        return pq.read_table(path)
    except pa.ArrowInvalid:
        raise PhotoAnonymizerError(f"{path.name} in the vault is damaged; restore it from your backup") from None


def _write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    _write_table(path, pa.Table.from_pylist(list(rows), schema=schema))


def _write_table(path: Path, table: pa.Table) -> None:
    with written(path) as temporary:
        pq.write_table(table, temporary, row_group_size=_Batches.ROWS)
