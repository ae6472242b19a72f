"""Every file of the source gets an id and a row, and is on its way or rejected with a reason."""

from __future__ import annotations

import io
import logging
import os
import re
import zipfile
from collections import Counter
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from photo_anonymizer.diskmap import DiskMap
from photo_anonymizer.errors import SourceError
from photo_anonymizer.ingest import stage as ingest_stage
from photo_anonymizer.ingest.stage import MAX_SHARDS, SHARDS, STAGE, ingest, mark_duplicates, plan_shards
from photo_anonymizer.metadata.stage import strip_metadata
from photo_anonymizer.model.record import PhotoRecord, Reason, Status
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.vault import Vault


def picture(shade: int = 0, format: str = "JPEG", **save) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), shade, np.uint8)).save(out, format, **save)
    return out.getvalue()


@pytest.fixture
def photos(config) -> Path:
    return Path(config().source)


@pytest.fixture
def started(config):
    """A run that has begun and ingested nothing."""

    def start(run_id: str = "one", **changes) -> RunFolder:
        chosen = config(**changes)
        run = RunFolder.of(chosen, run_id)
        run.start(chosen, run_id)
        return run

    return start


def ingested_by(run) -> list[PhotoRecord]:
    ingest(run)
    return run.records(STAGE)


def by_name(records: list[PhotoRecord]) -> dict[str, PhotoRecord]:
    return {record.source_uri.rpartition("/")[2]: record for record in records}


def reasons(records: list[PhotoRecord]) -> dict[str, Reason | None]:
    return {name: record.reason for name, record in by_name(records).items()}


# what goes on and what does not


@pytest.mark.parametrize(("format", "kind"), [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tiff")])
def test_a_photo_goes_on_whatever_its_name(started, photos, format, kind):
    (photos / "any.name").write_bytes(picture(format=format))
    (record,) = ingested_by(started())
    assert record.pending
    assert record.format == kind


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        (b"", Reason.EMPTY_FILE, ""),
        (b"not a photo\n", Reason.NOT_A_PHOTO, ""),
        (b"8BPS".ljust(64, b"\0"), Reason.UNSUPPORTED_FORMAT, "photoshop"),
        (b"\xff\x0a".ljust(64, b"\0"), Reason.UNSUPPORTED_FORMAT, "jpeg-xl"),
        (b"\0\0\0\x20ftypisom".ljust(64, b"\0"), Reason.UNSUPPORTED_FORMAT, "video"),
        (picture().ljust(2000, b"\0"), Reason.FILE_TOO_LARGE, ""),
    ],
)
def test_what_is_no_usable_photo_is_rejected_with_a_reason(started, photos, content, reason, detail):
    (photos / "jane.jpg").write_bytes(content)
    (record,) = ingested_by(started(ingest={"max_file_mb": 0.0015}))
    assert (record.status, record.reason, record.detail) == (Status.REJECTED, reason, detail)


def test_a_png_named_jpg_is_a_png(started, photos):
    (photos / "a.jpg").write_bytes(picture(format="PNG"))
    assert ingested_by(started())[0].format == "png"


def test_links_pipes_and_strange_names_are_all_accounted_for(started, photos):
    (photos / "sub").mkdir()
    (photos / "sub" / "صورة 😀\n.jpg").write_bytes(picture(1))
    (photos / os.fsdecode(b"\xff.jpg")).write_bytes(picture(2))
    (photos / "link.jpg").symlink_to("sub")
    os.mkfifo(photos / "pipe.jpg")
    records = ingested_by(started())
    assert Counter(record.reason for record in records) == {
        None: 2,
        Reason.SYMBOLIC_LINK: 1,
        Reason.NOT_A_REGULAR_FILE: 1,
    }


def test_an_empty_source_is_an_error_and_leaves_no_result(started):
    run = started()
    with pytest.raises(SourceError):
        ingest(run)
    assert not run.done(STAGE)


def test_remote_photos_go_on(started):
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    filesystem.pipe({"/ingest/a b.jpg": picture(1), "/ingest/notes.txt": b"none"})
    records = ingested_by(started(source="memory://ingest"))
    assert reasons(records) == {"a%20b.jpg": None, "notes.txt": Reason.NOT_A_PHOTO}


