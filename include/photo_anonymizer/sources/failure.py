"""Errors of remote reading → is it the file's own fault, or worth another try?"""

from __future__ import annotations

import errno
import socket

from photo_anonymizer.errors import PhotoAnonymizerError, PhotoError, SourceError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.model import nameless

_TRANSPORTS = frozenset({"aiohttp", "aiobotocore", "botocore", "azure", "gcsfs", "google"})
"""Packages whose errors, where they carry no status, are about the connection."""
_MAY_PASS = frozenset({407, 408, 425, 429})
"""HTTP status codes below 500 that ask for patience (RFC 9110, 8470, 6585) or are a proxy's (407)."""
_REFUSED = frozenset({401, 403})
_GOOGLE_REFUSES = ("Forbidden: ", "Bad Request: ")
"""How gcsfs begins the messages of a plain OSError for 403, and of a ValueError for 400 (an ``invalid_grant``)."""


def failure(error: Exception, *, alone: bool = False) -> Exception:
    """What is to be raised in place of an error of a remote file system; its message may name the file, so it is left.

    A store that refuses what it has listed refuses the credentials, as a rule because they expired: taken for a fault
    of the file, one photo after another would be missing from the release.

    :param alone: the file is an address of its own, whose refusal says nothing about the others.
    :returns: a :class:`PhotoError` for a reason that lies in the file, an :class:`OSError` for one that may pass or
        concerns all files, a :class:`SourceError` for missing credentials, the error itself if it is none of these.
    """
    if isinstance(error, PhotoAnonymizerError):
        return error
    if _is_archived(error):
        return PhotoError(Reason.UNREADABLE, "the store keeps it in an archive class; restore it there first")
    if is_refusal(error) and not alone:
        return OSError(
            errno.EACCES,
            "the source refuses to be read: its credentials have expired or lack the right to read; "
            "renew them or grant it, then run again",
        )
    if "Credential" in type(error).__name__:  # botocore's, google.auth's, azure.identity's
        return SourceError(
            f"the source cannot be read without credentials ({type(error).__name__}); "
            "name a connection, or give them in the environment"
        )
    if (status := _status(error)) is not None:
        return _of_status(status)
    if own := _own_fault(error):
        return PhotoError(Reason.UNREADABLE, own)
    if isinstance(error, OSError):
        return nameless(error)
    if type(error).__module__.partition(".")[0] in _TRANSPORTS:
        return OSError(errno.EIO, f"the source cannot be read ({type(error).__name__})")
    return error


def _own_fault(error: Exception) -> str:
    """What is wrong with this one file; empty if it is not the file."""
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return type(error).__name__
    if _names_nobody(error):
        return "no such server"
    if "Certificate" in type(error).__name__:
        return "the server's certificate is not valid"
    if isinstance(error, ValueError):  # aiohttp's InvalidURL, yarl's
        return "not a URL that can be fetched"
    return ""


def is_refusal(error: Exception) -> bool:
    """Was access refused? Every file system says it in its own way."""
    return (
        isinstance(error, PermissionError)  # s3fs, for a wrong key and an expired token too
        or _status(error) in _REFUSED
        or str(error).startswith(_GOOGLE_REFUSES)
    )


def _is_archived(error: Exception) -> bool:
    """Is it S3's 403 for an object of an archive class, which is about this object alone?"""
    answer = getattr(error.__cause__, "response", None)  # botocore's ClientError, under s3fs's PermissionError
    return isinstance(answer, dict) and answer.get("Error", {}).get("Code") == "InvalidObjectState"


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
