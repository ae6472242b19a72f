"""Errors of remote reading → is it the file's own fault, or worth another try?"""

from __future__ import annotations

import errno
import socket

from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.model import nameless

_TRANSPORTS = frozenset({"aiohttp", "aiobotocore", "botocore", "azure", "gcsfs", "google"})
"""Packages whose errors, where they carry no status, are about the connection."""
_MAY_PASS = frozenset({408, 425, 429})
"""HTTP status codes below 500 that ask for patience (RFC 9110, 8470, 6585)."""


def failure(error: Exception) -> Exception:
    """What is to be raised in place of an error of a remote file system; its message may name the file, so it is left.

    :returns: a :class:`PhotoError` for a reason that lies in the file, an :class:`OSError` for one that may pass,
        a :class:`SourceError` for missing credentials, the error itself if it is none of these.
    """
    if isinstance(error, PhotoAnonymizerError):
        return error
    if "Credential" in type(error).__name__:  # botocore's, google.auth's, azure.identity's
        return SourceError(
            f"the source cannot be read without credentials ({type(error).__name__}); "
            "name a connection, or give them in the environment"
        )
    if (status := _status(error)) is not None:
        return _of_status(status)
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return PhotoError(Reason.UNREADABLE, type(error).__name__)
    if _names_nobody(error):
        return PhotoError(Reason.UNREADABLE, "no such server")
    if "Certificate" in type(error).__name__:
        return PhotoError(Reason.UNREADABLE, "the server's certificate is not valid")
    if isinstance(error, ValueError):  # aiohttp's InvalidURL, yarl's
        return PhotoError(Reason.UNREADABLE, "not a URL that can be fetched")
    if isinstance(error, OSError):
        return nameless(error)
    if type(error).__module__.partition(".")[0] in _TRANSPORTS:
        return OSError(errno.EIO, f"the source cannot be read ({type(error).__name__})")
    return error


def _status(error: Exception) -> int | None:
    """aiohttp calls it ``status``, Azure ``status_code``, gcsfs ``code``."""
    for name in ("status", "status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) and 100 <= value < 600:
            return value
    return None


def _of_status(status: int) -> Exception:
    if status >= 500 or status in _MAY_PASS:
        return OSError(errno.EIO, f"the source cannot be read (HTTP {status})")
    return PhotoError(Reason.UNREADABLE, f"HTTP {status}")


def _names_nobody(error: Exception) -> bool:
    """Does the server's name not exist? That it could not be asked for (EAI_AGAIN) may pass."""
    cause = getattr(error, "os_error", error)
    unknown = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
    return isinstance(cause, socket.gaierror) and cause.errno in unknown