def test_photos_in_an_archive_go_on_and_those_that_climb_out_do_not(started, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("sub/good.jpg", picture(1))
        archive.writestr("../evil.jpg", picture(2))
    run = started(source=f"zip://::{tmp_path / 'a.zip'}")
    assert Counter(record.reason for record in ingested_by(run)) == {None: 1, Reason.UNSAFE_PATH: 1}
    plan_shards(run)
    (stripped,) = strip_metadata(run, "0000", SHARDS)
    assert stripped.pending


def test_a_damaged_file_in_an_archive_does_not_stop_the_others(started, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("bad.jpg", picture(1) + b"PLACE")
        archive.writestr("good.jpg", picture(2))
    path.write_bytes(path.read_bytes().replace(b"PLACE", b"place"))  # its checksum is wrong now
    records = ingested_by(started(source=f"zip://::{path}"))
    bad, good = sorted(records, key=lambda record: record.source_uri)
    assert (bad.status, bad.reason) == (Status.REJECTED, Reason.UNREADABLE)
    assert "bad.jpg" not in bad.detail
    assert good.pending


def test_trouble_of_the_machine_stops_the_stage(started, photos, monkeypatch):
    (photos / "a.jpg").write_bytes(picture())
    run = started()

    def read_file(_uri, _limit, _limits):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ingest_stage, "read_file", read_file)
    with pytest.raises(OSError):
        ingest(run)
    assert not run.done(STAGE)
    monkeypatch.undo()
    assert ingested_by(run)[0].pending


def test_the_log_names_no_file(started, photos, caplog):
    caplog.set_level(logging.DEBUG)
    (photos / "jane.jpg").write_bytes(picture())
    (photos / "jane.txt").write_bytes(b"none")
    ingest(started())
    assert "jane" not in caplog.text


# ids and duplicates


def test_every_input_has_an_id_that_tells_nothing(started, photos):
    (photos / "a.jpg").write_bytes(picture(1))
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "link.jpg").symlink_to("a.jpg")
    ids = [record.photo_id for record in ingested_by(started())]
    assert len(set(ids)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", photo_id) for photo_id in ids)


def test_the_id_follows_the_content_and_not_the_name(started, photos):
    (photos / "a.jpg").write_bytes(picture(1))
    first = ingested_by(started("one"))[0].photo_id
    (photos / "a.jpg").rename(photos / "b.jpg")
    (photos / "c.jpg").write_bytes(picture(9))
    later = by_name(ingested_by(started("two")))
    assert later["b.jpg"].photo_id == first
    assert later["c.jpg"].photo_id != first


def test_of_equal_files_the_first_goes_on(started, photos):
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        (photos / name).write_bytes(picture(1))
    (photos / "d.jpg").write_bytes(picture(2))
    records = ingested_by(started())
    assert reasons(records) == {"a.jpg": None, "b.jpg": Reason.DUPLICATE, "c.jpg": Reason.DUPLICATE, "d.jpg": None}


def test_a_file_that_was_rejected_makes_no_duplicate(tmp_path):
    rejected = PhotoRecord(photo_id="p", source_uri="a").stopped(Reason.UNREADABLE)
    good = PhotoRecord(photo_id="p", source_uri="b")
    assert list(mark_duplicates([rejected, good], DiskMap(tmp_path))) == [rejected, good]


# the ledger


def test_the_ledger_has_a_row_for_every_input_at_once(started, photos):
    (photos / "a.jpg").write_bytes(picture(1))
    (photos / "b.jpg").write_bytes(picture(1))
    (photos / "notes.txt").write_bytes(b"none")
    run = started()
    records = ingested_by(run)
    rows = {row["source_uri"].rpartition("/")[2]: row for row in Vault.of(run.config).ledger()}
    assert {name: (row["status"], row["reason"]) for name, row in rows.items()} == {
        "a.jpg": ("held", "not_finished"),
        "b.jpg": ("rejected", "duplicate"),
        "notes.txt": ("rejected", "not_a_photo"),
    }
    assert {row["photo_id"] for row in rows.values()} == {record.photo_id for record in records}
    assert {row["run_id"] for row in rows.values()} == {"one"}


def test_what_an_earlier_run_found_out_stays_in_the_ledger(started, photos):
    (photos / "a.jpg").write_bytes(picture(1))
    run = started("one")
    ingest(run)
    vault = Vault.of(run.config)
    released = {**vault.ledger()[0], "status": "released", "reason": "", "version": "v0001"}
    vault.update_ledger([released])
    (photos / "b.jpg").write_bytes(picture(2))
    ingest(started("two"))
    assert vault.ledger()[0] == released
    assert len(vault.ledger()) == 2


def test_ingest_done_again_changes_nothing(started, photos, monkeypatch):
    (photos / "a.jpg").write_bytes(picture(1))
    run = started()
    first = ingest(run)
    ledger = Vault.of(run.config).ledger()
    (photos / "b.jpg").write_bytes(picture(2))
    monkeypatch.setattr(ingest_stage, "list_source", None)
    assert ingest(run) == first
    assert Vault.of(run.config).ledger() == ledger


def test_ingest_killed_before_the_ledger_was_written_is_not_done(started, photos, monkeypatch):
    (photos / "a.jpg").write_bytes(picture(1))
    run = started()

    def killed(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Vault, "update_ledger", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(run)
    assert not run.done(STAGE)
    ingest(run)
    assert len(Vault.of(run.config).ledger()) == 1


def test_progress_counts_every_file(started, photos):
    for shade in range(3):
        (photos / f"{shade}.jpg").write_bytes(picture(shade * 50))
    run = started()
    ingest(run)
    assert run.progress(STAGE) == (3, 3)


# shards


@pytest.fixture
def ingested(started):
    """A run over so many photos, of which every one with a reason is stopped."""

    def make(count: int, size: int, stopped: int = 0) -> RunFolder:
        run = started(ingest={"shard_size": size})
        records = [PhotoRecord(photo_id=f"{number:032x}", source_uri=str(number)) for number in range(count)]
        with run.publish(STAGE) as output:
            output.write_records([*records, *(records[0].stopped(Reason.DUPLICATE) for _ in range(stopped))])
        return run

    return make


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(1, 100, [1]), (100, 100, [100]), (101, 100, [100, 1]), (5, 2, [2, 2, 1]), (3, 1, [1, 1, 1])],
)
def test_photos_are_cut_into_shards_of_the_size_asked_for(ingested, count, size, sizes):
    run = ingested(count, size)
    names = plan_shards(run)
    assert names == [f"{number:04d}" for number in range(len(sizes))]
    assert [len(run.records(SHARDS, name)) for name in names] == sizes
    assert run.all_records(SHARDS) == run.records(STAGE)


