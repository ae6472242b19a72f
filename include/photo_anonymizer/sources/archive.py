"""Archives (zip, plain tar) read in place: nothing is unpacked to disk, and the index is parsed once a process.

A member's URI is ``zip://<key>::<URI of the archive>`` (or ``tar://``), as fsspec chains them.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import local, remote, tar_index, zip_index
from photo_anonymizer.sources.content import HEAD_BYTES, Content, content_of
from photo_anonymizer.sources.member import Member, by_key
from photo_anonymizer.sources.model import FILE, Blob, Found, Limits

ARCHIVES = {Content.ZIP: "zip", Content.TAR: "tar"}
COMPRESSED = "compressed archives cannot be read in place: unpack it, or use zip or plain tar"
_KEPT_OPEN = 16
_LOCAL_STEP, _REMOTE_STEP = 1 << 12, 1 << 22
"""Bytes read at once when a tar archive's headers are walked: little where it is cheap, much where it is a request."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive with its index."""

    blob: Blob
    content: Content
    members: Mapping[str, Member]

    def read(self, key: str, max_bytes: int) -> bytes:
        """The bytes of one member.

        :raises PhotoError: it is refused, too large, damaged or not there.
        :raises OSError: the archive could not be read now; worth a retry.
        """
        member = self.members.get(key)
        if member is None:
            raise PhotoError(Reason.UNREADABLE, "no longer in the archive")
        if member.problem:
            raise PhotoError(member.problem, member.detail)
        read = zip_index.read if self.content is Content.ZIP else tar_index.read
        return read(self.blob, member, max_bytes)


def split(uri: str) -> tuple[str, str] | None:
    """The key and the archive's URI of ``zip://<key>::<archive>``, ``zip::<archive>`` included; None: no such URI."""
    link, separator, container = uri.partition("::")
    scheme, _, key = link.partition("://")
    return (key, container) if separator and scheme in ARCHIVES.values() else None


def members_of(container: str, limits: Limits, folder: str = "") -> Iterator[Found]:
    """The members of an archive.

    :param container: URI of the archive.
    :param folder: only members below this folder of the archive.
    :raises PhotoError: the archive as a whole is refused.
    :raises OSError: it could not be read now; worth a retry.
    """
    inside = quote(folder.rstrip("/"), safe="/%") + "/" if folder.strip("/") else ""
    archive = _opened(container, limits, anew=not container.startswith(FILE))
    for key, member in archive.members.items():
        if key.startswith(inside):
            yield Found(f"{ARCHIVES[archive.content]}://{key}::{container}", member.problem, member.detail)


def in_folder(found: Found, limits: Limits) -> Iterator[Found]:
    """The members of an archive that lies in a folder; one row for the archive if it is refused or empty."""
    empty = True
    try:
        for member in members_of(found.uri, limits):
            empty = False
            yield member
    except PhotoError as error:
        yield Found(found.uri, Reason(error.reason), error.detail)
        return
    if empty:
        yield Found(found.uri, Reason.EMPTY_FILE, "an archive without files")


def read(key: str, container: str, max_bytes: int, limits: Limits) -> bytes:
    """The bytes of one member.

    :raises PhotoError, OSError: as :meth:`Archive.read`, or the archive as a whole is refused.
    """
    return _opened(container, limits).read(key, max_bytes)


_lock = threading.Lock()
_open: OrderedDict[object, Archive] = OrderedDict()


def _opened(container: str, limits: Limits, anew: bool = False) -> Archive:
    """The archive, from a small cache. One that was replaced since, or whose credentials were, is opened anew.

    :param anew: leave the cache: a remote archive may have been replaced since the last listing.
    """
    key = (container, limits, _stamp(container))
    with _lock:  # held while the index is parsed: others that want it would only parse it as well
        if key in _open and not anew:
            _open.move_to_end(key)
            return _open[key]
        _open[key] = archive = _parsed(container, limits)
        if len(_open) > _KEPT_OPEN:
            _open.popitem(last=False)
        return archive


def _stamp(container: str) -> object:
    if not container.startswith(FILE):
        return remote.generation()
    try:
        state = os.stat(local.path_of(container), follow_symlinks=False)  # noqa: PTH116 - a third of Path's time
    except OSError:
        return None  # opening says why
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns


def _parsed(container: str, limits: Limits) -> Archive:
    on_disk = container.startswith(FILE)
    blob: Blob = local.LocalBlob(container) if on_disk else remote.open_blob(container)
    content = content_of(blob.read_at(0, HEAD_BYTES))
    if content is Content.ZIP:
        members = zip_index.index(blob, limits)
    elif content is Content.TAR:
        members = tar_index.index(blob, limits, _LOCAL_STEP if on_disk else _REMOTE_STEP)
    elif content is Content.COMPRESSED:
        raise PhotoError(Reason.UNSUPPORTED_FORMAT, COMPRESSED)
    else:
        raise PhotoError(Reason.UNREADABLE, "this is no zip or tar archive")
    return Archive(blob, content, by_key(members))


def forget() -> None:
    """Closes what is open. In a forked process, connections and a lock that is held belong to its parent."""
    global _lock
    _lock = threading.Lock()
    _open.clear()


os.register_at_fork(after_in_child=forget)
