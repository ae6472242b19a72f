"""Where photos come from: a local folder or any fsspec URL, listed recursively and read with a limit.

Symbolic links are never followed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import fsspec

from photo_anonymizer.errors import ConfigError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason

FILE = "file://"
_THE_FILES_OWN = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
)
"""Why opening fails for a reason that lies in the file; everything else (a full table, a network) may pass."""


@dataclass(frozen=True)
class Found:
    """A file of the source.

    :param uri: percent-encoded URI, unique in the source, printable whatever bytes the name holds.
    :param problem: why it will not be opened, or None.
    """

    uri: str
    problem: Reason | None = None


def is_local(source: str) -> bool:
    """Is the source a plain path or a ``file://`` URL?"""
    return ("://" not in source and "::" not in source) or source.startswith(FILE)


def list_source(source: str) -> list[Found]:
    """Every file below the source, sorted by URI.

    :raises SourceError: it does not exist, is not a folder, holds no file or cannot be read.
    """
    found = sorted(_list_local(source) if is_local(source) else _list_remote(source), key=lambda item: item.uri)
    if not found:
        raise SourceError("the source holds no files; give a folder with photos")
    return found


def check_source(source: str) -> None:
    """Is there a readable source with at least one file? A local folder is listed up to its first file only.

    :raises SourceError: as :func:`list_source` would.
    """
    if not is_local(source):
        list_source(source)
    elif next(_list_local(source), None) is None:
        raise SourceError("the source folder is empty; give a folder with photos")


def check_apart(source: str, out: str) -> None:
    """Is the output folder outside the source? Inside, what earlier runs wrote would be taken for photos.

    :raises ConfigError: it is not.
    """
    if is_local(source) and Path(out).resolve().is_relative_to(_local_root(source)):
        raise ConfigError("out: the output folder lies inside the folder with the photos; choose another one")


def read_file(uri: str, max_bytes: int) -> bytes:
    """The bytes of one file that :func:`list_source` found.

    :raises PhotoError: too large, no longer a regular file, or unreadable for a reason that lies in the file.
    :raises OSError: input or output failed in a way that may pass (network, disk); worth a retry.
    """
    if uri.startswith(FILE):
        return _read_local(os.fsdecode(unquote_to_bytes(uri.removeprefix(FILE))), max_bytes)
    filesystem, quoted = fsspec.core.url_to_fs(uri)
    path = os.fsdecode(unquote_to_bytes(quoted))
    try:
        size = filesystem.size(path)
        if size is not None and size > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
        with filesystem.open(path, "rb") as stream:
            data = stream.read(max_bytes + 1)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        raise PhotoError(Reason.UNREADABLE, type(error).__name__) from None
    except OSError as error:
        raise _nameless(error) from None
    return _within(bytes(data), max_bytes)


def _nameless(error: OSError) -> OSError:
    """The same error without the file's name, which must not get into a log."""
    what = os.strerror(error.errno) if error.errno else type(error).__name__
    return OSError(error.errno or errno.EIO, f"the source cannot be read ({what})")


def _within(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    return data


def _read_local(path: str, max_bytes: int) -> bytes:
    try:
        # O_NOFOLLOW: a link put in the file's place since the listing is refused. O_NONBLOCK: a pipe does not hang us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in _THE_FILES_OWN:
            raise PhotoError(Reason.UNREADABLE, error.strerror or "") from None
        raise _nameless(error) from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise PhotoError(Reason.NOT_A_REGULAR_FILE)
        if state.st_size > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return _within(stream.read(max_bytes + 1), max_bytes)
    finally:
        os.close(descriptor)


def _local_root(source: str) -> str:
    path = os.fsdecode(unquote_to_bytes(source.removeprefix(FILE))) if source.startswith(FILE) else source
    try:
        root = Path(path).expanduser().resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError("the source folder does not exist") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: ~nobody, or links that go in a circle
        raise SourceError(f"the source folder cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not root.is_dir():
        raise SourceError("the source is not a folder; give the folder that holds the photos")
    return str(root)


def _list_local(source: str) -> Iterator[Found]:
    root = _local_root(source)
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                children = list(entries)
        except OSError as error:
            if folder == root:
                raise SourceError(f"the source folder cannot be read ({error.strerror})") from None
            yield Found(Path(folder).as_uri(), Reason.UNREADABLE)
            continue
        for entry in children:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield Found(Path(entry.path).as_uri(), _problem(entry))


def _problem(entry: os.DirEntry[str]) -> Reason | None:
    if entry.is_symlink():
        return Reason.SYMBOLIC_LINK
    return None if entry.is_file(follow_symlinks=False) else Reason.NOT_A_REGULAR_FILE


def _list_remote(source: str) -> Iterator[Found]:
    try:
        filesystem, root = fsspec.core.url_to_fs(source)
        paths = filesystem.find(root)
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise SourceError(f"the source URL cannot be listed ({type(error).__name__})") from None
    if paths == [root]:
        raise SourceError("the source is not a folder; give the folder that holds the photos")
    inside = root.rstrip("/") + "/" if root.strip("/") else ""
    for path in paths:
        outside = ".." in path.split("/") or not path.startswith(inside)
        yield Found(_below(source, path.removeprefix(inside)), Reason.NOT_A_REGULAR_FILE if outside else None)


def _below(source: str, relative: str) -> str:
    """URI of a file below a remote source: its path percent-encoded, the chain (``zip://…::s3://…``) kept.

    Not fsspec's own: that loses the chain and the host, and a name with ``::`` in it would name another source.
    """
    links = source.split("::")
    at = next((number for number, link in enumerate(links) if "://" in link), 0)
    protocol, _, place = links[at].partition("://")
    host, slash, folder = place.partition("/")
    host = host if "@" in host else host.replace("%", "%25")  # a password in it is quoted already
    base = f"{host}{slash}{quote(folder)}".rstrip("/") + "/" if place else ""
    links[at] = f"{protocol}://{base}{quote(os.fsencode(relative))}"
    return "::".join(links)
