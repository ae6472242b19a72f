"""A file inside an archive, as the archive's index describes it, and what makes its name unsafe."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote

from photo_anonymizer.model.record import Reason

STORED, DEFLATED = 0, 8
"""How a member is packed (APPNOTE.TXT 4.4.5). A tar archive only stores."""


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the index. Nothing in it is trusted: sizes are checked again while the member is read.

    :param name: as stored, in bytes; UTF-8 where the archive says so.
    :param offset: where its local header (zip) or its data (tar) starts, in bytes from the archive's beginning.
    :param packed: bytes it takes in the archive.
    :param size: bytes it is said to have when unpacked.
    :param crc: CRC-32 of the unpacked bytes; None: the archive has no checksums.
    :param problem: why it must not be read, or None.
    """

    name: bytes
    offset: int
    packed: int
    size: int
    method: int = STORED
    crc: int | None = None
    problem: Reason | None = None
    detail: str = ""

    def refused(self, reason: Reason, detail: str = "") -> Member:
        """This member with a reason not to read it; a reason that it has already stays."""
        return self if self.problem else replace(self, problem=reason, detail=detail)


def is_unsafe(name: bytes) -> bool:
    """Could the name, taken for a path, leave the folder it is unpacked into? Backslash counts as a separator.

    Members are never written to disk under their names; an archive that holds such names is up to something.
    """
    parts = re.split(rb"[/\\]", name)
    return not name or b"\0" in name or b".." in parts or parts[0] == b"" or re.match(rb"[A-Za-z]:", name) is not None


def by_key(members: Iterable[Member]) -> dict[str, Member]:
    """Members under the keys that their URIs hold: the quoted name; the second of a name gets ``;2``, and so on.

    ``;`` is quoted in a name, so that no name can be taken for a key with a number.
    """
    found: dict[str, Member] = {}
    seen: dict[str, int] = {}
    for member in members:
        key = quote(member.name)
        seen[key] = count = seen.get(key, 0) + 1
        found[f"{key};{count}" if count > 1 else key] = member
    return found
