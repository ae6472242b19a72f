"""How a run ended, in the vault, for whoever started it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from photo_anonymizer.config import RunConfig
from photo_anonymizer.files import read_json, write_json
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault

Ending = Literal["released", "unchanged", "refused", "failed"]


def note(config: RunConfig, run: RunFolder, ending: Ending, message: str = "", **facts: Any) -> None:
    """Writes down how the run ended; a later ending (a retry that went well) replaces an earlier one."""
    write_json(_path(config, run), {"ending": ending, "message": message, **facts})


def of(config: RunConfig, run: RunFolder) -> dict[str, Any] | None:
    """How the run ended, or None while it has not."""
    path = _path(config, run)
    return dict(read_json(path)) if path.is_file() else None


def _path(config: RunConfig, run: RunFolder) -> Path:
    return Vault.of(config).private_folder(run.path.name) / "outcome.json"
