"""What docker-compose.yaml must keep to. Every check is also shown a document that breaks its rule."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"
OWN_IMAGE = "photo-anonymizer"
ONE_SHOT = {"airflow-init"}
SERVICES = {
    "postgres",
    "redis",
    "airflow-init",
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-worker",
    "airflow-triggerer",
}
# REDISCLI_AUTH is a password under the name that redis-cli prescribes.
SECRET_NAME = re.compile(r"PASSWORD|SECRET|KEY|TOKEN|REDISCLI_AUTH", re.IGNORECASE)
REQUIRED = re.compile(r"\$\{([A-Z][A-Z0-9_]*):\?[^}]+\}")
URL_PASSWORD = re.compile(r"://[^/@\s:]*:(?P<password>.+)@")
FULL_VERSION = re.compile(r":v?\d+\.\d+(\.\d+)*(-[a-z0-9.]+)*$")
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
SECONDS = {"s": 1, "m": 60, "h": 3600}

Document = dict[str, Any]


# --- The checks: each returns what is wrong, in words ---


def services_of(document: Document) -> dict[str, Document]:
    services: dict[str, Document] = document["services"]
    return services


def strings_of(node: object) -> list[str]:
    """Every string in a document, keys left out."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in strings_of(value)]
    if isinstance(node, list):
        return [text for value in node for text in strings_of(value)]
    return [node] if isinstance(node, str) else []


def environment_of(service: Document) -> dict[str, str]:
    """A service's environment, whether written as a mapping or as a list."""
    written = service.get("environment", {})
    if isinstance(written, list):
        pairs = (entry.partition("=") for entry in written)
        return {name: value for name, _, value in pairs}
    return {name: "" if value is None else str(value) for name, value in written.items()}


def without_healthcheck(document: Document) -> list[str]:
    def missing(service: Document) -> bool:
        check = service.get("healthcheck") or {}
        return check.get("disable", False) or check.get("test") in (None, [], "NONE", ["NONE"])

    return [name for name, service in services_of(document).items() if missing(service)]


def unpinned_images(document: Document) -> list[str]:
    def pinned(image: str) -> bool:
        if image.startswith(f"{OWN_IMAGE}:"):
            return REQUIRED.fullmatch(image.removeprefix(f"{OWN_IMAGE}:")) is not None
        return bool(DIGEST.search(image) or FULL_VERSION.search(image))

    return [name for name, service in services_of(document).items() if not pinned(service.get("image", ""))]


def literal_secrets(document: Document) -> list[str]:
    """Secrets, and passwords inside URLs, that are anything but a required variable."""
    found = []
    for name, service in services_of(document).items():
        for variable, value in environment_of(service).items():
            url = URL_PASSWORD.search(value)
            secret = url["password"] if url else value if SECRET_NAME.search(variable) else None
            if secret is not None and not REQUIRED.fullmatch(secret):
                found.append(f"{name}.{variable}")
    return found


def optional_variables(document: Document) -> list[str]:
    """Interpolations other than ``${NAME:?message}``: they would let a forgotten value pass."""
    found = []
    for text in strings_of(document):
        rest = REQUIRED.sub("", text.replace("$$", ""))
        if "$" in rest:
            found.append(text)
    return found


def required_variables(document: Document) -> set[str]:
    return {name for text in strings_of(document) for name in REQUIRED.findall(text.replace("$$", ""))}


def open_ports(document: Document) -> list[str]:
    """Ports that are published on anything but the loopback address, or past the networks altogether."""

    def loopback(port: object) -> bool:
        if isinstance(port, dict):
            return port.get("host_ip") == "127.0.0.1"
        return str(port).startswith("127.0.0.1:")

    found = []
    for name, service in services_of(document).items():
        found += [f"{name}: {port}" for port in service.get("ports", []) if not loopback(port)]
        if service.get("network_mode") == "host":
            found.append(f"{name}: host network")
    return found


