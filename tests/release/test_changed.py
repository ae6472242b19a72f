"""How faces were changed, in counts and in words."""

from __future__ import annotations

import json
from typing import Any

from photo_anonymizer.config import load_config
from photo_anonymizer.release.changed import LINKS, changed_evidence, changed_words, ended_evidence


def row(method: str, **parameters: Any) -> dict[str, Any]:
    return {"photo_id": "secret", "face_id": "f0000", "method": method, "parameters": json.dumps(parameters)}


def said(rows: list[dict[str, Any]], **config: Any) -> list[str]:
    return changed_words(changed_evidence(rows, load_config({"source": "-", **config})))


def test_faces_are_counted_by_method_and_source() -> None:
    rows = [row("synthetic", source="rendered"), row("synthetic", source="batch"), row("synthetic", source="batch")]
    assert said(rows) == [
        "2 by synthetic, averaged from other people of the batch.",
        "1 by synthetic, drawn by this project.",
    ]


def test_what_another_method_took_over_is_said_with_the_reason() -> None:
    rows = [row("blur", instead_of="synthetic", because="profile_view"), row("blur", cells=2)]
    assert said(rows) == ["2 by blur.", "1 of them by blur instead of synthetic: seen too much from the side."]


def test_kept_faces_are_not_counted() -> None:
    assert said([row("")]) == []


def test_the_linkage_that_one_new_face_a_person_creates_is_said() -> None:
    assert said([], method="synthetic", synthetic={"consistency": "per_run"}) == [LINKS]
    assert said([], method="synthetic") == said([], method="mask", synthetic={"consistency": "per_run"}) == []


def test_what_escalated_faces_ended_at_is_counted() -> None:
    rows = [
        {**row("mask", scale=1.69, shape="rectangle"), "escalations": 3},
        {**row("mask", scale=1.69, shape="rectangle"), "escalations": 1},
        {**row("blur", cells=2, scale=1.3), "escalations": 1},
        {**row("synthetic", strength=1.5, scale=1.3), "escalations": 1},
        {**row("mask", scale=1.3, shape="ellipse"), "escalations": 0},
    ]
    assert ended_evidence(rows) == {
        "mask, a rectangle 1.69 times the found face": 2,
        "blur with 2 cells": 1,
        "synthetic with strength 1.5": 1,
    }


def test_nothing_that_tells_a_photo_is_in_it() -> None:
    assert "secret" not in json.dumps(changed_evidence([row("mask")], load_config({"source": "-"})))


def test_every_reason_and_source_that_methods_give_has_words() -> None:
    import re
    from pathlib import Path

    from photo_anonymizer import methods
    from photo_anonymizer.release.changed import REASONS, SOURCES

    code = "".join(path.read_text() for path in Path(methods.__file__).parent.rglob("*.py"))
    assert set(re.findall(r'CannotPaintError\("(\w+)"\)', code)) <= set(REASONS)
    assert set(re.findall(r'"source": "(\w+)"', code)) <= set(SOURCES)
