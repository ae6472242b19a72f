"""For the tests of the Airflow side: an Airflow of their own, small photos, ways to run the DAG and the launcher."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.release.export import versions
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault
from photo_anonymizer_airflow.environment import ROOT, airflow_environment, fresh_home
from photo_anonymizer_airflow.params import param_values

# Airflow reads its settings when it is first imported, and would otherwise write into the tester's ~/airflow.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-tests-")
os.environ.update({name: value for name, value in airflow_environment(Path(_HOME.name)).items() if "AIRFLOW" in name})

PERSONS = ("Anna Example", "Bert at home")
CAT, TEXT = "Minka the cat", "guests"
NAMES = (*PERSONS, CAT, TEXT)
TIMEOUT_S = 240

FAULTS = '''
"""Plants a fault where a result would appear by rename: the work is done, but the disk or the process ends."""
import errno, os, pathlib, signal
from contextlib import contextmanager
from photo_anonymizer import files

published_folder = files.published_folder

@contextmanager
def faulty(target, *arguments, **named):
    with published_folder(target, *arguments, **named) as folder:
        yield folder
        for number, place in enumerate(os.environ["FAULT_AT"].split(",")):
            tries = pathlib.Path(os.environ["FAULT_FOLDER"], f"tries-{number}")
            tried = len(tries.read_bytes()) if tries.exists() else 0
            if place in target.as_posix() and tried < int(os.environ["FAULT_TIMES"]):
                tries.write_bytes(b"x" * (tried + 1))
                if os.environ["FAULT_KIND"] == "killed":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, "No space left on device", os.environ["FAULT_NAME"])

files.published_folder = faulty
'''


def photos(folder: Path) -> Path:
    """Two photos with a face (one with a place in its EXIF), one of a cat, one file that is no photo."""
    folder.mkdir(parents=True)
    astronaut = data.astronaut()
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (0.0, 0.0, 0.0)}
    Image.fromarray(astronaut).save(folder / f"{PERSONS[0]}.jpg", quality=92, exif=exif)
    Image.fromarray(np.ascontiguousarray(astronaut[:400, ::-1])).save(folder / f"{PERSONS[1]}.png")
    Image.fromarray(data.chelsea()).save(folder / f"{CAT}.jpg", quality=92)
    (folder / f"{TEXT}.txt").write_text("not a photo\n", encoding="utf-8")
    return folder


def nobody(folder: Path) -> Path:
    """A photo without anybody, and one file that is no photo."""
    folder.mkdir(parents=True)
    Image.fromarray(data.rocket()[:320]).save(folder / "rocket.jpg", quality=92)
    (folder / f"{TEXT}.txt").write_text("not a photo\n", encoding="utf-8")
    return folder


def environment(**extra: str) -> dict[str, str]:
    """Of a child process: the project is importable, retries come at once."""
    path = os.pathsep.join(str(ROOT / name) for name in ("include", "plugins"))
    return {**os.environ, "PYTHONPATH": path, "PHOTO_ANONYMIZER_RETRY_DELAY_S": "0.1", "COLUMNS": "120", **extra}


def fault(folder: Path, *places: str, times: int = 1, kind: str = "full disk") -> dict[str, str]:
    """Environment in which publishing a folder fails the first ``times`` times, for each part of a path in ``places``.

    :param kind: ``full disk`` or ``killed``.
    """
    folder.mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(FAULTS, encoding="utf-8")
    return {
        "PYTHONPATH": os.pathsep.join([str(folder), environment()["PYTHONPATH"]]),
        "FAULT_FOLDER": str(folder),
        "FAULT_AT": ",".join(places),
        "FAULT_TIMES": str(times),
        "FAULT_KIND": kind,
        "FAULT_NAME": f"/camera/{PERSONS[0]}.jpg",
    }


def python(code: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs a few lines in a fresh interpreter."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, env=environment(**extra), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def launch(*arguments: str | Path, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """What ``./anonymize`` starts, when everything is set up."""
    command = [sys.executable, "-P", "-m", "photo_anonymizer_airflow.launch", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@dataclass(frozen=True)
class DagRun:
    """A run of the DAG that has ended, and everything it left."""

    config: RunConfig
    run_id: str
    state: str
    home: Path
    log: Path

    @property
    def releases(self) -> list[Path]:
        """The versions in the release folder."""
        folder = Path(self.config.out) / "releases" / self.config.dataset
        return [folder / name for name in versions(folder)]

    @property
    def leftovers(self) -> list[Path]:
        """What lies in the dataset's release folder and is no version."""
        folder = Path(self.config.out) / "releases" / self.config.dataset
        return [path for path in folder.glob("*") if path not in self.releases] if folder.is_dir() else []

    @property
    def vault(self) -> Vault:
        """The vault of the dataset."""
        return Vault.of(self.config)

    @property
    def folder(self) -> RunFolder:
        """The run's intermediate files."""
        return RunFolder.of(self.config, self.run_id)

    @property
    def states(self) -> dict[str, str]:
        """State of every task; of a mapped one that of its only map index."""
        return dict(self._query("select task_id, state from task_instance"))

    @property
    def tries(self) -> dict[str, int]:
        """How often every task was started."""
        return dict(self._query("select task_id, try_number from task_instance"))

    @property
    def xcoms(self) -> dict[str, Any]:
        """What the tasks told each other."""
        return {
            task: json.loads(value)
            for task, value in self._query("select task_id, value from xcom where key = 'return_value'")
        }

    @property
    def asset_events(self) -> list[dict[str, Any]]:
        """What the asset's events carry."""
        return [json.loads(extra) for (extra,) in self._query("select extra from asset_event")]

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.home / "airflow.db") as database:
            return database.execute(statement).fetchall()


def run_dag(root: Path, source: Path, *, extra: Mapping[str, str] | None = None, **fields: Any) -> DagRun:
    """One ``dag.test()`` in a process of its own, as the launcher starts it."""
    config = load_config({"source": str(source), "out": str(root / "out"), "dataset": "party", **fields})
    home, log, result = root / "home", root / "run.log", root / "result.json"
    fresh_home(home, log)
    (root / "conf.json").write_text(json.dumps(param_values(config)), encoding="utf-8")
    command = [sys.executable, "-m", "photo_anonymizer_airflow.run_once", str(root / "conf.json"), str(result)]
    variables = {**airflow_environment(home), **environment(**(extra or {})), "AIRFLOW_HOME": str(home)}
    variables.update({name: value for name, value in airflow_environment(home).items() if "AIRFLOW" in name})
    with log.open("ab") as stream:
        subprocess.run(command, env=variables, stdout=stream, stderr=stream, timeout=TIMEOUT_S, check=True)
    ended = json.loads(result.read_text(encoding="utf-8"))
    return DagRun(config, ended["run_id"], ended["state"], home, log)


def names_in(*paths: Path) -> list[str]:
    """Files at or below ``paths`` that contain the name of a source file."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    assert files
    return [file.name for file in files for name in NAMES if name.encode() in _content(file) or name in file.name]


def _content(file: Path) -> bytes:
    """Bytes of a file; nothing for a folder, and for a database's file that was removed in the meantime."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        return b""
