"""A list of photos: a CSV (RFC 4180) or Parquet table with a column of URLs or paths, each a row of the ledger.

The list is trusted input: it names what is read with the pipeline's rights.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urljoin, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from photo_anonymizer.errors import SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import local, remote, web
from photo_anonymizer.sources.content import Content, content_of
from photo_anonymizer.sources.model import FILE, Found

COLUMNS = ("url", "uri", "path")
MAX_LIST_BYTES = 1 << 30
STORES = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
"""Protocols of which an entry is the object's name, character for character, as the stores' own tools write it."""
_EXPECTED = "a list needs a first line with the columns' names and a column url, uri or path (or just one column)"
_BATCH = 65_536


def is_list(uri: str, head: bytes) -> bool:
    """Is the file a list? Parquet is known by its content, CSV, which has no mark, by its name."""
    name = urlsplit(uri).path if web.is_web(uri) else uri
    return content_of(head) is Content.PARQUET or name.lower().endswith(".csv")


def entries_of(uri: str, data: bytes) -> Iterator[Found]:
    """Every entry in the list's order; blank ones are passed over.

    :param uri: of the list, as :func:`photo_anonymizer.sources.read_file` takes it.
    :param data: the list.
    :raises SourceError: it is no table, or has no column that could be meant.
    """
    protocols: set[str] = set()
    texts = _parquet_column(data) if content_of(data[:512]) is Content.PARQUET else _csv_column(data)
    for text in texts:
        if not (text := (text or "").strip()):
            continue
        found = entry(text, uri)
        protocol = found.uri.partition("://")[0]
        if not found.problem and protocol not in protocols and protocol != "file":
            # A missing package is the run's problem, not the photo's. No address as it stands: it may hold a "::".
            remote.file_system(f"{protocol}://host" if web.is_web(found.uri) else found.uri)
            protocols.add(protocol)
        yield found


def entry(text: str, list_uri: str) -> Found:
    """What one entry of the list means.

    :param list_uri: URI of the list; relative entries are looked for beside it.
    """
    protocol, separator, rest = text.partition("://")
    protocol = protocol.lower()
    if not separator:
        return _path_entry(text, list_uri)
    if protocol == "file":
        return _local_entry(local.path_of(FILE + rest), list_uri)
    if protocol in {"http", "https"}:
        return Found(web.clean(f"{protocol}://{rest}"))
    uri = f"{protocol}://{quote(rest)}"
    if protocol not in STORES:
        return Found(quote(text, safe="/:"), Reason.UNREADABLE, "the list names a protocol that lists cannot use")
    return Found(uri)


def _path_entry(text: str, list_uri: str) -> Found:
    if text.startswith("/"):
        return _local_entry(text, list_uri)
    if web.is_web(list_uri):
        return Found(web.clean(urljoin(list_uri, quote(text, safe="/%?=&"))))
    if list_uri.startswith(FILE):
        return _local_entry(posixpath.join(posixpath.dirname(local.path_of(list_uri)), text), list_uri)
    protocol, _, place = list_uri.partition("://")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place), quote(text)))
    if path.partition("/")[0] != place.partition("/")[0]:
        return Found(quote(text), Reason.UNSAFE_PATH, "the entry leaves the list's bucket")
    return Found(f"{protocol}://{path}")


def _local_entry(path: str, list_uri: str) -> Found:
    if "\0" in path or not path.startswith("/"):
        return Found(FILE + quote(path), Reason.UNSAFE_PATH, "not an absolute path")
    uri = local.uri_of(posixpath.normpath(path))
    if not list_uri.startswith(FILE):
        return Found(uri, Reason.UNSAFE_PATH, "a list from elsewhere cannot name files of this machine")
    return Found(uri)


def _csv_column(data: bytes) -> Iterator[str | None]:
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")  # decoded as it is read, not as a whole
    try:
        rows = csv.reader(text, delimiter=_delimiter(data))
        names = next(rows, [])
        column = _column(names)
        if len(names) == 1 and re.search(r"[/.]", names[0]):
            raise SourceError(f"the list has no names of columns: {_EXPECTED}")
        for row in rows:
            yield row[column] if column < len(row) else None
    except UnicodeDecodeError:
        raise SourceError("the list is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error:
        raise SourceError(f"the list is no readable CSV file: {_EXPECTED}") from None


def _delimiter(data: bytes) -> str:
    """Comma, or what spreadsheets write in its place where the comma is the decimal sign."""
    first = data.partition(b"\n")[0]
    return next((sign for sign in ",;\t" if sign.encode() in first), ",")


def _parquet_column(data: bytes) -> Iterator[str | None]:
    try:
        table = pq.ParquetFile(io.BytesIO(data))
        names = table.schema_arrow.names
        column = _column(names)
        for batch in table.iter_batches(_BATCH, columns=[names[column]]):
            yield from _texts(batch.column(0))
    except (pa.ArrowException, OSError):
        raise SourceError(f"the list is no readable Parquet file: {_EXPECTED}") from None


def _texts(column: pa.Array) -> list[str | None]:
    if not _is_text(column.type):
        raise SourceError(f"the list's column holds no text: {_EXPECTED}")
    try:
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
    except UnicodeDecodeError:
        raise SourceError("the list's column is not UTF-8 text") from None
    return texts


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _column(names: Sequence[str]) -> int:
    """The number of the column to read.

    :raises SourceError: none is meant.
    """
    cleaned = [name.strip().lower() for name in names]
    for wanted in COLUMNS:
        if wanted in cleaned:
            return cleaned.index(wanted)
    if len(cleaned) != 1:
        raise SourceError(f"the list has no column that could be meant: {_EXPECTED}")
    return 0