def not_hardened(document: Document) -> list[str]:
    found = []
    for name, service in services_of(document).items():
        rules = {
            "read_only": service.get("read_only") is True,
            "cap_drop": service.get("cap_drop") == ["ALL"] and not service.get("cap_add"),
            "no-new-privileges": "no-new-privileges:true" in service.get("security_opt", []),
            "not privileged": not service.get("privileged", False),
            "user": str(service.get("user", "root")).split(":")[0] not in {"root", "0"},
            "memory limit": bool(service.get("mem_limit")),
            "process limit": int(service.get("pids_limit", 0)) > 0,
            "tmpfs": bool(service.get("tmpfs")),
            "restart": service.get("restart") == ("no" if name in ONE_SHOT else "unless-stopped"),
            "grace period": bool(service.get("stop_grace_period")),
            "log rotation": {"max-size", "max-file"} <= set(service.get("logging", {}).get("options", {})),
        }
        found += [f"{name}: {rule}" for rule, kept in rules.items() if not kept]
    return found


def network_faults(document: Document) -> list[str]:
    """Database, broker and the worker, which opens unknown files, must have no way in or out."""
    networks = document["networks"]

    def inside(name: str) -> bool:
        joined = services_of(document)[name].get("networks", ["default"])
        return all((networks.get(network) or {}).get("internal") is True for network in joined)

    return [name for name in services_of(document) if name != "airflow-apiserver" and not inside(name)]


def setting_faults(document: Document) -> list[str]:
    wanted = {
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "true",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://airflow-apiserver:8080/execution/",
        "AIRFLOW__API__EXPOSE_CONFIG": "false",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
    }
    found = []
    for name, service in services_of(document).items():
        if name.startswith("airflow-"):
            environment = environment_of(service)
            found += [f"{name}: {key}" for key, value in wanted.items() if environment.get(key) != value]
    return found


def mount_faults(document: Document) -> list[str]:
    """Photos are never writable; the vault is seen by few; nothing reaches Docker's own socket."""
    found = []
    for name, service in services_of(document).items():
        for volume in service.get("volumes", []):
            mount = volume if isinstance(volume, dict) else {"source": volume.split(":")[0], "target": volume}
            if "docker.sock" in str(mount["source"]):
                found.append(f"{name}: Docker's socket")
            if mount["target"] == "/data/photos" and mount.get("read_only") is not True:
                found.append(f"{name}: writable photos")
            if "/data/vault" in mount["target"] and name not in VAULT_READERS:
                found.append(f"{name}: vault")
            if mount.get("type") == "bind" and mount.get("bind", {}).get("create_host_path") is not False:
                found.append(f"{name}: {mount['target']} would be made by Docker")
    return found


VAULT_READERS = {"airflow-init", "airflow-worker", "airflow-apiserver"}


def key_holders(document: Document, variable: str) -> set[str]:
    return {name for name, service in services_of(document).items() if variable in environment_of(service)}


