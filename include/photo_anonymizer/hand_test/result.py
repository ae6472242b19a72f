"""What a hand test showed: how often a person was right, beside guessing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from photo_anonymizer.errors import ConfigError
from photo_anonymizer.files import read_json, write_json
from photo_anonymizer.hand_test.draw import Key, Side
from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.reid.statistics import rate
from photo_anonymizer.vault import Vault

CHANCE = 0.5


class Answers(BaseModel):
    """What the sheet saves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hand_test: str
    answers: tuple[Side, ...]


class HandResult(BaseModel):
    """One person's answers in numbers; nothing about whom they saw."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    methods: dict[str, int]
    """Method → faces that were asked about."""
    another_photo: bool
    correct: Rate
    scored_at: str

    @property
    def better_than_guessing(self) -> bool:
        """Does the whole 95 % interval lie above guessing?"""
        return (self.correct.low or 0) > CHANCE

    @property
    def in_words(self) -> str:
        """``22 of 30 right (73 %, 95 % interval 54 to 88 %; guessing: 50 %): better than guessing``."""
        found = self.correct
        shares = [f"{100 * (share or 0):.0f}" for share in (found.rate, found.low, found.high)]
        said = (
            "better than guessing"
            if self.better_than_guessing
            else "guessing lies inside the interval, which is no proof of safety"
        )
        return (
            f"{found.hits} of {found.n} right ({shares[0]} %, 95 % interval {shares[1]} to {shares[2]} %; "
            f"guessing: 50 %): {said}"
        )


def score(vault: Vault, path: Path) -> HandResult:
    """Compares the answers with the key, keeps the numbers, and deletes sheet and key: they show clear faces.

    :param path: the file that the sheet saved.
    :raises ConfigError: it is no such file, some questions are not answered, or it belongs to another sheet.
    """
    answers = _read(path)
    with vault.locked():
        if not vault.hand_test_key_path.is_file():
            raise ConfigError("there is no hand test to score: its sheet was scored or replaced; make one")
        key = Key.model_validate(read_json(vault.hand_test_key_path))
        if answers.hand_test != key.test:
            raise ConfigError("the answers belong to another sheet, which was scored or replaced")
        if len(answers.answers) != len(key.right):
            raise ConfigError(f"the sheet asks {len(key.right)} questions, and {len(answers.answers)} are answered")
        found = HandResult(
            version=key.version,
            methods=key.methods,
            another_photo=key.another_photo,
            correct=scored(answers.answers, key.right),
            scored_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_json(vault.hand_tests_path, [*_stored(vault), found.model_dump(mode="json")])
        vault.forget_hand_test()
    return found


def scored(given: tuple[Side, ...], right: tuple[Side, ...]) -> Rate:
    """How often the two agree."""
    return rate(sum(one == other for one, other in zip(given, right, strict=True)), len(right), CHANCE)


def results(vault: Vault) -> list[HandResult]:
    """Every hand test of the dataset that was scored, the oldest first."""
    return [HandResult.model_validate(one) for one in _stored(vault)]


def _stored(vault: Vault) -> list[Any]:
    return list(read_json(vault.hand_tests_path)) if vault.hand_tests_path.is_file() else []


def _read(path: Path) -> Answers:
    try:
        return Answers.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"the answers cannot be read ({error.strerror})") from None
    except (ValueError, ValidationError):
        raise ConfigError(
            "this is no file that a sheet saved, or a question was left out; answer all, and save again"
        ) from None
