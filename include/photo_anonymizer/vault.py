"""What few may read: the key for photo ids, the ledger, the review queue, private attack details."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import merge
from itertools import groupby, islice, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq

from photo_anonymizer.config import RunConfig
from photo_anonymizer.diskmap import DiskMap
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
        ("reasons", pa.list_(pa.string())),
        ("score", pa.float64()),
        ("detectors", pa.list_(pa.string())),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("mesh_logit", pa.float64()),
        ("x", pa.float64()),
        ("y", pa.float64()),
        ("width", pa.float64()),
        ("height", pa.float64()),
        ("picture", pa.string()),
        ("decision", pa.string()),
    ]
)
"""A face that waits or was decided: reasons and scores as in :class:`~photo_anonymizer.model.face.Face`, its box in
pixels of the upright photo, and the picture of it, relative to the vault, empty when there is none."""
REVIEW_PICTURES = "review"
ID_HEX_DIGITS = 32
_ROWS = 1_000
"""Rows of the ledger that are in memory at once, and in a row group of its file."""


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

    @property
    def review_sheet_path(self) -> Path:
        """All faces that wait on one page, as far as somebody asked for it. Gone as soon as the queue changes."""
        return self.path / "review.html"

    @property
    def hand_test_sheet_path(self) -> Path:
        """Questions for a person about published faces. Gone as soon as they are answered, or a photo of it is."""
        return self.path / "hand_test.html"

    @property
    def hand_test_key_path(self) -> Path:
        """The right answers, and whose photos the sheet shows."""
        return self.path / "hand_test.json"

    @property
    def hand_tests_path(self) -> Path:
        """What hand tests showed, in numbers."""
        return self.path / "hand_tests.json"

    def forget_hand_test(self) -> None:
        """Deletes the sheet and its key."""
        self.hand_test_sheet_path.unlink(missing_ok=True)
        self.hand_test_key_path.unlink(missing_ok=True)

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
            self._write_ledger(_withdrawn(row, version, elsewhere) for row in self._sorted_ledger())
            rows = self.iter_ledger("photo_id", "reason")
            self._forget_pictures_of({row["photo_id"] for row in rows if row["reason"] == Reason.WITHDRAWN})

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
        """All rows of the ledger, in the order of their ``source_uri``."""
        return list(self._sorted_ledger())

    def iter_ledger(self, *columns: str) -> Iterator[dict[str, Any]]:
        """Rows of the ledger one by one, as they stand in the file: a whole collection need not fit into memory.

        :param columns: those that are read; none given: all of today's. What an older ledger does not have is None.
        :raises PhotoAnonymizerError: the file is damaged.
        """
        names = columns or tuple(LEDGER_SCHEMA.names)
        empty = dict.fromkeys(names)
        return ({**empty, **row} for row in _iter_rows(self.ledger_path, names))

    def update_ledger(self, rows: Iterable[dict[str, Any]], *, keep_existing: bool = False) -> None:
        """Inserts rows by ``source_uri``; a newer row replaces an older one unless ``keep_existing``.

        Nobody forgets what is public: a photo that is not in the newest version keeps the version and the path under
        which it was published last, and one whose file now holds another picture keeps a row ``…#was=<photo_id>``.
        """
        with self.locked():
            known, new = DiskMap(self.path), DiskMap(self.path)
            if keep_existing:
                known.put((row["source_uri"], None) for row in self.iter_ledger("source_uri"))
            new.put((row["source_uri"], row) for row in rows if row["source_uri"] not in known)
            if not keep_existing:
                self._keep_what_is_public(new)
            self._merge(new)

    def _keep_what_is_public(self, new: DiskMap) -> None:
        for known in self.iter_ledger():
            row = new.get(known["source_uri"]) if known["version"] else None
            if row is None:
                continue
            if row["photo_id"] != known["photo_id"]:
                replaced = _replaced(known, row)
                new.put([(replaced["source_uri"], replaced)])
            elif not row["version"]:
                new.put([(row["source_uri"], {**row, "version": known["version"], "output": known["output"]})])

    def _merge(self, new: DiskMap) -> None:
        """Writes the ledger anew if there is something new: of each ``source_uri`` the new row, or else the old one."""
        if not len(new) and self.ledger_path.is_file():
            return
        old = ((row["source_uri"], row) for row in self._sorted_ledger())
        # Of equal keys the old row comes first.
        by_uri = groupby(merge(old, new.items(), key=itemgetter(0)), key=itemgetter(0))
        self._write_ledger([row for _, row in pairs][-1] for _, pairs in by_uri)

    def _sorted_ledger(self) -> Iterator[dict[str, Any]]:
        """All rows in the order of their ``source_uri``, and of each one: ledgers of old were in no order."""
        uris = (row["source_uri"] for row in self.iter_ledger("source_uri"))
        if all(one < next_one for one, next_one in pairwise(uris)):
            return self.iter_ledger()
        in_order = DiskMap(self.path)
        in_order.put((row["source_uri"], row) for row in self.iter_ledger())
        return (row for _, row in in_order.items())

    def _write_ledger(self, rows: Iterator[dict[str, Any]]) -> None:
        with (
            written(self.ledger_path) as temporary,
            # Bounds of a row group help to find a file; those of the other columns would only fill the memory.
            pq.ParquetWriter(temporary, LEDGER_SCHEMA, write_statistics=["source_uri"]) as writer,
        ):
            while some := list(islice(rows, _ROWS)):
                writer.write_table(_table_of(some))

    def mark_missing(self, stamp: Stamp, present: Iterable[PhotoRecord]) -> int:
        """Writes down which pictures of the stamp's source are gone, and returns how many photos that are.

        What lies in a folder or archive that could not be read this time is not called gone: nobody knows. A photo
        that is there under another name is not counted. Done again by the same run, it returns the same. What reviewers
        were to see of a picture that is gone is deleted.

        :param present: every picture that the run found at its source, those that ingest stopped included.
        """
        reasons, ids, missing, gone, erased = (DiskMap(self.path) for _ in range(5))
        for record in present:
            reasons.put([(record.source_uri, record.reason and str(record.reason))])
            ids.add(record.photo_id)
        with self.locked():
            for row in self.iter_ledger():
                uri = row["source_uri"]
                if not _belongs(uri, row["source"], stamp.source):
                    continue
                done = row["reason"] == _DELETED or uri in reasons
                fate = Reason.DELETED_AT_SOURCE if done else _fate(uri, reasons)
                if fate is Reason.DELETED_AT_SOURCE and row["photo_id"] not in ids:
                    erased.add(row["photo_id"])  # also where another picture is there under its name
                if done:
                    continue
                _mark_missing(row, fate, row["photo_id"] in ids)
                row.update(run_id=stamp.run_id, updated_at=stamp.time)
                missing.put([(uri, row)])
            self._merge(missing)
            for row in self.iter_ledger("photo_id", "run_id", "reason"):
                if (row["run_id"], row["reason"]) == (stamp.run_id, _DELETED) and row["photo_id"] not in ids:
                    gone.add(row["photo_id"])
            self._forget_pictures_of(erased)
        return len(gone)

    # review queue

    def review_queue(self) -> list[dict[str, Any]]:
        """All rows of the review queue; ``decision`` is empty while a face waits."""
        return [_queued(row) for row in _iter_rows(self.review_path, [*REVIEW_SCHEMA.names, _REASON_OF_OLD])]

    def queue_for_review(
        self,
        rows: Sequence[Mapping[str, Any]],
        pictures: Mapping[tuple[str, str], bytes] | None = None,
        looked_at: Collection[str] = (),
    ) -> None:
        """Replaces what waits of some photos by what is doubtful in them now.

        What was decided about a place stays. Should a later detector give the same ``face_id`` to another place, that
        face is queued under a name of its own, so that no face goes unreviewed and no verdict moves.

        :param pictures: (photo_id, face_id) → JPEG for the reviewer.
        :param looked_at: ids of photos; those of ``rows`` are among them anyway.
        """
        replaced = {*looked_at, *(row["photo_id"] for row in rows)}
        with self.locked():
            before = self.review_queue()
            merged = {_key(row): row for row in before if row["decision"] or row["photo_id"] not in replaced}
            for row in rows:
                face_id = row["face_id"]
                while (known := merged.get((row["photo_id"], face_id))) and known["decision"] and not _near(known, row):
                    face_id += "+"
                if not (known and known["decision"]):
                    picture = self._keep_picture(row["photo_id"], face_id, (pictures or {}).get(_key(row)))
                    merged[row["photo_id"], face_id] = {**_queued(row), "face_id": face_id, "picture": picture}
            if before or merged:
                self._write_queue(list(merged.values()))

    def record_decision(self, photo_id: str, face_id: str, decision: str) -> bool:
        """Writes a decision beside a queued face, whose picture is deleted; False when no such face is on the queue."""
        with self.locked():
            rows = self.review_queue()
            chosen = [row for row in rows if _key(row) == (photo_id, face_id)]
            for row in chosen:
                row.update(decision=decision, picture="")
            if chosen:
                self._write_queue(rows)
        return bool(chosen)

    def _write_queue(self, rows: Sequence[dict[str, Any]]) -> None:
        """Deletes the sheet and every picture that no row names, those of a killed task too, and writes the queue."""
        self.review_sheet_path.unlink(missing_ok=True)
        wanted = {row["picture"] for row in rows}
        for path in self._pictures():
            if f"{REVIEW_PICTURES}/{path.name}" not in wanted:
                path.unlink(missing_ok=True)
        # A column of maps takes pairs.
        _write(self.review_path, [{**row, "scores": list(row["scores"].items())} for row in rows], REVIEW_SCHEMA)

    def _keep_picture(self, photo_id: str, face_id: str, jpeg: bytes | None) -> str:
        """Writes the picture of a face and returns where it is, relative to the vault; nothing to write: empty."""
        if jpeg is None:
            return ""
        folder = self.path / REVIEW_PICTURES
        folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{photo_id}_{face_id}.jpg"
        write_bytes(folder / name, jpeg, 0o600)
        return f"{REVIEW_PICTURES}/{name}"

    def _forget_pictures_of(self, photo_ids: set[str] | DiskMap) -> None:
        """Deletes what reviewers would see of some photos. Their faces stay on the queue, should the photos be back."""
        if self.hand_test_key_path.is_file() and any(
            photo_id in photo_ids for photo_id in read_json(self.hand_test_key_path)["photo_ids"]
        ):
            self.forget_hand_test()
        for path in self._pictures():
            if path.name.partition("_")[0] in photo_ids:
                self.review_sheet_path.unlink(missing_ok=True)
                path.unlink(missing_ok=True)

    def _pictures(self) -> list[Path]:
        folder = self.path / REVIEW_PICTURES
        return list(folder.iterdir()) if folder.is_dir() else []


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


_REASON_OF_OLD = "reason"
"""Column of the review queue before a face could have several."""
_UNKNOWN: dict[str, Any] = {"reasons": [], "scores": {}, "mesh_logit": None, "picture": ""}
"""What an older queue does not say about a face."""


def _queued(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the review queue with today's columns."""
    known = {**_UNKNOWN, **row}
    reason = known.pop(_REASON_OF_OLD, "")
    return {**known, "reasons": known["reasons"] or ([reason] if reason else []), "scores": dict(known["scores"])}


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["photo_id"], row["face_id"]