def seconds(duration: str) -> int:
    return sum(int(number) * SECONDS[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


def timing_faults(document: Document) -> list[str]:
    """Redis must not hand out a task again that a stopping worker still finishes."""
    worker = services_of(document)["airflow-worker"]
    name = "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"
    visibility = int(environment_of(worker).get(name, 0))
    grace = seconds(worker["stop_grace_period"])
    return [] if visibility >= 6 * 3600 and 600 <= grace < visibility else [f"{visibility} s, {grace} s"]


def template_of(text: str) -> dict[str, str]:
    """The variables in an .env file."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


# --- The documents ---


@pytest.fixture(scope="module")
def compose() -> Document:
    document: Document = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    return document


@pytest.fixture
def broken(compose: Document) -> Document:
    """A copy to plant a fault in."""
    return copy.deepcopy(compose)


CHECKS = [
    without_healthcheck,
    unpinned_images,
    literal_secrets,
    optional_variables,
    open_ports,
    not_hardened,
    network_faults,
    setting_faults,
    mount_faults,
    timing_faults,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_document_keeps_the_rule(compose: Document, check: Any) -> None:
    assert check(compose) == []


def test_all_services_are_there(compose: Document) -> None:
    assert set(services_of(compose)) == SERVICES


# A fault: the service, a key of it (dotted for an inner one), what is written there; None takes the key away.
FAULTS = [
    (without_healthcheck, "redis", "healthcheck", None),
    (without_healthcheck, "redis", "healthcheck.disable", True),
    (without_healthcheck, "airflow-init", "healthcheck.test", ["NONE"]),
    (unpinned_images, "redis", "image", "redis"),
    (unpinned_images, "redis", "image", "redis:latest"),
    (unpinned_images, "redis", "image", "redis:7-bookworm"),
    (unpinned_images, "redis", "image", None),
    (unpinned_images, "airflow-worker", "image", "photo-anonymizer:${IMAGE_TAG:-latest}"),
    (unpinned_images, "airflow-worker", "image", "photo-anonymizer:latest"),
    (literal_secrets, "postgres", "environment.POSTGRES_PASSWORD", "airflow"),
    (literal_secrets, "postgres", "environment.POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:-airflow}"),
    (literal_secrets, "postgres", "environment", ["POSTGRES_PASSWORD=airflow"]),
    (literal_secrets, "redis", "environment.REDISCLI_AUTH", "${REDIS_PASSWORD}"),
    (literal_secrets, "airflow-init", "environment.SOME_TOKEN", "x${SOME_TOKEN:?needed}"),
    (
        literal_secrets,
        "airflow-worker",
        "environment.AIRFLOW__CELERY__BROKER_URL",
        "redis://:secret@redis:6379/0",
    ),
    (literal_secrets, "airflow-worker", "environment.DATABASE", "postgresql://a:${P:-b}@postgres/airflow"),
    (optional_variables, "redis", "environment.LEVEL", "${LEVEL:-debug}"),
    (optional_variables, "redis", "environment.LEVEL", "$LEVEL"),
    (optional_variables, "redis", "environment.LEVEL", "${LEVEL?may be empty}"),
    (open_ports, "airflow-apiserver", "ports", ["8080:8080"]),
    (open_ports, "airflow-apiserver", "ports", ["0.0.0.0:8080:8080"]),
    (open_ports, "postgres", "ports", [{"target": 5432, "published": "5432"}]),
    (open_ports, "redis", "network_mode", "host"),
    (not_hardened, "airflow-worker", "read_only", None),
    (not_hardened, "airflow-worker", "cap_drop", ["NET_RAW"]),
    (not_hardened, "airflow-worker", "cap_add", ["SYS_ADMIN"]),
    (not_hardened, "airflow-worker", "security_opt", None),
    (not_hardened, "airflow-worker", "privileged", True),
    (not_hardened, "airflow-worker", "user", "0:0"),
    (not_hardened, "airflow-worker", "user", None),
    (not_hardened, "airflow-worker", "mem_limit", None),
    (not_hardened, "airflow-worker", "restart", "no"),
    (not_hardened, "airflow-worker", "logging", None),
    (not_hardened, "airflow-worker", "stop_grace_period", None),
    (network_faults, "airflow-worker", "networks", ["data", "edge"]),
    (network_faults, "postgres", "networks", None),
    (setting_faults, "airflow-scheduler", "environment.AIRFLOW__CORE__LOAD_EXAMPLES", "true"),
    (setting_faults, "airflow-apiserver", "environment.AIRFLOW__CORE__AUTH_MANAGER", None),
    (mount_faults, "airflow-worker", "volumes", [{"source": "/p", "target": "/data/photos"}]),
    (mount_faults, "airflow-scheduler", "volumes", ["./vault:/data/vault"]),
    (mount_faults, "airflow-worker", "volumes", ["/var/run/docker.sock:/var/run/docker.sock"]),
    (
        mount_faults,
        "airflow-worker",
        "volumes",
        [{"type": "bind", "source": "/r", "target": "/data/releases"}],
    ),
    (timing_faults, "airflow-worker", "stop_grace_period", "10s"),
    (
        timing_faults,
        "airflow-worker",
        "environment.AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT",
        "60",
    ),
]


@pytest.mark.parametrize(("check", "service", "key", "value"), FAULTS)
def test_a_planted_fault_is_found(broken: Document, check: Any, service: str, key: str, value: object) -> None:
    *path, last = key.split(".")
    place = services_of(broken)[service]
    for step in path:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    assert check(broken) != []


def test_every_check_is_shown_a_fault() -> None:
    assert {fault[0] for fault in FAULTS} == set(CHECKS)


def test_an_image_may_be_pinned_by_digest(broken: Document) -> None:
    services_of(broken)["redis"]["image"] = "redis@sha256:" + "0" * 64
    assert unpinned_images(broken) == []


# --- Keys, start order, pools, template ---


def test_keys_are_given_to_those_who_need_them(compose: Document) -> None:
    assert key_holders(compose, "AIRFLOW__API_AUTH__JWT_SECRET") == {"airflow-apiserver", "airflow-scheduler"}
    assert "airflow-worker" not in key_holders(compose, "AIRFLOW__CORE__FERNET_KEY")
    assert key_holders(compose, "ADMIN_PASSWORD") == {"airflow-init"}


def test_nothing_of_airflow_starts_before_the_database_is_ready(compose: Document) -> None:
    for name in SERVICES - {"postgres", "redis", "airflow-init"}:
        conditions = {on: how["condition"] for on, how in services_of(compose)[name]["depends_on"].items()}
        assert conditions["airflow-init"] == "service_completed_successfully"
        assert conditions["postgres"] == conditions["redis"] == "service_healthy"


def test_the_first_start_makes_database_pools_and_account(compose: Document) -> None:
    script = services_of(compose)["airflow-init"]["command"][-1]
    for step in ("airflow db migrate", "airflow pools import", "airflow users create"):
        assert step in script
    assert "--password" not in script


def test_the_pools_are_defined() -> None:
    pools = json.loads((ROOT / "config" / "pools.json").read_text(encoding="utf-8"))
    assert {name: pool["slots"] for name, pool in pools.items()} == {"photo_io": 8, "photo_cpu": 2}
    assert all(pool["description"] for pool in pools.values())


def template_faults(document: Document, text: str) -> list[str]:
    """Variables that only one of compose and the template names, and values filled in."""
    template = template_of(text)
    return sorted(required_variables(document) ^ set(template)) + [name for name in template if template[name]]


def test_the_template_names_what_is_required_and_fills_in_nothing(compose: Document) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert template_faults(compose, text) == []
    assert "REDIS_PASSWORD" in template_faults(compose, text.replace("REDIS_PASSWORD=\n", ""))
    assert "REDIS_PASSWORD" in template_faults(compose, text.replace("REDIS_PASSWORD=\n", "REDIS_PASSWORD=redis\n"))
    assert "UNUSED" in template_faults(compose, text + "UNUSED=\n")


def test_a_filled_in_template_is_never_committed() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


# --- Docker's own opinion ---


@pytest.fixture(scope="module")
def docker() -> str:
    found = shutil.which("docker")
    if found is None:
        pytest.skip("no docker client on this machine")
    done = subprocess.run([found, "compose", "version"], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("the docker client on this machine has no compose plugin")
    return found


def config(docker: str, environment: dict[str, str], empty: Path) -> subprocess.CompletedProcess[str]:
    """``docker compose config``, with this environment and no .env file."""
    return subprocess.run(
        [docker, "compose", "--env-file", str(empty), "--file", str(COMPOSE), "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/tmp"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def environment(compose: Document) -> dict[str, str]:
    values = {name: f"fake-{name.lower()}" for name in required_variables(compose)}
    return {**values, "DATA_DIR": "/srv/data", "PHOTOS_DIR": "/srv/photos"}


def test_docker_accepts_the_document(docker: str, environment: dict[str, str], tmp_path: Path) -> None:
    empty = tmp_path / "empty.env"
    empty.touch()
    done = config(docker, environment, empty)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == SERVICES


def test_docker_refuses_when_a_variable_is_missing(docker: str, environment: dict[str, str], tmp_path: Path) -> None:
    empty = tmp_path / "empty.env"
    empty.touch()
    for name in environment:
        done = config(docker, {key: value for key, value in environment.items() if key != name}, empty)
        assert done.returncode != 0, name
        assert name in done.stderr


# --- What compose names exists in the locked packages ---


def test_the_locked_packages_can_run_what_compose_names(compose: Document, tmp_path: Path) -> None:
    """A provider and the library under it may keep to each other's version ranges and still not fit.

    Celery 5.7.0 is within the provider's range, yet the executor cannot be imported with it.
    """
    environment = environment_of(services_of(compose)["airflow-scheduler"])
    module, _, name = environment["AIRFLOW__CORE__AUTH_MANAGER"].rpartition(".")
    script = (
        f"from {module} import {name}\n"
        "from airflow.providers.celery.executors.celery_executor import CeleryExecutor\n"
        "import kombu.transport.redis, psycopg2, redis\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
