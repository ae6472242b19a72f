"""The index of a tar archive, which has none: its headers are walked once. After POSIX.1-2017 ``pax`` (ustar and pax
headers) and the GNU tar manual's *Basic Tar Format* (long names, large numbers, sparse files).

Not :mod:`tarfile`: that takes a header it cannot read for the archive's end, so that the photos behind it would be
passed over in silence, and reads an extended header whole, however long it says it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.member import Member, is_unsafe
from photo_anonymizer.sources.model import Blob, Limits
from photo_anonymizer.sources.zip_index import damaged, too_many

_BLOCK = 512
_OCTAL = re.compile(rb"[0-7]*")
_HEADERS_A_MEMBER = 8
"""Headers that are walked for each member that is allowed: folders and extended headers are no members, but work."""
_MAX_EXTENDED = 1 << 20
"""Longest extended header that is read, in bytes: a name of many gigabytes is no name."""
_FILE, _SYMBOLIC_LINK, _FOLDER = frozenset(b"\x0007"), ord("2"), ord("5")
_WITHOUT_DATA = frozenset(b"123456")
"""Links, devices, folders, pipes: whatever size they claim, nothing follows their header."""
_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK, _SPARSE = ord("x"), ord("g"), ord("L"), ord("K"), ord("S")
_EXTENDED = frozenset({_PAX, _PAX_GLOBAL, _LONG_NAME, _LONG_LINK})


@dataclass(slots=True)
class _Overrides:
    """What extended headers say about the member behind them."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


def index(blob: Blob, limits: Limits, step: int) -> list[Member]:
    """Every member but folders, in the archive's order.

    :param step: bytes that are read at once while the headers are walked.
    :raises PhotoError: the archive is damaged or incomplete, or has more members than the limit.
    """
    window, members, overrides, at = _Window(blob, step), list[Member](), _Overrides(), 0
    headers = 0
    while any(header := _header(window, at)):
        headers += 1
        if headers > _HEADERS_A_MEMBER * limits.max_archive_files + 1000:
            raise too_many(limits)
        kind, data = header[156], at + _BLOCK
        size = _number(header[124:136])
        if kind in _EXTENDED:
            _override(overrides, kind, _extended(window, data, size))
            at = _after(data, size)
            continue
        if kind == _SPARSE:
            data = _behind_sparse_map(window, header, data)
        size = 0 if kind in _WITHOUT_DATA else size if overrides.size is None else overrides.size
        member = _member(overrides.name or _name(header), kind, data, size, overrides.sparse)
        if kind != _FOLDER and not (kind in _FILE and member.name.endswith(b"/")):
            members.append(member)
        if len(members) > limits.max_archive_files:
            raise too_many(limits)
        at, overrides = _after(data, size), _Overrides()
        if at > blob.size:
            raise damaged()
    return members


def read(blob: Blob, member: Member, max_bytes: int) -> bytes:
    """The bytes of one member.

    :raises PhotoError: too large, or cut off since the index was read.
    """
    if member.size > max_bytes:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    data = blob.read_at(member.offset, member.size)
    if len(data) < member.size:
        raise damaged()
    return data


def _header(window: _Window, at: int) -> bytes:
    """The header at a place, or the block of zeros that ends every archive; without it something is missing."""
    header = window.read_at(at, _BLOCK)
    if len(header) < _BLOCK:
        raise damaged()
    if any(header) and sum(header) - sum(header[148:156]) + 8 * ord(" ") != _number(header[148:156]):
        raise damaged()
    return header


def _number(field: bytes) -> int:
    """Octal digits, or, where they would not do, the number itself with the first bit set (GNU)."""
    if field[0] & 0x80:
        if field[0] != 0x80:  # negative
            raise damaged()
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not _OCTAL.fullmatch(digits):  # int() would take signs and underscores too
        raise damaged()
    return int(digits or b"0", 8)


def _after(data: int, size: int) -> int:
    return data + -(-size // _BLOCK) * _BLOCK


def _name(header: bytes) -> bytes:
    name, prefix = (header[start:end].partition(b"\0")[0] for start, end in ((0, 100), (345, 500)))
    posix = header[257:263] == b"ustar\0"  # GNU keeps times in the prefix's place
    return prefix + b"/" + name if posix and prefix else name


def _member(name: bytes, kind: int, data: int, size: int, sparse: bool) -> Member:
    member = Member(name, data, size, size)
    if kind == _SYMBOLIC_LINK:
        return member.refused(Reason.SYMBOLIC_LINK)
    if kind not in _FILE or sparse:
        return member.refused(Reason.NOT_A_REGULAR_FILE)
    return member.refused(Reason.UNSAFE_PATH) if is_unsafe(name) else member


def _extended(window: _Window, at: int, size: int) -> bytes:
    if size > _MAX_EXTENDED:
        raise damaged()
    data = window.read_at(at, size)
    if len(data) < size:
        raise damaged()
    return data


def _override(overrides: _Overrides, kind: int, data: bytes) -> None:
    if kind == _LONG_NAME:
        overrides.name = data.rstrip(b"\0")
    elif kind == _PAX:
        records = _pax(data)
        overrides.name = records.get(b"path", overrides.name)
        overrides.sparse = any(key.startswith(b"GNU.sparse.") for key in records)
        if b"size" in records:
            overrides.size = _decimal(records[b"size"])


def _pax(data: bytes) -> dict[bytes, bytes]:
    """Records ``<length> <key>=<value>\\n``, the length counting all of itself."""
    records, at = dict[bytes, bytes](), 0
    while at < len(data):
        length = _decimal(data[at : at + 20].partition(b" ")[0])
        record = data[at : at + length]
        if not record.endswith(b"\n") or len(record) < length:
            raise damaged()
        key, _, value = record[:-1].partition(b" ")[2].partition(b"=")
        records[key] = value
        at += length
    return records


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 20:
        raise damaged()
    return int(digits)


def _behind_sparse_map(window: _Window, header: bytes, data: int) -> int:
    """Where a GNU sparse file's data starts: its map may go on in blocks of its own."""
    more = header[482]
    while more:
        block = window.read_at(data, _BLOCK)
        if len(block) < _BLOCK:
            raise damaged()
        more, data = block[504], data + _BLOCK
    return data


class _Window:
    """Reads ahead, because the next header is often near and a read may be a request."""

    def __init__(self, blob: Blob, step: int) -> None:
        self._blob, self._step = blob, step
        self._at, self._data = 0, b""

    def read_at(self, offset: int, length: int) -> bytes:
        start = offset - self._at
        if start < 0 or start + length > len(self._data):
            self._at, self._data, start = offset, self._blob.read_at(offset, max(length, self._step)), 0
        return self._data[start : start + length]
