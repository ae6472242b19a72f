"""The whole DAG on a few photos: every branch, a refusal, and disks that are full for a moment or for good."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from dag_run import DagRun, fault, launch, names_in, nobody, run_dag
from photo_anonymizer import claim
from photo_anonymizer.config import MethodName, load_config
from photo_anonymizer.release.verify import verify
from photo_anonymizer.vault import Vault

pytestmark = pytest.mark.pipeline

METHODS = get_args(MethodName)


# one run a method


@pytest.fixture(scope="module", params=METHODS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, party: Path) -> DagRun:
    return run_dag(tmp_path_factory.mktemp(request.param), party, method=request.param)


def test_the_run_succeeds(run: DagRun) -> None:
    assert run.state == "success"


def test_only_the_branch_of_the_method_runs(run: DagRun) -> None:
    branches = {method: run.states[f"anonymize_{method}"] for method in METHODS}
    chosen = run.config.method
    assert branches == {method: "success" if method == chosen else "skipped" for method in METHODS}


def test_donors_are_gathered_for_synthetic_faces_only(run: DagRun) -> None:
    assert run.states["gather_donors"] == ("success" if run.config.method == "synthetic" else "skipped")


def test_every_other_task_runs_once(run: DagRun) -> None:
    others = {task for task in run.states if not task.startswith(("anonymize_", "gather_donors"))}
    assert {run.states[task] for task in others} == {"success"}
    assert {run.tries[task] for task in others} == {1}


def test_one_version_is_published_and_it_is_intact(run: DagRun) -> None:
    assert [release.name for release in run.releases] == ["v0001"]
    assert verify(run.releases[0], run.vault)["faces"] >= 2


def test_the_release_says_which_method_was_used(run: DagRun) -> None:
    about = json.loads((run.releases[0] / "data" / "run.json").read_text(encoding="utf-8"))
    assert about["method"] == run.config.method


def test_the_ledger_accounts_for_every_file(run: DagRun) -> None:
    rows = run.vault.ledger()
    assert {row["source_uri"] for row in rows} == {path.as_uri() for path in Path(run.config.source).iterdir()}
    assert {row["status"] for row in rows} <= {"released", "held", "rejected"}
    assert {row["run_id"] for row in rows} == {run.run_id}
    assert [row["reason"] for row in rows if row["status"] == "rejected"] == ["not_a_photo"]


def test_the_ledger_and_the_release_name_the_same_photos(run: DagRun) -> None:
    published = {path.stem for path in (run.releases[0] / "data" / "photos").iterdir()}
    assert published == {row["photo_id"] for row in run.vault.ledger() if row["status"] == "released"}
    assert len(published) >= 2


def test_the_asset_event_carries_version_and_counts_only(run: DagRun) -> None:
    (event,) = run.asset_events
    texts = {name: value for name, value in event.items() if not isinstance(value, int)}
    assert texts == {"dataset": "party", "version": "v0001"}
    assert event["inputs"] == event["released"] + event["held"] + event["rejected"] == 4


def test_what_the_tasks_tell_each_other_is_counts_paths_and_shards(run: DagRun) -> None:
    told = run.xcoms
    assert told.pop("prepare_run") == str(run.folder.path)
    assert told.pop("plan_shards") == told.pop("collect_shards") == ["0000"]
    for task in ("export_release", "choose_method"):
        told.pop(task, None)
    assert {type(value) for counts in told.values() for value in counts.values()} == {int}


def test_no_file_name_leaves_the_vault(run: DagRun) -> None:
    assert names_in(run.home, run.log, run.releases[0]) == []


def test_the_dataset_is_free_and_the_intermediate_files_are_gone(run: DagRun) -> None:
    assert claim.held_by(run.config) is None
    assert not run.folder.path.exists()


# the same source again


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, party: Path) -> tuple[DagRun, DagRun]:
    """Two runs of one dataset, nothing having changed between them."""
    root = tmp_path_factory.mktemp("again")
    return run_dag(root, party, method="mask"), run_dag(root, party, method="mask")


def test_a_run_that_finds_nothing_new_succeeds_and_makes_no_version(second: tuple[DagRun, DagRun]) -> None:
    first, again = second
    assert again.state == "success"
    assert again.states["export_release"] == "skipped"
    assert [release.name for release in again.releases] == ["v0001"]
    assert again.xcoms["ingest_photos"]["going_on"] == 0
    assert claim.held_by(first.config) is None
    assert not again.folder.path.exists()


def test_nobody_is_told_of_a_version_that_was_not_made(second: tuple[DagRun, DagRun]) -> None:
    assert second[1].asset_events == []


# the gate refuses


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    root = tmp_path_factory.mktemp("refused")
    source = nobody(root / "photos")
    return root, launch(source, "--out", "out", "--dataset", "party", cwd=root)


def test_a_refusal_is_exit_code_3_and_says_why(refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, ended = refused
    assert ended.returncode == 3
    assert "the gate refused the release" in ended.stderr
    assert "Nothing was published" in ended.stderr


def test_after_a_refusal_nothing_is_published(refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = refused
    assert not list((root / "out").glob("releases/*/*"))


def test_after_a_refusal_the_ledger_says_so(refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = refused
    rows = Vault(root / "out" / "vault" / "party").ledger()
    assert {(row["status"], row["reason"]) for row in rows} == {("held", "gate_refused"), ("rejected", "not_a_photo")}


def test_the_gate_is_asked_once(refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = refused
    (log,) = (root / "out" / "workspace" / "logs").iterdir()
    assert log.read_text(encoding="utf-8").count("starting task_id=reid_gate") == 1


def test_after_a_refusal_the_dataset_is_free(refused: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = refused
    assert claim.held_by(load_config({"source": "-", "out": str(root / "out"), "dataset": "party"})) is None


# a disk that is full for a moment: rendering and publishing fail once each


@pytest.fixture(scope="module")
def retried(tmp_path_factory: pytest.TempPathFactory, party: Path) -> DagRun:
    root = tmp_path_factory.mktemp("retried")
    return run_dag(root, party, extra=fault(root / "fault", "/render/", "/releases/"), method="mask")


def test_a_task_that_failed_is_tried_again_and_the_run_succeeds(retried: DagRun) -> None:
    assert retried.state == "success"
    assert (retried.tries["render_photos"], retried.tries["export_release"]) == (2, 2)


def test_a_second_try_publishes_one_version_and_leaves_nothing_half_written(retried: DagRun) -> None:
    assert [release.name for release in retried.releases] == ["v0001"]
    assert retried.leftovers == []
    verify(retried.releases[0], retried.vault)


def test_a_failure_s_log_names_the_place_and_no_photo(retried: DagRun) -> None:
    assert "No space left on device" in retried.log.read_text(encoding="utf-8")
    assert names_in(retried.log, retried.home) == []


# a disk that stays full


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, party: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    root = tmp_path_factory.mktemp("full")
    extra = fault(root / "fault", "/releases/", times=99)
    return root, launch(party, "--out", "out", "--dataset", "party", cwd=root, **extra)


def test_a_full_disk_is_exit_code_1_and_says_what_to_do(
    full: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, ended = full
    assert ended.returncode == 1
    assert "No space left on device" in ended.stderr
    assert "Nothing was published" in ended.stderr


def test_on_a_full_disk_no_version_appears_not_even_half_of_one(
    full: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    root, _ = full
    assert list((root / "out" / "releases" / "party").iterdir()) == []


def test_on_a_full_disk_the_ledger_releases_nothing(full: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = full
    rows = Vault(root / "out" / "vault" / "party").ledger()
    assert len(rows) == 4
    assert "released" not in {row["status"] for row in rows}


def test_the_dataset_is_free_after_a_full_disk(full: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    root, _ = full
    assert claim.held_by(load_config({"source": "-", "out": str(root / "out"), "dataset": "party"})) is None
