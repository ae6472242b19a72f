"""How Airflow is told where this project is, for programs that start it on one machine.

Nothing here imports Airflow: whoever does writes into the AIRFLOW_HOME of its own process, by default ``~/airflow``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POOLS = ROOT / "config" / "pools.json"


def airflow_environment(home: Path) -> dict[str, str]:
    """The process environment for an Airflow whose state lies in ``home``, on SQLite."""
    python_path = [str(ROOT / "include"), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        # A file called logging.py in the folder where the program was started must not be imported.
        "PYTHONSAFEPATH": "1",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "GX_ANALYTICS_ENABLED": "false",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def fresh_home(home: Path, log: Path) -> None:
    """An empty Airflow in ``home``: a copy of a database that is migrated once for each Airflow version.

    :raises OSError: the migration failed; ``log`` says why.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    template = Path(sys.prefix) / "share" / "photo-anonymizer" / f"airflow-{metadata.version('apache-airflow-core')}.db"
    if not template.is_file():
        migrated = template.with_suffix(f".{os.getpid()}")
        migrated.mkdir(parents=True)
        run_airflow(["db", "migrate"], migrated, log)
        run_airflow(["pools", "import", str(POOLS)], migrated, log)
        (migrated / "airflow.db").replace(template)
        shutil.rmtree(migrated)
    shutil.copyfile(template, home / "airflow.db")


def run_airflow(arguments: list[str], home: Path, log: Path) -> None:
    """Runs one command of Airflow's own command line.

    :raises OSError: it failed; ``log`` says why.
    """
    command = [sys.executable, "-m", "airflow", *arguments]
    with log.open("ab") as stream:
        done = subprocess.run(command, env=airflow_environment(home), stdout=stream, stderr=stream, check=False)
    if done.returncode != 0:
        raise OSError(f"airflow {' '.join(arguments)} failed; see {log}")
