"""One photo's trouble stops that photo; the machine's trouble stops the task; nothing of a photo gets into a log."""

from __future__ import annotations

import errno
import logging

import pytest

from photo_anonymizer.errors import ConfigError, ModelError, PhotoError
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.photostage import run_photo_stage
from photo_anonymizer.runfolder import RunFolder

PHOTOS = [PhotoRecord(photo_id=f"p{number}", source_uri=f"file:///jane-{number}.jpg") for number in range(5)]


@pytest.fixture
def run(config) -> RunFolder:
    """A run whose stage ``before`` is done."""
    chosen = config()
    folder = RunFolder.of(chosen, "one")
    folder.start(chosen, "one")
    with folder.publish("before", "0000") as output:
        output.write_records(PHOTOS)
    return folder


def staged(run: RunFolder, work) -> list[PhotoRecord]:
    return run_photo_stage(run, "stage", "before", "0000", work)


def touched(record, _output):
    return record.with_(method="seen")


def failing_for_p2(error: Exception):
    def work(record, _output):
        if record.photo_id == "p2":
            raise error
        return record.with_(method="seen")

    return work


def test_every_photo_is_worked_on_in_order(run):
    results = staged(run, touched)
    assert [record.photo_id for record in results] == [record.photo_id for record in PHOTOS]
    assert {record.method for record in results} == {"seen"}
    assert run.records("stage", "0000") == results


def test_an_empty_shard_is_done_too(run):
    with run.publish("nothing", "0000") as output:
        output.write_records([])
    assert run_photo_stage(run, "stage", "nothing", "0000", touched) == []
    assert run.done("stage", "0000")


def test_files_that_were_written_are_published(run):
    def work(record, output):
        (output.folder / record.photo_id).write_text(record.photo_id)
        return record.with_(file=output.relative(record.photo_id))

    assert [(run.path / record.file).read_text() for record in staged(run, work)] == ["p0", "p1", "p2", "p3", "p4"]


def test_a_photo_that_cannot_go_on_stops_with_its_reason(run):
    results = staged(run, failing_for_p2(PhotoError(Reason.UNDECODABLE, "broken")))
    assert (results[2].status, results[2].reason, results[2].detail) == (
        Status.REJECTED,
        Reason.UNDECODABLE,
        "broken",
    )
    assert [record.pending for record in results] == [True, True, False, True, True]


def test_a_stopped_photo_is_passed_on_untouched(run):
    stopped = PHOTOS[0].stopped(Reason.UNREADABLE)
    with run.publish("mixed", "0000") as output:
        output.write_records([stopped, PHOTOS[1]])
    results = run_photo_stage(run, "stage", "mixed", "0000", touched)
    assert results == [stopped, PHOTOS[1].with_(method="seen")]


@pytest.mark.parametrize(
    "error", [ValueError("secret"), KeyError("secret"), MemoryError("secret"), ZeroDivisionError()]
)
def test_an_unforeseen_error_holds_the_photo_and_tells_nothing_of_it(run, caplog, error):
    caplog.set_level(logging.DEBUG)
    results = staged(run, failing_for_p2(error))
    assert (results[2].status, results[2].reason) == (Status.HELD, Reason.STAGE_ERROR)
    assert results[2].detail.startswith(f"{type(error).__name__} at test_photostage.py:")
    assert "secret" not in results[2].model_dump_json()
    assert "secret" not in caplog.text
    assert [record.pending for record in results] == [True, True, False, True, True]


def test_the_log_holds_counts_only(run, caplog):
    caplog.set_level(logging.DEBUG)
    staged(run, failing_for_p2(PhotoError(Reason.UNDECODABLE)))
    assert "5 photos, 1 stopped" in caplog.text
    assert "jane" not in caplog.text
    assert "p2" not in caplog.text


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space"), ModelError("altered"), ConfigError("wrong")])
def test_trouble_of_the_machine_stops_the_stage_and_publishes_nothing(run, error):
    with pytest.raises(type(error)):
        staged(run, failing_for_p2(error))
    assert not run.done("stage", "0000")
    assert list((run.path / "stage").iterdir()) == []


def test_a_stage_that_was_stopped_can_be_run_again(run):
    with pytest.raises(OSError):
        staged(run, failing_for_p2(OSError(errno.ENOSPC, "No space")))
    assert len(staged(run, touched)) == 5


def test_a_stage_that_is_done_is_not_done_again(run):
    results = staged(run, touched)

    def never(record, output):
        raise AssertionError

    assert staged(run, never) == results


def test_progress_counts_every_photo(run):
    told = []

    def work(record, _output):
        told.append(run.progress("stage"))
        return record

    staged(run, work)
    assert told[0] == (0, 5)
    assert run.progress("stage") == (5, 5)
