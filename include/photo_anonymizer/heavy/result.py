"""What heavy attacks found on a sample, without ids: kept in the vault, judged by the next run's gate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from photo_anonymizer import __version__
from photo_anonymizer.config import MethodName, RunConfig
from photo_anonymizer.errors import ConfigError
from photo_anonymizer.files import read_json, write_json
from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.vault import Vault

FILE = "attacks.json"
SCHEMA = 1


class OverFloor(BaseModel):
    """How much more is found than behind a solid mask, or than by guessing where that finds less: −1 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    middle: float
    low: float
    high: float
    """95 % interval: a bootstrap over people."""

    def judged(self, claim: Literal["observed", "proven"]) -> float:
        """The end of the interval that a gate with this claim looks at."""
        return self.high if claim == "proven" else self.low


class HeavyAttack(BaseModel):
    """One form of one attack with one recogniser's eyes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attack: str
    """Rung and form, such as ``A2 parrot, enrolled``."""
    recogniser: str
    found: Rate
    """At rank 1, with chance."""
    floor: Rate
    """The same behind a solid mask."""
    over_floor: OverFloor | None
    """``None`` where the recogniser does not tell the originals apart, or nobody could be attacked."""
    bounded: bool
    """Does the gate judge it? Linkage is told and not judged: a person whose surrogate is the same everywhere is meant
    to be linked, and clothes are not the method's."""


class HeavyResult(BaseModel):
    """What the attacks found on one method with its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: MethodName
    settings_sha256: str
    """See :func:`settings_digest`."""
    made_at: datetime
    photos: int
    people: int
    identities: Literal["folders", "estimated"]
    """Who said who is the same person."""
    attacks: tuple[HeavyAttack, ...]

    @property
    def judged(self) -> list[HeavyAttack]:
        """What the gate judges. Empty: nothing was tested."""
        return [one for one in self.attacks if one.bounded and one.over_floor is not None]

    def age_days(self, now: datetime) -> int:
        """Whole days since it was made; not below 0, whatever the clocks say."""
        return max(0, (now - self.made_at).days)


def settings_digest(config: RunConfig, method: MethodName) -> str:
    """SHA-256 of all that decides how a method changes a face: its own section, the region, the product's version."""
    shown = config.public()
    facts = {"method": method, method: shown[method], "region": shown["region"], "version": __version__}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def known(config: RunConfig, vault: Vault) -> HeavyResult | None:
    """The result for this run's method and settings, if there is one.

    :raises ConfigError: the file is not as it was written.
    """
    wanted = config.chosen_method, settings_digest(config, config.chosen_method)
    return next((one for one in _read(vault) if (one.method, one.settings_sha256) == wanted), None)


def keep(result: HeavyResult, vault: Vault) -> Path:
    """Writes it in place of an earlier one for the same method and settings; returns the file."""
    with vault.locked():
        others = [
            one for one in _read(vault) if (one.method, one.settings_sha256) != (result.method, result.settings_sha256)
        ]
        path = vault.path / FILE
        write_json(path, _stored([*others, result]))
    return path


def now() -> datetime:
    """UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def _stored(results: Iterable[HeavyResult]) -> dict[str, Any]:
    return {"schema": SCHEMA, "results": [one.model_dump(mode="json") for one in results]}


def _read(vault: Vault) -> list[HeavyResult]:
    path = vault.path / FILE
    if not path.is_file():
        return []
    try:
        stored = read_json(path)
        if stored["schema"] != SCHEMA:
            raise ValueError("another schema")
        return [HeavyResult.model_validate(one) for one in stored["results"]]
    except (ValueError, KeyError, TypeError, ValidationError):
        raise ConfigError(
            f"{FILE} in the vault is not as this version wrote it; delete it and make the attack again: "
            "photo-anonymizer attack"
        ) from None
