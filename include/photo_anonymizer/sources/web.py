"""Files behind ``http://`` and ``https://``: read once, from the beginning, under limits of time and size.

A server's word about the length is not trusted, and a 5xx is not taken for a file that is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import fsspec

from photo_anonymizer.errors import PhotoError
from photo_anonymizer.model.record import Reason
from photo_anonymizer.sources.failure import failure

TIMEOUT_S = {"total": 300.0, "sock_connect": 20.0, "sock_read": 60.0}
"""For one file; for the connection; for the next bytes."""
_FILES = frozenset({".csv", ".parquet", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst"})
_PIECE = 1 << 20
PARTIAL_CONTENT = 206
_WHOLE = "the server sends files only as a whole; download the archive"
Options = Mapping[str, Mapping[str, Any]]
"""Protocol (``s3``, ``gs``, ``az``, ``http``, …) → arguments of its fsspec file system."""


def is_web(url: str) -> bool:
    """Is it a web address?"""
    return url.startswith(("http://", "https://"))


def names_a_file(url: str) -> bool:
    """Does the address look like that of an archive or a list, and not of a page with links?"""
    return PurePosixPath(urlsplit(url).path).suffix.lower() in _FILES


def clean(url: str) -> str:
    """The address in printable ASCII; what is percent-encoded stays so.

    Without the fragment, which no server gets to see (RFC 9110, 4.2.5): two of them would make two photos of one file.
    """
    return quote(url.partition("#")[0], safe="%:/?[]@!$&'()*+,;=~")


def read(url: str, max_bytes: int, options: Options) -> bytes:
    """All bytes behind an address; redirects are followed.

    :raises PhotoError: too large, gone, refused, or no address that can be fetched.
    :raises OSError: no answer in time, or a server that is in trouble; worth a retry.
    """
    with _answer(url, options, {}, alone=True) as stream:
        if (stream.r.content_length or 0) > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
        return _taken(stream, max_bytes)


class WebBlob:
    """An archive behind an address that is read by ranges (RFC 9110, 14.2): every read is a request of its own."""

    def __init__(self, url: str, options: Options) -> None:
        """:raises PhotoError, OSError: as :func:`read`, or the server sends files only as a whole.

        Refused is an OSError here: an address that expires while an archive is read would cost all its members.
        """
        self._url, self._options = url, options
        with _answer(url, options, {"Range": "bytes=0-0"}) as stream:
            total = stream.r.headers.get("Content-Range", "").rpartition("/")[2]
            if stream.r.status != PARTIAL_CONTENT or not total.isdigit():
                raise PhotoError(Reason.UNREADABLE, _WHOLE)
        self.size = int(total)

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`photo_anonymizer.sources.model.Blob`."""
        end = min(offset + length, self.size)
        if end <= offset:
            return b""
        with _answer(self._url, self._options, {"Range": f"bytes={offset}-{end - 1}"}) as stream:
            data = _taken(stream, end - offset) if stream.r.status == PARTIAL_CONTENT else b""
        if len(data) != end - offset:
            raise PhotoError(Reason.UNREADABLE, _WHOLE)
        return data


@contextmanager
def _answer(url: str, options: Options, headers: Mapping[str, str], *, alone: bool = False) -> Iterator[Any]:
    """fsspec's stream of an answer; whatever goes wrong while it is read comes out as the project's own error."""
    import aiohttp

    chosen = dict(next(iter(options.values()), {}))
    chosen.setdefault("client_kwargs", {"timeout": aiohttp.ClientTimeout(**TIMEOUT_S)})
    # Packed on the way, a small answer could unpack to a large one.
    asked = {**chosen.get("headers", {}), **headers, "Accept-Encoding": "identity"}
    try:
        # With a size given fsspec does not ask for one: its answer to any failure of that question is "not found".
        with fsspec.filesystem("http", **chosen).open(url, "rb", block_size=0, size=1, headers=asked) as stream:
            yield stream
    except Exception as error:  # noqa: BLE001 - fsspec, aiohttp and yarl have errors of their own
        raise failure(error, alone=alone) from None


def _taken(stream: Any, max_bytes: int) -> bytes:
    data = bytearray()
    while piece := stream.read(_PIECE):
        data += piece
        if len(data) > max_bytes:
            raise PhotoError(Reason.FILE_TOO_LARGE)
    return bytes(data)
