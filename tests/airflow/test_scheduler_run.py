"""One run on a real scheduler, as ``make up`` starts it, in which a worker is killed in the middle of its task."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from dag_run import environment, fault, names_in
from photo_anonymizer import claim
from photo_anonymizer.config import load_config
from photo_anonymizer.release.verify import verify
from photo_anonymizer.vault import Vault

pytestmark = pytest.mark.scheduler

START_S, RUN_S, STOP_S = 120, 180, 40


@dataclass
class Airflow:
    """Airflow's REST interface on this machine."""

    port: int
    home: Path
    process: subprocess.Popen[bytes]
    token: str = ""

    def call(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=20) as answer:
            return json.load(answer)

    def processes(self) -> list[psutil.Process]:
        """Everything that belongs to this Airflow."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def wait_for(what: Callable[[], Any], seconds: float, airflow: Airflow) -> Any:
    """What ``what`` returns, as soon as it is true."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            if found := what():
                return found
        except (urllib.error.URLError, OSError):
            pass
        assert airflow.process.poll() is None, (airflow.home.parent / "serve.log").read_text(encoding="utf-8")[-3000:]
        assert time.monotonic() < give_up, (airflow.home.parent / "serve.log").read_text(encoding="utf-8")[-3000:]
        time.sleep(0.5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """Airflow as ``make up`` starts it; the first worker that is about to finish rendering is killed."""
    root = tmp_path_factory.mktemp("scheduler")
    home, port = root / "home", free_port()
    variables = {**fault(root / "fault", "/render/", kind="killed"), "AIRFLOW_HOME": str(home), "PORT": str(port)}
    with (root / "serve.log").open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "photo_anonymizer_airflow.serve"],
            env=environment(**variables),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    started = Airflow(port, home, process)
    try:
        yield started
    finally:
        for left in started.processes():
            left.kill()
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def run(airflow: Airflow, party: Path) -> dict[str, Any]:
    """A run that was triggered by REST and has ended."""

    def healthy() -> bool:
        health = airflow.call("/api/v2/monitor/health")
        return {health[part]["status"] for part in ("scheduler", "dag_processor")} == {"healthy"}

    wait_for(healthy, START_S, airflow)
    airflow.token = airflow.call("/auth/token")["access_token"]
    wait_for(lambda: airflow.call("/api/v2/dags/anonymize_photos"), START_S, airflow)
    conf = {"source": str(party), "out": str(airflow.home.parent / "out"), "dataset": "party", "method": "blur"}
    triggered = airflow.call("/api/v2/dags/anonymize_photos/dagRuns", {"logical_date": None, "conf": conf})
    path = f"/api/v2/dags/anonymize_photos/dagRuns/{triggered['dag_run_id']}"

    def ended() -> Any:
        run = airflow.call(path)
        return run if run["state"] in ("success", "failed") else None

    found = wait_for(ended, RUN_S, airflow)
    tasks = airflow.call(f"{path}/taskInstances?limit=100")["task_instances"]
    found["tasks"] = {task["task_id"]: task for task in tasks}
    found["events"] = airflow.call("/api/v2/assets/events")["asset_events"]
    return dict(found)


@pytest.fixture
def out(airflow: Airflow) -> Path:
    return airflow.home.parent / "out"


def test_the_run_succeeds_although_a_worker_was_killed(run: dict[str, Any]) -> None:
    assert run["state"] == "success", {name: task["state"] for name, task in run["tasks"].items()}


def test_the_killed_task_was_tried_again(run: dict[str, Any]) -> None:
    assert run["tasks"]["render_photos"]["try_number"] == 2


def test_only_the_chosen_branch_ran(run: dict[str, Any]) -> None:
    states = {name: task["state"] for name, task in run["tasks"].items() if name.startswith("anonymize_")}
    assert states.pop("anonymize_blur") == "success"
    assert set(states.values()) == {"skipped"}


def test_exactly_one_intact_version_is_published(run: dict[str, Any], out: Path) -> None:
    assert [path.name for path in (out / "releases" / "party").iterdir()] == ["v0001"]
    assert verify(out / "releases" / "party" / "v0001", Vault(out / "vault" / "party"))["photos"] >= 2


def test_the_page_shows_the_release_as_an_asset_event_with_counts(run: dict[str, Any]) -> None:
    (event,) = run["events"]
    assert (event["extra"]["version"], event["extra"]["inputs"]) == ("v0001", 4)


def test_the_dataset_is_free_again(run: dict[str, Any], out: Path) -> None:
    assert claim.held_by(load_config({"source": "-", "out": str(out), "dataset": "party"})) is None


def test_neither_database_nor_logs_name_a_photo(run: dict[str, Any], airflow: Airflow) -> None:
    assert any(path.parent.name.startswith("task_id=") for path in airflow.home.rglob("*") if path.is_file())
    assert names_in(airflow.home) == []


def test_only_this_machine_can_reach_it(run: dict[str, Any], airflow: Airflow) -> None:
    listening = {
        connection.laddr.ip
        for process in airflow.processes()
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_ctrl_c_ends_every_part_of_it(run: dict[str, Any], airflow: Airflow) -> None:
    parts = airflow.processes()
    assert len(parts) > 4
    os.killpg(airflow.process.pid, signal.SIGINT)
    assert airflow.process.wait(STOP_S) == 0
    until = time.monotonic() + STOP_S
    while (left := [part for part in parts if _runs(part)]) and time.monotonic() < until:
        time.sleep(0.2)  # the last ones may still be on their way out when their parent is gone
    assert left == []


def _runs(part: psutil.Process) -> bool:
    try:
        return part.is_running() and part.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
