"""``make up``: Airflow with its page on this machine, for one person; for more there is docker-compose.yaml."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from photo_anonymizer_airflow.environment import ROOT, airflow_environment, fresh_home

PORT = "8080"


def main() -> None:
    """Replaces this process by ``airflow standalone``; its state lies in ``.airflow`` beside the code."""
    home = Path(os.environ.get("AIRFLOW_HOME") or ROOT / ".airflow")
    if not (home / "airflow.db").is_file():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh_home(home, home / "setup.log")
    environment = {
        **airflow_environment(home),
        # Everybody who reaches the page is admin, so only this machine may reach it.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": os.environ.get("PORT", PORT),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "PHOTO_ANONYMIZER_OUT": os.environ.get("PHOTO_ANONYMIZER_OUT", str(ROOT / "out")),
    }
    port = environment["AIRFLOW__API__PORT"]
    environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] = f"http://127.0.0.1:{port}/execution/"
    environment["AIRFLOW__API__BASE_URL"] = f"http://127.0.0.1:{port}"
    sys.stderr.write(f"Airflow starts on http://127.0.0.1:{port} (DAG anonymize_photos); stop it with Ctrl-C\n")
    os.execve(sys.executable, [sys.executable, "-m", "airflow", "standalone"], environment)


if __name__ == "__main__":
    main()
