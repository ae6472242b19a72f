"""One run of a dataset at a time, and no dead run keeps a dataset."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from photo_anonymizer import claim
from photo_anonymizer.errors import DatasetBusyError
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault


@pytest.fixture(autouse=True)
def nobody_in_particular(monkeypatch):
    monkeypatch.delenv(claim.OWNER_VARIABLE, raising=False)


@pytest.fixture
def run(config):
    """Claims the dataset for a run and starts it."""

    def take(name: str, **changes) -> RunFolder:
        chosen = config(**changes)
        folder = RunFolder.of(chosen, name)
        claim.take(chosen, folder)
        folder.start(chosen, name)
        return folder

    return take


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_a_second_run_is_refused_and_told_what_to_do(config, run):
    first = run("one")
    with pytest.raises(DatasetBusyError, match="abandon"):
        run("two")
    assert claim.held_by(config()) == first.path.name
    assert not RunFolder.of(config(), "two").path.exists()


def test_a_second_run_is_refused_before_the_first_has_started(config):
    """Between claim and start there is no moment in which the holder seems gone."""
    chosen = config()
    claim.take(chosen, RunFolder.of(chosen, "one"))
    with pytest.raises(DatasetBusyError):
        claim.take(chosen, RunFolder.of(chosen, "two"))


def test_a_check_refuses_and_takes_nothing(config, run):
    chosen = config()
    claim.check(chosen, RunFolder.of(chosen, "one"))
    assert claim.held_by(chosen) is None
    run("one")
    with pytest.raises(DatasetBusyError):
        claim.check(chosen, RunFolder.of(chosen, "two"))


def test_the_same_run_may_go_on(run):
    assert run("one") == run("one")


def test_another_dataset_is_free(run):
    run("one", dataset="a")
    run("two", dataset="b")


def test_a_run_that_gave_back_leaves_the_dataset_free(config, run):
    claim.give_back(config(), run("one"))
    assert claim.held_by(config()) is None
    run("two")


def test_a_run_cannot_give_back_what_another_holds(config, run):
    first = run("one")
    claim.give_back(config(), RunFolder.of(config(), "two"))
    assert claim.held_by(config()) == first.path.name


def test_giving_back_twice_is_fine(config, run):
    first = run("one")
    claim.give_back(config(), first)
    claim.give_back(config(), first)


def test_a_dead_owner_is_followed(config, run, monkeypatch):
    monkeypatch.setenv(claim.OWNER_VARIABLE, str(dead_pid()))
    run("one")
    second = run("two")
    assert claim.held_by(config()) == second.path.name


def test_a_living_owner_is_not(run, monkeypatch):
    monkeypatch.setenv(claim.OWNER_VARIABLE, str(os.getpid()))
    run("one")
    with pytest.raises(DatasetBusyError):
        run("two")


def test_a_living_owner_of_somebody_else_is_not(run, monkeypatch):
    monkeypatch.setenv(claim.OWNER_VARIABLE, str(os.getpid()))
    run("one")

    def kill(_pid, _signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    with pytest.raises(DatasetBusyError):
        run("two")


def test_an_owner_on_another_machine_counts_as_alive(run, monkeypatch):
    monkeypatch.setenv(claim.OWNER_VARIABLE, str(dead_pid()))
    monkeypatch.setattr(claim.socket, "gethostname", lambda: "another")
    run("one")
    monkeypatch.undo()
    with pytest.raises(DatasetBusyError):
        run("two")


def test_a_run_whose_folder_is_gone_is_followed(config, run):
    run("one").remove()
    second = run("two")
    assert claim.held_by(config()) == second.path.name


def test_abandon_frees_the_dataset_and_deletes_the_intermediate_files(config, run):
    first = run("one")
    assert claim.abandon(config()) == 1
    assert not first.path.exists()
    assert claim.held_by(config()) is None
    run("two")


def test_abandon_deletes_what_refused_runs_left_and_their_embeddings(config, run):
    left = run("one")
    claim.give_back(config(), left)
    embeddings = Vault.of(config()).private_folder("one") / "embeddings"
    embeddings.mkdir()
    (embeddings / "photo.sealed").write_bytes(b"1234")
    assert claim.abandon(config()) == 1
    assert not left.path.exists()
    assert not embeddings.exists()


def test_a_run_that_is_alive_is_not_abandoned(config, run, monkeypatch):
    monkeypatch.setenv(claim.OWNER_VARIABLE, str(os.getpid()))
    alive = run("one")
    with pytest.raises(DatasetBusyError, match="alive"):
        claim.abandon(config())
    assert alive.path.exists()


def test_there_may_be_nothing_to_abandon(config):
    assert claim.abandon(config()) == 0
