"""What heavy attacks found is kept without ids, and known again only for the same method and settings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from heavycases import result_of
from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.gate.aggregates import HeavyLook
from photo_anonymizer.heavy import result as module
from photo_anonymizer.heavy.result import FILE, HeavyResult, keep, known, settings_digest
from photo_anonymizer.vault import Vault


def config(out: Path, **values: Any) -> RunConfig:
    return load_config({"source": "-", "out": str(out), "method": "blur", **values})


def look(asked: RunConfig) -> HeavyLook:
    return HeavyLook.of(asked, Vault.of(asked))


def test_what_is_kept_is_known_again(tmp_path: Path) -> None:
    asked = config(tmp_path)
    result = result_of(asked)
    path = keep(result, Vault.of(asked))
    assert known(asked, Vault.of(asked)) == result
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "other", [{"method": "mask"}, {"blur": {"cells": 5}}, {"region": {"scale": 1.9}}], ids=["method", "cells", "region"]
)
def test_another_method_or_setting_is_not_known(tmp_path: Path, other: dict[str, Any]) -> None:
    keep(result_of(config(tmp_path)), Vault.of(config(tmp_path)))
    changed = config(tmp_path, **other)
    assert known(changed, Vault.of(changed)) is None


def test_what_does_not_change_a_face_does_not_matter(tmp_path: Path) -> None:
    asked, same = config(tmp_path), config(tmp_path, workers=4, mask={"colour": "#000000"}, reid={"max_escalations": 1})
    assert settings_digest(asked, "blur") == settings_digest(same, "blur")


def test_a_new_result_replaces_the_one_for_the_same_settings_and_no_other(tmp_path: Path) -> None:
    asked, other = config(tmp_path), config(tmp_path, blur={"cells": 5})
    for one in (result_of(asked, low=0.3), result_of(other), result_of(asked, low=0.01)):
        keep(one, Vault.of(asked))
    stored = json.loads((Vault.of(asked).path / FILE).read_text())
    assert len(stored["results"]) == 2
    found = known(asked, Vault.of(asked))
    assert found is not None
    assert found.attacks[0].over_floor is not None
    assert found.attacks[0].over_floor.low == 0.01


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": 9, "results": []}', '{"schema": 1, "results": [{"method": 1}]}']
)
def test_a_file_that_is_not_as_it_was_written_is_refused(tmp_path: Path, text: str) -> None:
    asked = config(tmp_path)
    (Vault.of(asked).path / FILE).write_text(text)
    with pytest.raises(ConfigError, match="delete it and make the attack again"):
        known(asked, Vault.of(asked))


# what the gate makes of it


def test_without_a_result_nothing_is_expected_unless_it_is_required(tmp_path: Path) -> None:
    assert look(config(tmp_path)) == HeavyLook()
    assert look(config(tmp_path, reid={"heavy": "required"})) == HeavyLook(missing=True)


def test_what_was_found_is_what_goes_furthest_beyond_the_mask(tmp_path: Path) -> None:
    keep(result_of(config(tmp_path), low=0.12, high=0.4), Vault.of(config(tmp_path)))
    found = look(config(tmp_path))
    assert (found.excess, found.furthest) == (0.12, "A2 parrot, enrolled by dlib_resnet")


def test_a_proof_asks_for_the_upper_end(tmp_path: Path) -> None:
    keep(result_of(config(tmp_path), low=0.01, high=0.4), Vault.of(config(tmp_path)))
    assert look(config(tmp_path, reid={"claim": "proven", "max_linked_rate": 0.01})).excess == 0.4


def test_linkage_is_told_and_not_judged(tmp_path: Path) -> None:
    keep(result_of(config(tmp_path), low=-0.2, linkage_low=0.5), Vault.of(config(tmp_path)))
    assert look(config(tmp_path)).excess == -0.2


def test_off_looks_at_nothing(tmp_path: Path) -> None:
    asked = config(tmp_path)
    (Vault.of(asked).path / FILE).write_text("broken")
    assert look(config(tmp_path, reid={"heavy": "off"})) == HeavyLook()


def test_a_result_that_tested_nothing_is_as_good_as_none(tmp_path: Path) -> None:
    keep(result_of(config(tmp_path), low=None), Vault.of(config(tmp_path)))
    assert look(config(tmp_path, reid={"heavy": "required"})).missing
    assert look(config(tmp_path)) == HeavyLook()


@pytest.mark.parametrize(
    ("heavy", "days", "stale"), [("required", 91, True), ("required", 90, False), ("if_known", 900, False)]
)
def test_only_where_it_is_required_a_result_grows_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heavy: str, days: int, stale: bool
) -> None:
    asked = config(tmp_path, reid={"heavy": heavy})
    made = datetime(2026, 1, 1, tzinfo=UTC)
    keep(result_of(asked, made_at=made), Vault.of(asked))
    monkeypatch.setattr("photo_anonymizer.gate.aggregates.now", lambda: made + timedelta(days=days, hours=3))
    found = look(asked)
    assert found.stale is stale
    assert found.excess is not None


def test_a_clock_that_was_set_back_makes_nothing_older(tmp_path: Path) -> None:
    result = result_of(config(tmp_path), made_at=module.now() + timedelta(days=3))
    assert result.age_days(module.now()) == 0


def test_a_result_has_no_room_for_an_id() -> None:
    """Whoever adds a field must say that it names nobody."""
    assert set(HeavyResult.model_fields) == {
        "method",
        "settings_sha256",
        "made_at",
        "photos",
        "people",
        "identities",
        "attacks",
    }
