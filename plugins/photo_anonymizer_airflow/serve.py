"""``make up``: Airflow with its page on this machine, for one person; for more there is docker-compose.yaml."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from photo_anonymizer_airflow.environment import ROOT, airflow_environment, fresh_home

PORT = "8080"
# Not ``airflow standalone``: its scheduler and triggerer offer the tasks' logs to the whole network, and on Ctrl-C it
# hangs. The page reads the logs from the disk.
COMPONENTS = (
    ("api-server",),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)
STOP_S = 15


def main() -> int:
    """Runs Airflow until it is stopped; its state lies in ``.airflow`` beside the code."""
    home = Path(os.environ.get("AIRFLOW_HOME") or ROOT / ".airflow")
    if not (home / "airflow.db").is_file():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh_home(home, home / "setup.log")
    environment = _environment(home)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.stderr.write(f"Airflow starts on {environment['AIRFLOW__API__BASE_URL']}; stop it with Ctrl-C\n")
    running: list[subprocess.Popen[bytes]] = []
    try:
        for component in COMPONENTS:
            command = [sys.executable, "-m", "airflow", *component]
            running.append(subprocess.Popen(command, env=environment, start_new_session=True))
        while all(process.poll() is None for process in running):
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(running)
    sys.stderr.write("A part of Airflow has ended by itself; see above\n")
    return 1


def _environment(home: Path) -> dict[str, str]:
    port = os.environ.get("PORT", PORT)
    return {
        **airflow_environment(home),
        # Everybody who reaches the page is admin, so only this machine may reach it.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "PHOTO_ANONYMIZER_OUT": os.environ.get("PHOTO_ANONYMIZER_OUT", str(ROOT / "out")),
    }


def _stop(running: list[subprocess.Popen[bytes]]) -> None:
    """Asks every part to end, then ends what is left of it: a task that was killed is tried again at the next start."""
    for process in running:
        process.terminate()
    give_up = time.monotonic() + STOP_S
    for process in running:
        try:
            process.wait(max(0.0, give_up - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
