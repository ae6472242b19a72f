"""One run of a dataset at a time, whoever started it."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import DatasetBusyError
from photo_anonymizer.files import read_json, write_json
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault

OWNER_VARIABLE = "PHOTO_ANONYMIZER_OWNER_PID"
"""Set by programs in whose own process the whole run happens: when they are dead, so is the run."""


def take(config: RunConfig, run: RunFolder) -> None:
    """Claims the dataset for a run. A run that holds it already may go on (a task that is tried again).

    :raises DatasetBusyError: another run is at work.
    """
    vault = Vault.of(config)
    with vault.locked():
        check(config, run)
        # A holder whose folder is gone counts as dead, so the folder is there before the note is.
        run.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = os.environ.get(OWNER_VARIABLE)
        pid = int(owner) if owner else None
        write_json(_note(vault), {"folder": run.path.name, "host": socket.gethostname(), "pid": pid})


def check(config: RunConfig, run: RunFolder) -> None:
    """Could this run claim the dataset now?

    :raises DatasetBusyError: another run is at work.
    """
    holder = _read(Vault.of(config))
    if holder and holder["folder"] != run.path.name and _alive(holder, run.path.parent):
        raise DatasetBusyError(
            f"another run works on the dataset {config.dataset!r}; wait for it to end or, if it is dead, free the "
            f"dataset with: photo-anonymizer abandon --out FOLDER --dataset {config.dataset}"
        )


def give_back(config: RunConfig, run: RunFolder) -> None:
    """Frees the dataset, if this run holds it."""
    vault = Vault.of(config)
    with vault.locked():
        holder = _read(vault)
        if holder and holder["folder"] == run.path.name:
            _note(vault).unlink()


def held_by(config: RunConfig) -> str | None:
    """Name of the run folder that holds the dataset now."""
    holder = _read(Vault.of(config))
    return str(holder["folder"]) if holder else None


def abandon(config: RunConfig) -> int:
    """Frees the dataset, deletes the intermediate files and embeddings of all its runs, and counts the runs.

    :raises DatasetBusyError: the run that holds the dataset is alive on this machine.
    """
    vault = Vault.of(config)
    workspace = Path(config.out).absolute() / "workspace" / config.dataset
    with vault.locked():
        holder = _read(vault)
        if holder and holder["pid"] and _alive(holder, workspace):
            raise DatasetBusyError("the run that holds this dataset is alive; stop it first")
        folders = [path for path in workspace.glob("*") if path.is_dir()]
        for folder in folders:
            RunFolder(folder).remove()
        for embeddings in vault.path.glob("runs/*/embeddings"):
            shutil.rmtree(embeddings, ignore_errors=True)
        _note(vault).unlink(missing_ok=True)
    return len(folders)


def _alive(holder: dict[str, Any], workspace: Path) -> bool:
    if not (workspace / holder["folder"]).is_dir():
        return False
    if holder["pid"] is None or holder["host"] != socket.gethostname():
        return True
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _note(vault: Vault) -> Path:
    return vault.path / "active_run.json"


def _read(vault: Vault) -> dict[str, Any] | None:
    note = _note(vault)
    return dict(read_json(note)) if note.is_file() else None