def test_stopped_photos_are_in_no_shard(ingested):
    run = ingested(2, 100, stopped=3)
    plan_shards(run)
    assert len(run.all_records(SHARDS)) == 2


def test_a_run_without_a_usable_photo_has_one_empty_shard(started, photos):
    (photos / "notes.txt").write_bytes(b"none")
    run = started()
    ingest(run)
    assert plan_shards(run) == ["0000"]
    assert run.records(SHARDS, "0000") == []


def test_there_are_never_more_shards_than_tasks_can_be_mapped_over(ingested):
    run = ingested(MAX_SHARDS + 1, 1)
    names = plan_shards(run)
    assert len(names) <= MAX_SHARDS
    assert {len(run.records(SHARDS, name)) for name in names} == {1, 2}
    assert len(run.all_records(SHARDS)) == MAX_SHARDS + 1


def test_planning_again_changes_nothing(ingested):
    run = ingested(5, 2)
    assert plan_shards(run) == plan_shards(run)
    assert len(run.all_records(SHARDS)) == 5


# between listing and reading again


def change(path: Path) -> None:
    path.write_bytes(picture(200))


def replace_with_link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


@pytest.mark.parametrize("meanwhile", [change, Path.unlink, replace_with_link])
def test_a_photo_that_is_not_what_was_listed_is_unreadable(started, photos, meanwhile):
    (photos / "a.jpg").write_bytes(picture(1))
    (photos / "b.jpg").write_bytes(picture(100))
    run = started()
    ingest(run)
    plan_shards(run)
    meanwhile(photos / "a.jpg")
    first, second = strip_metadata(run, "0000", SHARDS)
    assert (first.status, first.reason) == (Status.REJECTED, Reason.UNREADABLE)
    assert "jpg" not in first.detail
    assert second.pending