def _near(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Do two rows of the queue speak of the same place?"""
    return bool(abs(a["x"] - b["x"]) <= b["width"] / 2 and abs(a["y"] - b["y"]) <= b["height"] / 2)


def _withdrawn(row: dict[str, Any], version: str, elsewhere: Mapping[str, str]) -> dict[str, Any]:
    """A row of the ledger after a version is gone."""
    if row["version"] != version:
        return row
    place = elsewhere.get(row["photo_id"])
    changes = {"version": place.partition("/")[0] if place else None, "output": place}
    if row["status"] == Status.RELEASED and not place:
        changes |= {"status": str(Reason.WITHDRAWN.status), "reason": str(Reason.WITHDRAWN)}
    return {**row, **changes}


_DELETED = str(Reason.DELETED_AT_SOURCE)


def _belongs(uri: str, source: str, name: str) -> bool:
    """Is this a picture of the source ``name``, whichever folder around or below it was the source then?"""
    return source == name or uri.startswith(f"{name}/") or f"::{name}/" in uri


def _fate(uri: str, reasons: DiskMap) -> Reason:
    """Why a picture that was not found is not there: gone, or out of sight.

    :param reasons: source_uri → reason, of what was found.
    """
    file = uri.partition("#frame=")[0]
    if (reason := reasons.get(file)) in (Reason.UNREADABLE, Reason.SEVERAL_PICTURES):
        return Reason(reason)  # a further picture of a file that is there and was not looked into
    above = file.rpartition("::")[2]
    while above:
        if reasons.get(above) == Reason.UNREADABLE:
            return Reason.UNREADABLE
        above = above.rpartition("/")[0]
    return Reason.DELETED_AT_SOURCE


def _mark_missing(row: dict[str, Any], fate: Reason, elsewhere: bool) -> None:
    moved = fate is Reason.DELETED_AT_SOURCE and elsewhere
    detail = "the same photo is there under another name" if moved else ""
    row.update(status=str(fate.status), reason=str(fate), detail=detail)


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


def _iter_rows(path: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of a table, some thousand of them in memory at once; of the columns those that are there.

    :raises PhotoAnonymizerError: the file is damaged.
    """
    if not path.is_file():
        return
    try:
        with pq.ParquetFile(path) as table:
            wanted = [name for name in columns if name in table.schema_arrow.names]
            for batch in table.iter_batches(_ROWS, columns=wanted, use_threads=False):
                yield from batch.to_pylist()
    except pa.ArrowInvalid:
        raise PhotoAnonymizerError(f"{path.name} in the vault is damaged; restore it from your backup") from None


def _table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of the ledger as a table. By way of JSON: ``Table.from_pylist`` imports pandas, which takes 70 MB."""
    lines = "\n".join(map(json.dumps, rows)).encode()
    return pyarrow.json.read_json(
        pa.BufferReader(lines),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(lines)),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=LEDGER_SCHEMA, unexpected_field_behavior="ignore"),
    )


def _write(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    with written(path) as temporary:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), temporary)
