"""What ``./anonymize`` starts: exit codes, what it prints, and how it is stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dag_run import environment, launch, photos
from photo_anonymizer import claim
from photo_anonymizer.config import load_config
from photo_anonymizer.files import write_json
from photo_anonymizer.release.verify import verify
from photo_anonymizer.vault import Vault

Ended = subprocess.CompletedProcess[str]


# bad usage: exit code 2, at once, with a sentence


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "the source folder does not exist"),
        (["empty"], "the source is empty"),
        (["file.jpg"], "the source is not a folder"),
        (["photos", "--method", "swirl"], "method: Input should be 'auto', 'blur', 'pixelate', 'mask' or 'avatar'"),
        (["photos", "--set", "detection.doubt_score=-1"], "detection.doubt_score: Input should be greater than 0"),
        (["photos", "--set", "detection=1", "--set", "detection.doubt_score=-1"], "detection.doubt_score"),
        (["photos", "--set", "blur.magic=1"], "blur.magic"),
        (["photos", "--set", "cells"], "write FIELD=VALUE"),
        (["photos", "--config", "missing.yaml"], "missing.yaml cannot be read"),
        (["photos", "--dataset", "../up"], "dataset: "),
        (["photos", "--set", "mask.shape=icon", "--set", "mask.icon=missing.png"], "mask.icon: "),
        (["photos", "--fast"], "unrecognized arguments: --fast"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_is_exit_code_2_and_says_what_is_wrong(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jpg").touch()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    ended = launch(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_bad_usage_starts_nothing_and_leaves_airflow_s_home_alone(tmp_path: Path) -> None:
    launch("nowhere", cwd=tmp_path, AIRFLOW_HOME=str(tmp_path / "airflow"), HOME=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_on_which_another_run_works_is_exit_code_1(tmp_path: Path, party: Path) -> None:
    config = load_config({"source": str(party), "out": str(tmp_path / "out")})
    (tmp_path / "out" / "workspace" / "photos" / "other").mkdir(parents=True)
    note = {"folder": "other", "host": socket.gethostname(), "pid": os.getpid()}
    write_json(Vault.of(config).path / "active_run.json", note)
    ended = launch(party, cwd=tmp_path)
    assert ended.returncode == 1
    assert "another run works on the dataset 'photos'" in ended.stderr


def test_an_output_folder_that_cannot_be_made_is_exit_code_1(tmp_path: Path, party: Path) -> None:
    (tmp_path / "taken").touch()
    ended = launch(party, "--out", "taken", cwd=tmp_path)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


# a run on the sample photos


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    root = tmp_path_factory.mktemp("samples")
    (root / "logging.py").write_text("raise SystemExit('a file of the current folder was executed')", encoding="utf-8")
    return root, launch(cwd=root)


def samples_below(root: Path) -> list[str]:
    """Names of the sample photos that the launcher made."""
    (folder,) = (root / "out" / "workspace").glob("sample*")
    return [path.name for path in folder.iterdir()]


@pytest.mark.pipeline
def test_without_photos_the_sample_photos_are_published(sampled: tuple[Path, Ended]) -> None:
    _, ended = sampled
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.pipeline
def test_no_file_of_the_current_folder_is_executed(sampled: tuple[Path, Ended]) -> None:
    root, _ = sampled
    (log,) = (root / "out" / "workspace" / "logs").iterdir()
    assert "was executed" not in log.read_text(encoding="utf-8")


@pytest.mark.pipeline
def test_the_release_and_its_report_are_named(sampled: tuple[Path, Ended]) -> None:
    root, ended = sampled
    release = root / "out" / "releases" / "photos" / "v0001"
    assert f"release: {release}" in ended.stdout
    assert f"report:  {release / 'data' / 'report.html'}" in ended.stdout
    assert verify(release, Vault(root / "out" / "vault" / "photos"))["photos"] >= 4


@pytest.mark.pipeline
def test_the_log_is_named_before_anything_else_can_fail(sampled: tuple[Path, Ended]) -> None:
    _, ended = sampled
    (log,) = re.findall(r"^log: (.+)$", ended.stdout, re.MULTILINE)
    assert Path(log).is_file()
    assert ended.stdout.index("log: ") < ended.stdout.index("released")


@pytest.mark.pipeline
def test_the_closing_table_counts_photos_and_seconds(sampled: tuple[Path, Ended]) -> None:
    root, ended = sampled
    table = dict(re.findall(r"│ ([a-z][a-z ]*?) +│ +([\d.]+) │", ended.stdout))
    assert {"released", "held", "rejected", "seconds", "photos per second"} <= set(table)
    files = len(samples_below(root))
    assert sum(int(table[status]) for status in ("released", "held", "rejected")) == files
    assert float(table["photos per second"]) == pytest.approx(files / float(table["seconds"]), abs=0.02)


@pytest.mark.pipeline
def test_the_log_and_what_is_printed_name_no_photo(sampled: tuple[Path, Ended]) -> None:
    root, ended = sampled
    (log,) = (root / "out" / "workspace" / "logs").iterdir()
    names = samples_below(root)
    told = log.read_text(encoding="utf-8") + ended.stdout + ended.stderr
    assert [name for name in names if name in told] == []


@pytest.mark.pipeline
def test_what_airflow_needed_for_the_run_is_gone(sampled: tuple[Path, Ended]) -> None:
    root, _ = sampled
    assert list((root / "out" / "workspace").glob(".*")) == []
    assert list((root / "out" / "workspace" / "photos").iterdir()) == []


# stopped by hand, stopped by the system, and then started again


def processes_of(root: Path) -> list[list[str]]:
    """Command lines of processes that work below ``root``."""
    found = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [line for line in found if any(str(root) in word for word in line)]


def started_and_stopped(root: Path, number: signal.Signals) -> tuple[int, str, float]:
    """Starts a run, sends the launcher a signal when the first photos are read; exit code, stderr, seconds to end."""
    command = [sys.executable, "-m", "photo_anonymizer_airflow.launch", str(root / "photos")]
    launcher = subprocess.Popen(
        command, cwd=root, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    known = set((root / "out" / "workspace" / "photos").glob("*"))
    give_up = time.monotonic() + 60
    while not {path.parents[1] for path in root.glob("out/workspace/photos/*/ingest/all")} - known:
        assert launcher.poll() is None, launcher.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.05)
    stopped = time.monotonic()
    launcher.send_signal(number)
    _, said = launcher.communicate(timeout=30)
    return launcher.returncode, said, time.monotonic() - stopped


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    photos(folder / "photos")
    return folder


@pytest.mark.pipeline
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_launcher_takes_its_run_with_it(root: Path, number: signal.Signals) -> None:
    code, said, seconds = started_and_stopped(root, number)
    assert code == 1
    assert "stopped; nothing was published" in said
    assert seconds < 5
    assert processes_of(root) == []
    assert not list((root / "out").glob("releases/*/*"))
    assert not list((root / "out" / "workspace").glob(".airflow-*"))


@pytest.mark.pipeline
def test_after_a_stop_a_new_run_needs_no_cleaning(root: Path) -> None:
    ended = launch(root / "photos", cwd=root)
    assert ended.returncode == 0, ended.stderr
    verify(root / "out" / "releases" / "photos" / "v0001", Vault(root / "out" / "vault" / "photos"))
    assert claim.held_by(load_config({"source": "-", "out": str(root / "out")})) is None


@pytest.mark.pipeline
def test_a_run_outlives_a_launcher_that_was_killed_and_keeps_the_dataset(tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    assert started_and_stopped(tmp_path, signal.SIGKILL)[0] == -signal.SIGKILL
    assert launch(tmp_path / "photos", cwd=tmp_path).returncode == 1
    give_up = time.monotonic() + 60
    while processes_of(tmp_path) and time.monotonic() < give_up:
        time.sleep(0.1)
    verify(tmp_path / "out" / "releases" / "photos" / "v0001", Vault(tmp_path / "out" / "vault" / "photos"))
