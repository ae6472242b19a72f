"""What all kinds of sources share: a listed file, the limits, errors that name nobody."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Protocol

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import PhotoError
from photo_anonymizer.model.record import Reason

FILE = "file://"


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the source.

    :param uri: percent-encoded URI, unique in the source, printable whatever bytes the name holds.
    :param problem: why it will not be opened, or None.
    :param detail: a sentence about the problem, without anything identifying.
    """

    uri: str
    problem: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on archives; the defaults are the configuration's.

    :param max_archive_files: archives with more members are refused.
    :param max_archive_ratio: members that unpack to more than so many times their size are refused unread.
    """

    max_archive_files: int = 200_000
    max_archive_ratio: float = 200.0

    @classmethod
    def of(cls, config: RunConfig) -> Limits:
        """The limits of a run."""
        return cls(config.ingest.max_archive_files, config.ingest.max_archive_ratio)


class Blob(Protocol):
    """Bytes that can be read in any order, by several threads at once."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def read_at(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset`` on; fewer where the end comes first.

        :raises PhotoError: it cannot be read for a reason that lies in it.
        :raises OSError: it could not be read now; worth a retry.
        """


def within(data: bytes, max_bytes: int) -> bytes:
    """``data``, if it is not too large.

    :raises PhotoError: it is.
    """
    if len(data) > max_bytes:
        raise PhotoError(Reason.FILE_TOO_LARGE)
    return data


def nameless(error: OSError) -> OSError:
    """The same error without the file's name, which must not get into a log."""
    # Resolvers and servers put numbers of their own into errno; they are below one, or have no words.
    number = error.errno if isinstance(error.errno, int) and error.errno > 0 else None
    what = os.strerror(number) if number else type(error).__name__
    return OSError(number or errno.EIO, f"the source cannot be read ({what})")
