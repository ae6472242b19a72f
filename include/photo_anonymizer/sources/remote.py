"""Files anywhere else, through fsspec: object stores, and whatever else it knows.

Credentials are the environment's own unless :func:`using` lays others over them.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import fsspec
import fsspec.asyn

from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources import web
from photo_anonymizer.sources.failure import failure, is_refusal
from photo_anonymizer.sources.model import Blob, Found, within

Options = web.Options

ALIASES = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az", "https": "http"}
"""Other names of a protocol → the name that options stand under."""
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "http": "aiohttp"}

# Read when gcsfs is imported: without it every bucket's kind is asked by gRPC, which takes a minute where only HTTP
# gets out, and does not survive a fork. Photos are read the same way whatever the kind.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
# It would log addresses of objects.
logging.getLogger("gcsfs").setLevel(logging.CRITICAL)

# Airflow's tasks are forks; a lock that another thread of the parent held would never be free in the child.
os.register_at_fork(after_in_child=fsspec.asyn.reset_lock)

_options: Options = {}
_generation = 0


@contextmanager
def using(options: Options) -> Iterator[None]:
    """Inside, all remote reading of this process uses these options (credentials, endpoints).

    For the process and not for the thread or context: the stages' worker threads must see them too.
    """
    global _options, _generation
    before = _options
    _options = {ALIASES.get(protocol, protocol): chosen for protocol, chosen in options.items()}
    _generation += 1
    try:
        yield
    finally:
        _options, _generation = before, _generation + 1


def generation() -> int:
    """Changes whenever the options do: what was opened under others must not be used again."""
    return _generation


def storage_options(url: str) -> dict[str, dict[str, Any]]:
    """The options in force for the protocols of a URL, links of a chain included, under the names it uses."""
    protocols = [link.partition("://")[0] for link in url.split("::")]
    return {name: dict(found) for name in protocols if (found := _options.get(ALIASES.get(name, name)))}


def file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, made anew in a forked process, and the path in it.

    :raises SourceError: the URL's protocol is unknown, its package is not installed or refuses the options.
    """
    protocol = url.partition("://")[0]
    try:
        filesystem, path = fsspec.core.url_to_fs(url, **storage_options(url))
    except ImportError:
        package = _PACKAGES.get(ALIASES.get(protocol, protocol), "see fsspec's documentation")
        raise SourceError(f"{protocol}:// needs a package that is not installed: {package}") from None
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        # No message: file systems quote the options they refuse.
        raise SourceError(
            f"the source URL cannot be listed ({type(error).__name__}); check the URL and the connection"
        ) from None
    return filesystem, path


def decoded(quoted: str) -> str:
    """The name behind a percent-encoded path."""
    return os.fsdecode(unquote_to_bytes(quoted))


def is_file(source: str) -> bool:
    """Is the source one file, and not a folder?

    :raises SourceError: as :func:`file_system`.
    :raises OSError: it cannot be asked now; worth a retry.
    """
    if web.is_web(source):
        return web.names_a_file(source)  # a web server does not say what a folder is
    filesystem, path = file_system(source)
    try:
        filesystem.invalidate_cache()  # what an earlier run was told may have changed
        return bool(filesystem.info(path)["type"] == "file")
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        if isinstance(known := source_failure(error), OSError):
            raise known from None
        return False  # listing it says why


def list_folder(source: str) -> Iterator[Found]:
    """Every file below a remote folder, in no order.

    :raises SourceError: it cannot be listed, or is a file.
    :raises OSError: it cannot be listed now; worth a retry.
    """
    filesystem, root = file_system(source)
    try:
        filesystem.invalidate_cache()
        paths = filesystem.find(root)
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise source_failure(error) from None
    if paths == [root]:
        raise SourceError("the source is not a folder; give the folder that holds the photos")
    inside = root.rstrip("/") + "/" if root.strip("/") else ""
    for path in paths:
        outside = ".." in path.split("/") or not path.startswith(inside)
        uri = web.clean(path) if web.is_web(path) else below(source, path.removeprefix(inside))
        yield Found(uri, Reason.UNSAFE_PATH if outside else None)


