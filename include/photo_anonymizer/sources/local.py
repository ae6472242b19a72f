"""Files of this machine: listed recursively, opened without following a link and without waiting for a pipe."""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from photo_anonymizer.errors import PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.content import HEAD_BYTES, Content, content_of
from photo_anonymizer.sources.model import FILE, Found, nameless, within

# O_NOFOLLOW: a link put in the file's place since the listing is refused. O_NONBLOCK: a pipe does not hang us.
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_THE_FILES_OWN = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
)
"""Why opening fails for a reason that lies in the file; everything else (a full table, a network) may pass."""


def uri_of(path: str) -> str:
    """The ``file://`` URI of an absolute path (half the time of ``Path.as_uri``, and the same result)."""
    return FILE + quote(os.fsencode(path))


def path_of(uri: str) -> str:
    """The path of a ``file://`` URI."""
    return os.fsdecode(unquote_to_bytes(uri.removeprefix(FILE)))


def resolve(source: str) -> str:
    """The absolute path, without links, of what the user named: a folder or a file.

    :raises SourceError: it does not exist or cannot be looked at.
    """
    path = path_of(source) if source.startswith(FILE) else source
    try:
        return str(Path(path).expanduser().resolve(strict=True))
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError("the source folder does not exist") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: ~nobody, or links that go in a circle
        raise SourceError(f"the source folder cannot be read ({getattr(error, 'strerror', None) or error})") from None


def list_folder(root: str) -> Iterator[tuple[Found, Content]]:
    """Every file below ``root`` in no order, with what is in it.

    :raises SourceError: ``root`` cannot be read. A folder below it that cannot be read is an entry of its own.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        above = uri_of(folder).rstrip("/") + "/"
        for entry in _entries(folder):
            if isinstance(entry, OSError):
                if folder == root:
                    raise SourceError(f"the source folder cannot be read ({entry.strerror})")
                yield Found(uri_of(folder), Reason.UNREADABLE), Content.OTHER
            elif entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                problem = _problem(entry)
                content = Content.OTHER if problem else content_of(head(entry.path))
                yield Found(above + quote(os.fsencode(entry.name)), problem), content


def _entries(folder: str) -> Iterator[os.DirEntry[str] | OSError]:
    """What a folder holds, one by one: a folder may hold a whole collection. Last an error, if there was one."""
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        yield error


def _problem(entry: os.DirEntry[str]) -> Reason | None:
    if entry.is_symlink():
        return Reason.SYMBOLIC_LINK
    return None if entry.is_file(follow_symlinks=False) else Reason.NOT_A_REGULAR_FILE


def head(path: str) -> bytes:
    """The first bytes of a file (five microseconds); nothing of one that cannot be read, which reading will report."""
    try:
        descriptor = os.open(path, _OPEN)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, HEAD_BYTES, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def read(uri: str, max_bytes: int) -> bytes:
    """All bytes of a file.

    :raises PhotoError: too large, no longer a regular file, or unreadable for a reason that lies in the file.
    :raises OSError: input or output failed in a way that may pass; worth a retry.
    """
    descriptor, state = _open_file(path_of(uri))
    try:
        if state.st_size > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
        return _read_all(descriptor, state.st_size, max_bytes)
    except OSError as error:
        raise nameless(error) from None
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int, max_bytes: int) -> bytes:
    data = os.read(descriptor, size + 1)
    while len(data) <= max_bytes and (more := os.read(descriptor, 1 << 20)):  # as a rule one read that finds the end
        data += more
    return within(data, max_bytes)


def _open_file(path: str) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        if error.errno in _THE_FILES_OWN:
            raise PhotoError(Reason.UNREADABLE, error.strerror or "") from None
        raise nameless(error) from None
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        os.close(descriptor)
        raise PhotoError(Reason.NOT_A_REGULAR_FILE)
    return descriptor, state


class LocalBlob:
    """An open file that threads and forked processes read without disturbing each other: it has no position."""

    def __init__(self, uri: str) -> None:
        """:raises PhotoError, OSError: as :func:`read`."""
        self._descriptor, state = _open_file(path_of(uri))
        self.size = state.st_size
        # Closed with its last user: a thread may still read what others have put out of the cache.
        weakref.finalize(self, os.close, self._descriptor)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`photo_anonymizer.sources.model.Blob`."""
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            raise nameless(error) from None
