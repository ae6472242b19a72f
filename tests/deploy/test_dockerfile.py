"""What the Dockerfile must keep to. Every check is also shown a file that breaks its rule."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r":\d+\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?$")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|FERNET|(?<![A-Z])KEY(?![A-Z])", re.IGNORECASE)

Instruction = tuple[str, str]


def instructions_of(text: str) -> list[Instruction]:
    """The file's instructions: comments gone, continued lines joined."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    pairs = (line.split(None, 1) for line in joined.splitlines())
    return [(name.upper(), rest) for name, rest in pairs]


def arguments(text: str, name: str) -> list[str]:
    return [rest for instruction, rest in instructions_of(text) if instruction == name]


def unpinned_base(text: str) -> list[str]:
    """Base images that are neither a stage of the file nor a full version."""
    defaults = dict(line.split("=", 1) for line in arguments(text, "ARG") if "=" in line)
    stages: set[str] = set()
    found = []
    for line in arguments(text, "FROM"):
        image, *alias = re.split(r"\s+AS\s+", line, flags=re.IGNORECASE)
        for name, value in defaults.items():
            image = image.replace(f"${{{name}}}", value)
        if image not in stages and not PINNED.search(image):
            found.append(image)
        stages.update(alias)
    return found or ([] if stages else ["no stage"])


def runs_as_root(text: str) -> list[str]:
    """The last USER of the last stage must be a number other than 0: Kubernetes cannot check a name."""
    last_stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    users = arguments("FROM " + last_stage, "USER")
    return [] if users and re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]) else [*users, "root"][:1]


def unhashed_installs(text: str) -> list[str]:
    """pip installs that take anything but the hashed lock or the package itself."""
    installs = [line for line in arguments(text, "RUN") if "pip install" in line]
    allowed = (
        "pip install --no-deps --require-hashes -r ",
        "pip install --no-deps --no-build-isolation -e .",
    )
    wrong = [line for line in installs if not line.startswith(allowed)]
    locked = any("--require-hashes" in line for line in installs)
    return wrong if locked else [*wrong, "no --require-hashes"]


def added_from_elsewhere(text: str) -> list[str]:
    """ADD takes URLs and unpacks archives; COPY does neither. A download in RUN is no better."""
    downloads = [line for line in arguments(text, "RUN") if re.search(r"\b(curl|wget)\b\s+[^|&]*https?://", line)]
    return arguments(text, "ADD") + downloads


def moving_tags(text: str) -> list[str]:
    return [rest for _, rest in instructions_of(text) if re.search(r":latest\b", rest)]


def secrets(text: str) -> list[str]:
    """Build arguments and environment variables stay readable in the image."""
    names = [name for line in arguments(text, "ENV") for name in re.findall(r"([A-Za-z_]+)=", line)]
    names += [line.split("=")[0] for line in arguments(text, "ARG")]
    copied = [line for line in arguments(text, "COPY") if re.search(r"(^|[\s/])\.env\b|^\. ", line)]
    return [name for name in names if SECRET.search(name)] + copied


CHECKS = [unpinned_base, runs_as_root, unhashed_installs, added_from_elsewhere, moving_tags, secrets]


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("check", CHECKS)
def test_the_file_keeps_the_rule(dockerfile: str, check: Any) -> None:
    assert check(dockerfile) == []


FAULTS = [
    (unpinned_base, r"python:3\.11\.\d+-slim-bookworm", "python:3.11-slim"),
    (unpinned_base, r"FROM \S+ AS runtime", "FROM python AS runtime"),
    (runs_as_root, r"^USER .*$", ""),
    (runs_as_root, r"^USER .*$", "USER root"),
    (runs_as_root, r"^USER .*$", "USER 0:0"),
    (runs_as_root, r"^USER .*$", "USER airflow"),
    (unhashed_installs, r" --require-hashes", ""),
    (unhashed_installs, r"\Z", "RUN pip install requests\n"),
    (added_from_elsewhere, r"\Z", "ADD https://example.org/model.onnx /models/\n"),
    (added_from_elsewhere, r"\Z", "RUN curl --silent https://example.org/install.sh | sh\n"),
    (moving_tags, r"\Z", "COPY --from=busybox:latest /bin/sh /bin/sh\n"),
    (secrets, r"\Z", "ENV AIRFLOW__API__SECRET_KEY=x\n"),
    (secrets, r"\Z", "ARG PIP_TOKEN\n"),
    (secrets, r"\Z", "COPY . .\n"),
    (secrets, r"\Z", "COPY .env /opt/airflow/\n"),
]


@pytest.mark.parametrize(("check", "pattern", "replacement"), FAULTS)
def test_a_planted_fault_is_found(dockerfile: str, check: Any, pattern: str, replacement: str) -> None:
    broken = re.sub(pattern, replacement, dockerfile, flags=re.MULTILINE)
    assert broken != dockerfile
    assert check(broken) != []


def test_every_check_is_shown_a_fault() -> None:
    assert {fault[0] for fault in FAULTS} == set(CHECKS)


def test_the_models_are_prepared_in_the_image(dockerfile: str) -> None:
    assert "photo-anonymizer models --prepare" in arguments(dockerfile, "RUN")


def test_the_build_sees_only_what_is_named() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {line.removeprefix("!") for line in rules if line.startswith("!")}
    copied = {
        source
        for line in arguments((ROOT / "Dockerfile").read_text(encoding="utf-8"), "COPY")
        if not line.startswith("--from=")
        for source in line.split()[:-1]
    }
    assert copied == allowed
    assert not any(name.startswith(".env") or name == "." for name in allowed)
