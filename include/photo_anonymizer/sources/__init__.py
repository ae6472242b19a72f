"""Where photos come from: a folder, an archive or a list of URLs, on this machine or behind any fsspec URL.

One module a kind: ``local`` and ``remote`` (with ``web``) list folders and read files, ``archive`` (with ``zip_index``
and ``tar_index``) reads members in place, ``url_list`` reads tables of URLs. Symbolic links are never followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from photo_anonymizer.errors import ConfigError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import archive, local, remote, url_list, web
from photo_anonymizer.sources.content import HEAD_BYTES, Content, content_of
from photo_anonymizer.sources.listing import Listing
from photo_anonymizer.sources.model import FILE, Found, Limits
from photo_anonymizer.sources.remote import using

__all__ = [
    "FILE",
    "Found",
    "Limits",
    "Listing",
    "check_apart",
    "check_source",
    "is_local",
    "list_source",
    "read_file",
    "using",
]

_USE = "give a folder with photos, an archive (.zip, .tar) or a list of URLs (.csv, .parquet)"
_DEFAULTS = Limits()


def is_local(source: str) -> bool:
    """Is the source a plain path or a ``file://`` URL?"""
    return ("://" not in source and "::" not in source) or source.startswith(FILE)


def list_source(source: str, workplace: Path, limits: Limits = _DEFAULTS) -> Listing:
    """Every file of the source, sorted by URI: files below a folder, members of archives, entries of a list.

    :param workplace: a private folder for a file that holds the listing while it is in use.
    :raises SourceError: it does not exist, is nothing that can be a source, holds no file or cannot be read.
    :raises OSError: the network failed; worth a retry.
    """
    found = Listing.of(_files(source, limits), workplace)
    if not len(found):
        raise SourceError(f"the source holds no files; {_USE}")
    return found


def check_source(source: str, limits: Limits = _DEFAULTS) -> None:
    """Is there a readable source with at least one file? Folders are listed up to their first file only.

    :raises SourceError, OSError: as :func:`list_source` would.
    """
    if is_local(source) or archive.split(source) or remote.is_file(source):
        some = next(_files(source, limits), None) is not None
    else:
        some = remote.has_files(source)
    if not some:
        raise SourceError(f"the source is empty; {_USE}")


def check_apart(source: str, out: str) -> None:
    """Is what the run writes outside the source? Inside, what earlier runs wrote would be taken for photos.

    :raises ConfigError: the output folder lies inside the source folder or around listed photos.
    :raises SourceError: the source does not exist, or is a list that cannot be read.
    """
    inside = archive.split(source)
    place = inside[1] if inside else source
    if not is_local(place):
        return
    root, written = Path(local.resolve(place)), Path(out).resolve()
    if written.is_relative_to(root):
        raise ConfigError("out: the output folder lies inside the folder with the photos; choose another one")
    if root.is_file() and url_list.is_list(str(root), local.head(str(root))):
        ours = local.uri_of(str(written)) + "/"
        if any(entry.uri.startswith(ours) for entry in _list_entries(local.uri_of(str(root)))):
            raise ConfigError("out: the list names photos inside the output folder; choose another one")


def read_file(uri: str, max_bytes: int, limits: Limits = _DEFAULTS) -> bytes:
    """The bytes of one file that :func:`list_source` found.

    :param limits: as given to :func:`list_source`; only members of archives need them.
    :raises PhotoError: too large, no longer a regular file, or unreadable for a reason that lies in the file.
    :raises OSError: input or output failed in a way that may pass (network, disk), or a store refuses the credentials;
        worth a retry.
    """
    if uri.startswith(FILE):
        return local.read(uri, max_bytes)
    if member := archive.split(uri):
        return archive.read(*member, max_bytes, limits)
    return remote.read(uri, max_bytes)


def _files(source: str, limits: Limits) -> Iterator[Found]:
    if member := archive.split(source):
        folder, container = member
        return _archive(_uri_of(container), limits, folder)
    if is_local(source):
        return _local_files(local.resolve(source), limits)
    if remote.is_file(source):
        return _one_file(_uri_of(source), limits)
    return remote.list_folder(source)


def _uri_of(file: str) -> str:
    """The URI under which a source that is one file is read."""
    if archive.split(file):
        raise SourceError(f"archives inside archives are not read; unpack the outer one, or {_USE}")
    if is_local(file):
        return local.uri_of(local.resolve(file))
    return web.clean(file) if web.is_web(file) else remote.below(file, "").rstrip("/")


def _local_files(root: str, limits: Limits) -> Iterator[Found]:
    if not Path(root).is_dir():
        yield from _one_file(local.uri_of(root), limits)
        return
    for found, content in local.list_folder(root):
        if content in archive.ARCHIVES:
            yield from archive.in_folder(found, limits)
        elif content is Content.COMPRESSED:
            yield Found(found.uri, Reason.UNSUPPORTED_FORMAT, archive.COMPRESSED)
        else:
            yield found


def _one_file(uri: str, limits: Limits) -> Iterator[Found]:
    """The files of a source that is one file itself."""
    # A web server may only send whole files: a list is known by its name there.
    head = b"" if web.is_web(uri) and url_list.is_list(uri, b"") else _head(uri)
    content = content_of(head)
    if content in archive.ARCHIVES or content is Content.COMPRESSED:
        return _archive(uri, limits)
    if url_list.is_list(uri, head):
        return _list_entries(uri)
    raise SourceError(f"the source is not a folder, and not an archive or a list either; {_USE}")


def _head(uri: str) -> bytes:
    if uri.startswith(FILE):
        return local.head(local.path_of(uri))
    try:
        return remote.open_blob(uri).read_at(0, HEAD_BYTES)
    except (PhotoError, PermissionError) as error:
        raise _refused(error) from None


def _archive(container: str, limits: Limits, folder: str = "") -> Iterator[Found]:
    try:
        yield from archive.members_of(container, limits, folder)
    except (PhotoError, PermissionError) as error:
        raise _refused(error) from None


def _list_entries(uri: str) -> Iterator[Found]:
    try:
        data = read_file(uri, url_list.MAX_LIST_BYTES)
    except PhotoError as error:
        raise _refused(error) from None
    return url_list.entries_of(uri, data)


def _refused(error: PhotoError | PermissionError) -> SourceError:
    if isinstance(error, PermissionError):  # while photos are read worth a retry, before the run began it is not
        return SourceError(error.strerror)
    return SourceError(f"the source cannot be read: {error.detail or error.reason.replace('_', ' ')}")
