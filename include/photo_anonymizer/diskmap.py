"""Keys and values on disk and not in memory, in the order of the keys: for what grows with the collection."""

from __future__ import annotations

import json
import os
import sqlite3
import uuid
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_CACHE_KIB = 1_000
"""Memory that one map takes, however much it holds."""
_SETTINGS = (
    # Nobody recovers this file: a run that was killed starts again with an empty one.
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    # Were something sorted besides the table, it would be in /tmp, where no source path may be.
    "PRAGMA temp_store = MEMORY",
    f"PRAGMA cache_size = -{_CACHE_KIB}",
    "CREATE TABLE map (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "BEGIN",
)


class DiskMap:
    """Text → anything that JSON can hold, in an SQLite file without a name.

    The file is unlinked as soon as it is open: nobody else can open it, and it is gone with this object or, killed,
    with the process. Not for several threads at once.

    :param folder: where the file lies; it may hold source paths, so in the workspace or the vault.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / f".{uuid.uuid4().hex}.sqlite"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            # Without locks, which some network file systems do not have.
            self._rows = sqlite3.connect(
                f"{path.absolute().as_uri()}?nolock=1", uri=True, isolation_level=None, check_same_thread=False
            )
        finally:
            path.unlink()
        weakref.finalize(self, self._rows.close)
        for setting in _SETTINGS:
            self._rows.execute(setting)

    def add(self, key: str, value: Any = None) -> bool:
        """Puts in what is not there yet. Was it new?"""
        done = self._rows.execute("INSERT OR IGNORE INTO map VALUES (?, ?)", (key, json.dumps(value)))
        return done.rowcount == 1

    def put(self, items: Iterable[tuple[str, Any]]) -> None:
        """Puts in what is given; a later value replaces an earlier one."""
        pairs = ((key, json.dumps(value)) for key, value in items)
        self._rows.executemany("INSERT OR REPLACE INTO map VALUES (?, ?)", pairs)

    def get(self, key: str) -> Any:
        """The value of a key; None if it is not there."""
        found = self._rows.execute("SELECT value FROM map WHERE key = ?", (key,)).fetchone()
        return json.loads(found[0]) if found else None

    def __contains__(self, key: str) -> bool:
        return self._rows.execute("SELECT 1 FROM map WHERE key = ?", (key,)).fetchone() is not None

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT count(*) FROM map").fetchone()[0])

    def items(self) -> Iterator[tuple[str, Any]]:
        """Keys and values in the order of the keys' code points, as Python sorts text."""
        for key, value in self._rows.execute("SELECT key, value FROM map ORDER BY key"):
            yield key, json.loads(value)
