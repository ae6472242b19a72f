"""The index of a zip archive, after PKWARE's APPNOTE.TXT 6.3.10, and one member's bytes.

Not :mod:`zipfile`: that reads through one file position (a lock for all threads, and nonsense after a fork), reads the
whole index before it can be limited, and gives up the archive for one name that is not UTF-8.
"""

from __future__ import annotations

import itertools
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.member import DEFLATED, STORED, Member, is_unsafe
from photo_anonymizer.sources.model import Blob, Limits

_END = struct.Struct("<4s4H2LH")  # 4.3.16 end of central directory record
_END_64_LOCATOR = struct.Struct("<4sLQL")  # 4.3.15
_END_64 = struct.Struct("<4sQ2H2L4Q")  # 4.3.14
_ENTRY = struct.Struct("<4s6H3L5H2L")  # 4.3.12 central directory header
_LOCAL = struct.Struct("<4s5H3L2H")  # 4.3.7 local file header
_MAX_COMMENT = 0xFFFF
_FULL_32 = 0xFFFFFFFF
"""Stands in a 32-bit field whose value is in the zip64 extra field."""
_ZIP64_EXTRA = 0x0001
_ENCRYPTED, _UTF8 = 0x0001, 0x0800  # 4.4.4 general purpose bits 0 and 11
_UNIX, _MACOS = 3, 19  # 4.4.2: what the upper half of the external attributes means
_MEAN_ENTRY = 512
"""Bytes that an index entry may take on average, with names, extra fields and comments."""
_LOCAL_EXTRA = 512
"""Read in advance behind the local header, so that one read, or one request, gets the data as well."""


def index(blob: Blob, limits: Limits) -> list[Member]:
    """Every member but plain folders, in the archive's order.

    :raises PhotoError: the archive is damaged, in several parts, or has more members than the limit.
    """
    start, length, count = _directory(blob)
    if count > limits.max_archive_files or length > max(limits.max_archive_files, 64) * _MEAN_ENTRY:
        raise too_many(limits)
    directory = blob.read_at(start, length)
    if len(directory) < length:
        raise damaged()
    members = list(itertools.islice(_entries(directory), limits.max_archive_files + 1))
    if len(members) > limits.max_archive_files:
        raise too_many(limits)
    if len(members) % 0x10000 != count % 0x10000:  # writers without zip64 let the count run over
        raise damaged()
    members = [_judged(member, limits) for member in _without_overlaps(members, start)]
    return [member for member in members if not (member.name.endswith(b"/") and member.size == 0)]


def read(blob: Blob, member: Member, max_bytes: int) -> bytes:
    """The unpacked bytes of one member, never more than the index has said.

    :raises PhotoError: packed or unpacked too large, damaged, or packed in an unusual way.
    """
    if max(member.size, member.packed) > max_bytes:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    packed = _packed(blob, member)
    data = packed if member.method == STORED else _inflated(packed, member.size)
    if len(data) != member.size or zlib.crc32(data) != member.crc:
        raise PhotoError(Reason.UNREADABLE, "size or checksum is not what the archive says")
    return data


def damaged() -> PhotoError:
    """The archive is not what its format says."""
    return PhotoError(Reason.UNREADABLE, "the archive is damaged or incomplete")


def too_many(limits: Limits) -> PhotoError:
    """The archive has more members than the limit."""
    return PhotoError(
        Reason.ARCHIVE_BOMB,
        f"the archive holds more than {limits.max_archive_files} files; split it or raise ingest.max_archive_files",
    )