def has_files(source: str) -> bool:
    """Does a remote folder hold a file? Listed folder by folder, up to the first.

    :raises SourceError: it cannot be listed.
    :raises OSError: it cannot be listed now; worth a retry.
    """
    filesystem, root = file_system(source)
    try:
        filesystem.invalidate_cache()
        return any(files for _, _, files in filesystem.walk(root, on_error="raise"))
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise source_failure(error) from None


def source_failure(error: Exception) -> PhotoAnonymizerError | OSError:
    """What it means for the whole source that it could not be listed or opened. Never the error's own message."""
    if isinstance(error, PhotoAnonymizerError):
        return error
    if isinstance(error, FileNotFoundError):
        return SourceError("the source URL cannot be listed: there is nothing under it, or it does not exist")
    if is_refusal(error):
        return SourceError(
            "the source URL cannot be listed: access was refused; check the connection or the environment's credentials"
        )
    known = failure(error)
    if isinstance(known, (OSError, SourceError)):
        return known
    return SourceError(f"the source URL cannot be listed ({type(error).__name__}); check the URL and the connection")


def below(source: str, relative: str) -> str:
    """URI of a file below a remote source: its path percent-encoded, a chain (``simplecache::s3://…``) kept.

    Not fsspec's own: that loses the chain and the host, and a name with ``::`` in it would name another source.
    """
    links = source.split("::")
    at = next((number for number, link in enumerate(links) if "://" in link), 0)
    protocol, _, place = links[at].partition("://")
    host, slash, folder = place.partition("/")
    host = host if "@" in host else host.replace("%", "%25")  # a password in it is quoted already
    base = f"{host}{slash}{quote(folder)}".rstrip("/") + "/" if place else ""
    links[at] = f"{protocol}://{base}{quote(os.fsencode(relative))}"
    return "::".join(links).replace("#", "%23")  # a "#" begins what tells the frames of one file apart


def open_blob(uri: str) -> Blob:
    """A remote file for reading by ranges.

    :raises PhotoError: it is gone, or its server cannot send a part of it.
    :raises OSError: the network or the store failed, or refuses the credentials; worth a retry.
    """
    return web.WebBlob(uri, storage_options(uri)) if web.is_web(uri) else RemoteBlob(uri)


def read(uri: str, max_bytes: int) -> bytes:
    """All bytes of a remote file.

    :raises PhotoError: too large or gone; behind a web address also refused.
    :raises OSError: the network or the store failed, or the store refuses the credentials; worth a retry.
    """
    if web.is_web(uri):
        return web.read(uri, max_bytes, storage_options(uri))
    filesystem, quoted = file_system(uri)
    path = decoded(quoted)
    try:
        size = filesystem.size(path)
        if size is not None and size > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
        # A range, so that a file which has grown is not read beyond the limit. Stores refuse one of an empty file.
        data = b"" if size == 0 else bytes(filesystem.cat_file(path, start=0, end=max_bytes + 1))
    except PhotoError:
        raise
    except Exception as error:  # noqa: BLE001 - every file system has errors of its own
        raise failure(error) from None
    return within(data, max_bytes)


class RemoteBlob:
    """A file of a store that is read by ranges: every read is a request of its own."""

    def __init__(self, uri: str) -> None:
        """:raises PhotoError, OSError: as :func:`open_blob`."""
        self._filesystem, quoted = file_system(uri)
        self._path = decoded(quoted)
        try:
            self._filesystem.invalidate_cache()
            size = self._filesystem.size(self._path)
        except Exception as error:  # noqa: BLE001 - every file system has errors of its own
            raise failure(error) from None
        if size is None:
            raise PhotoError(Reason.UNREADABLE, "the store does not say how large it is")
        self.size = int(size)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`photo_anonymizer.sources.model.Blob`."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        try:
            data = bytes(self._filesystem.cat_file(self._path, start=offset, end=end))
        except Exception as error:  # noqa: BLE001 - every file system has errors of its own
            raise failure(error) from None
        if len(data) != end - offset:
            raise PhotoError(Reason.UNREADABLE, "the store sent another part than was asked for")
        return data
