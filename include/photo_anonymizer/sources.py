"""Where photos come from: a local folder or any fsspec URL, listed recursively and read with a limit.

Symbolic links are never followed and nothing outside the source is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

import fsspec

from photo_anonymizer.errors import PhotoError, SourceError
from photo_anonymizer.model.record import Reason

FILE = "file://"


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
    """Is there a readable, non-empty folder? Costs one listing of its top level.

    :raises SourceError: as :func:`list_source` would.
    """
    if is_local(source):
        root = _local_root(source)
        try:
            with os.scandir(root) as entries:
                if next(entries, None) is None:
                    raise SourceError("the source folder is empty; give a folder with photos")
        except OSError as error:
            raise SourceError(f"the source folder cannot be read ({error.strerror})") from None
    else:
        list_source(source)


def read_file(uri: str, max_bytes: int) -> bytes:
    """The bytes of one file that :func:`list_source` found.

    :raises PhotoError: too large, no longer a regular file, or unreadable for a reason that lies in the file.
    :raises OSError: input or output failed in a way that may pass (network, disk); worth a retry.
    """
    if uri.startswith(FILE):
        return _read_local(os.fsdecode(unquote_to_bytes(uri.removeprefix(FILE))), max_bytes)
    filesystem, path = fsspec.core.url_to_fs(uri)
    size = filesystem.size(path)
    if size is not None and size > max_bytes:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    try:
        with filesystem.open(path, "rb") as stream:
            data = stream.read(max_bytes + 1)
    except (FileNotFoundError, PermissionError) as error:
        raise PhotoError(Reason.UNREADABLE, type(error).__name__) from None
    return _within(bytes(data), max_bytes)


def _within(data: bytes, max_bytes: int) -> bytes:
    if len(data) > max_bytes:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    return data


def _read_local(path: str, max_bytes: int) -> bytes:
    try:
        # O_NOFOLLOW: a link put in the file's place since the listing is refused. O_NONBLOCK: a pipe does not hang us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PhotoError(Reason.UNREADABLE, error.strerror or "") from None
    with os.fdopen(descriptor, "rb") as stream:
        state = os.fstat(stream.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise PhotoError(Reason.NOT_A_REGULAR_FILE)
        if state.st_size > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
        return _within(stream.read(max_bytes + 1), max_bytes)


def _local_root(source: str) -> str:
    path = os.fsdecode(unquote_to_bytes(source.removeprefix(FILE))) if source.startswith(FILE) else source
    root = Path(path).expanduser()
    if not root.exists():
        raise SourceError("the source folder does not exist")
    if not root.is_dir():
        raise SourceError("the source is not a folder; give the folder that holds the photos")
    return str(root.resolve())


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
    except (OSError, ValueError, ImportError) as error:
        raise SourceError(f"the source URL cannot be listed ({type(error).__name__})") from None
    inside = root.rstrip("/") + "/" if root.strip("/") else ""
    for path in paths:
        outside = ".." in path.split("/") or not path.startswith(inside)
        yield Found(str(filesystem.unstrip_protocol(path)), Reason.NOT_A_REGULAR_FILE if outside else None)