def _directory(blob: Blob) -> tuple[int, int, int]:
    """Where the central directory starts, its length in bytes, and how many entries it is said to have."""
    tail_start = max(0, blob.size - _END.size - _MAX_COMMENT)
    tail = blob.read_at(tail_start, blob.size - tail_start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END.size:
        raise damaged()
    _, disk, first_disk, _, count, length, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    locator = at - _END_64_LOCATOR.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\6\7":
        end = _END_64_LOCATOR.unpack_from(tail, locator)[2]
        disk, first_disk, count, length, start = _directory_64(blob, end)
    if disk or first_disk:
        raise PhotoError(Reason.UNREADABLE, "the archive is in several parts")
    if start + length > end:
        raise damaged()
    return start, length, count


def _directory_64(blob: Blob, at: int) -> tuple[int, int, int, int, int]:
    record = blob.read_at(at, _END_64.size) if at < blob.size else b""
    if len(record) < _END_64.size or record[:4] != b"PK\6\6":
        raise damaged()
    _, _, _, _, disk, first_disk, _, count, length, start = _END_64.unpack(record)
    return disk, first_disk, count, length, start


def _entries(directory: bytes) -> Iterator[Member]:
    at = 0
    while at < len(directory):
        if len(directory) - at < _ENTRY.size:
            raise damaged()
        fields = _ENTRY.unpack_from(directory, at)
        signature, made_by, _, flags, method, _, _, crc, packed, size, n, m, k, _, _, attributes, offset = fields
        name_end = at + _ENTRY.size + n
        following = name_end + m + k
        if signature != b"PK\1\2" or following > len(directory):
            raise damaged()
        name = directory[at + _ENTRY.size : name_end]
        if not flags & _UTF8:
            name = name.decode("cp437").encode()  # D.1: the original PC's characters
        size, packed, offset = _wide(directory[name_end : name_end + m], size, packed, offset)
        member = Member(name, offset, packed, size, method, crc)
        yield _of_kind(member, made_by >> 8, attributes, bool(flags & _ENCRYPTED))
        at = following


def _wide(extra: bytes, *values: int) -> tuple[int, ...]:
    """The values, those that did not fit into 32 bits taken from the zip64 extra field (4.5.3)."""
    if _FULL_32 not in values:
        return values
    at = 0
    while at + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, at)
        if tag == _ZIP64_EXTRA:
            wide = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            try:
                return tuple(next(wide) if value == _FULL_32 else value for value in values)
            except (StopIteration, RuntimeError):  # in a generator the one becomes the other
                raise damaged() from None
        at += 4 + length
    return values


def _of_kind(member: Member, system: int, attributes: int, encrypted: bool) -> Member:
    """What the entry says it is, as far as that speaks against reading it."""
    mode = attributes >> 16 if system in (_UNIX, _MACOS) else 0
    if stat.S_ISLNK(mode):
        return member.refused(Reason.SYMBOLIC_LINK)
    kind = stat.S_IFMT(mode)
    if (kind and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)) or (member.name.endswith(b"/") and member.size):
        return member.refused(Reason.NOT_A_REGULAR_FILE)
    if is_unsafe(member.name):
        return member.refused(Reason.UNSAFE_PATH)
    if encrypted:
        return member.refused(Reason.UNREADABLE, "encrypted")
    if member.method not in (STORED, DEFLATED):
        return member.refused(Reason.UNREADABLE, "packed by a method other than deflate; pack it anew")
    return member


def _judged(member: Member, limits: Limits) -> Member:
    if member.size > limits.max_archive_ratio * max(member.packed, 1):
        return member.refused(Reason.ARCHIVE_BOMB, f"unpacks to more than {limits.max_archive_ratio:g} times its size")
    return member


def _without_overlaps(members: list[Member], directory_start: int) -> list[Member]:
    """Members that share bytes with another or with the index refused: so a small file unpacks to a huge collection."""
    order = sorted(range(len(members)), key=lambda number: members[number].offset)
    overlapping: set[int] = set()
    furthest, owner = 0, -1
    for number in order:
        member = members[number]
        end = member.offset + _LOCAL.size + member.packed
        if member.offset < furthest:
            overlapping |= {number, owner}
        if end > directory_start:
            overlapping.add(number)
        if end > furthest:
            furthest, owner = end, number
    return [
        replace(member, problem=Reason.ARCHIVE_BOMB, detail="shares its bytes with another member")
        if number in overlapping
        else member
        for number, member in enumerate(members)
    ]


def _packed(blob: Blob, member: Member) -> bytes:
    ahead = _LOCAL.size + len(member.name) + _LOCAL_EXTRA
    found = blob.read_at(member.offset, ahead + member.packed)
    if len(found) < _LOCAL.size or found[:4] != b"PK\3\4":
        raise damaged()
    *_, name_length, extra_length = _LOCAL.unpack_from(found)
    start = _LOCAL.size + name_length + extra_length
    data = found[start : start + member.packed]
    if len(data) < member.packed:  # more in front of the data than the index let expect
        data = blob.read_at(member.offset + start, member.packed)
    return data


def _inflated(packed: bytes, size: int) -> bytes:
    """At most one byte more than ``size``: enough to see that the index has lied."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error:
        raise PhotoError(Reason.UNREADABLE, "the packed bytes are damaged") from None
