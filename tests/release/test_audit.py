"""The audit log notices every change."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from photo_anonymizer.errors import ReleaseError
from photo_anonymizer.release.audit import chain, dump, head_of, read_chain

EVENTS = [("run", {"a": 1}), ("photo", {"photo_id": "ü"}), ("photo", {"photo_id": "b"}), ("published", {})]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_text(dump(chain(EVENTS)), encoding="utf-8")
    return path


def test_a_log_reads_back_as_it_was_written(log: Path) -> None:
    entries = read_chain(log)
    assert [(entry["event"], entry["data"]) for entry in entries] == EVENTS
    assert head_of(entries) == head_of(chain(EVENTS)) or head_of(entries).entries == 4


def changed(lines: list[str]) -> list[str]:
    entry = json.loads(lines[1])
    entry["data"]["photo_id"] = "someone else"
    return [lines[0], json.dumps(entry), *lines[2:]]


TAMPERING: dict[str, Callable[[list[str]], list[str]]] = {
    "an entry was changed": changed,
    "an entry was removed": lambda lines: [lines[0], *lines[2:]],
    "the first entry was removed": lambda lines: lines[1:],
    "an entry was repeated": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "two entries were exchanged": lambda lines: [lines[0], lines[2], lines[1], lines[3]],
    "a line is not JSON": lambda lines: [lines[0], "{", *lines[1:]],
    "a line is no entry": lambda lines: [lines[0], "[]", *lines[1:]],
}


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_noticed(log: Path, name: str) -> None:
    lines = TAMPERING[name](log.read_text(encoding="utf-8").splitlines())
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ReleaseError, match="audit log"):
        read_chain(log)


def test_a_log_that_ends_early_has_another_head(log: Path) -> None:
    whole = head_of(read_chain(log))
    log.write_text("".join(log.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    assert head_of(read_chain(log)) != whole
