"""A stage is done when its manifest is in place; whatever was killed before that does not count."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.runfolder import MANIFEST, RunFolder, folder_name

PHOTO = PhotoRecord(photo_id="p", source_uri="file:///p.jpg", format="jpeg")


@pytest.fixture
def run(config) -> RunFolder:
    chosen = config()
    folder = RunFolder.of(chosen, "one")
    folder.start(chosen, "one")
    return folder


def published(run: RunFolder, stage: str = "s", shard: str = "0000", records=(PHOTO,)) -> None:
    with run.publish(stage, shard) as output:
        output.write_records(records)


# the run itself


def test_a_started_run_knows_its_configuration_and_id(config, run):
    assert run.config == config()
    assert run.run_id == "one"
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o700


def test_starting_the_same_run_again_changes_nothing(config, run):
    published(run)
    run.start(config(), "one")
    assert run.done("s", "0000")


def test_the_same_run_with_another_configuration_is_refused(config, run):
    with pytest.raises(PhotoAnonymizerError, match="another configuration"):
        run.start(config(method="blur"), "one")
    assert run.config.method == "auto"


def test_a_removed_run_leaves_nothing(run):
    published(run)
    run.remove()
    assert not run.path.exists()
    run.remove()


def test_folder_names_of_different_runs_differ():
    assert folder_name("a/b") != folder_name("a-b")
    assert folder_name("a" * 200) != folder_name("a" * 201)


@given(st.text())
def test_any_run_id_makes_a_plain_folder_name(run_id):
    name = folder_name(run_id)
    assert 0 < len(name) < 120
    assert name.isascii()
    assert not set(name) & set("/\\ :\0")
    assert not name.startswith(".")


# stages


def test_records_come_back_as_they_were(run):
    stopped = PHOTO.stopped(Reason.UNREADABLE, "why").timed(read=0.25)
    published(run, records=(PHOTO, stopped))
    assert run.records("s", "0000") == [PHOTO, stopped]


def test_a_stage_that_did_not_run_has_no_records(run):
    assert not run.done("s", "0000")
    with pytest.raises(PhotoAnonymizerError, match="'s' has no result for shard '0000'"):
        run.records("s", "0000")


def test_a_stage_is_not_done_while_it_works(run):
    with run.publish("s", "0000") as output:
        output.write_records([PHOTO])
        assert not run.done("s", "0000")
        assert run.shards("s") == []
    assert run.done("s", "0000")


def test_a_stage_that_failed_is_not_done_and_can_run_again(run):
    def interrupted():
        with run.publish("s", "0000") as output:
            output.write_records([PHOTO])
            raise ValueError

    with pytest.raises(ValueError):
        interrupted()
    assert not run.done("s", "0000")
    published(run)
    assert run.records("s", "0000") == [PHOTO]


def test_what_a_killed_stage_left_does_not_count(run):
    """Killed after its manifest was written and before the rename."""
    left = run.publish("s", "0000")
    output = left.__enter__()
    output.write_records([PHOTO])
    assert (output.folder / MANIFEST).is_file()
    assert not run.done("s", "0000")
    assert run.shards("s") == []
    assert run.all_records("s") == []
    published(run)
    assert run.shards("s") == ["0000"]
    assert run.all_records("s") == [PHOTO]
    left.gen.close()


def test_a_second_publication_changes_nothing(run):
    published(run)
    published(run, records=())
    assert run.records("s", "0000") == [PHOTO]


def test_shards_are_listed_in_order(run):
    for number in (10, 2, 1):
        published(run, shard=f"{number:04d}", records=[PHOTO.with_(photo_id=str(number))])
    assert run.shards("s") == ["0001", "0002", "0010"]
    assert [record.photo_id for record in run.all_records("s")] == ["1", "2", "10"]


def test_records_name_files_by_the_final_place(run):
    with run.publish("s", "0000") as output:
        (output.folder / "p.png").write_bytes(b"1")
        output.write_records([PHOTO.with_(file=output.relative("p.png"))])
    (record,) = run.records("s", "0000")
    assert (run.path / record.file).read_bytes() == b"1"


# progress


def test_progress_is_the_sum_over_shards(run):
    assert run.progress("s") == (0, 0)
    run.tell("s", "0000", 3, 10)
    run.tell("s", "0001", 0, 5)
    run.tell("s", "0000", 4, 10)
    assert run.progress("s") == (4, 15)


def test_a_progress_note_that_is_being_written_is_passed_over(run):
    run.tell("s", "0000", 3, 10)
    (run.path / "progress" / "s" / "0001").write_text("")
    assert run.progress("s") == (3, 10)
