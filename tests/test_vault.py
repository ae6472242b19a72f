"""The vault: readable by its owner only, and never losing a row."""

from __future__ import annotations

import hashlib
import multiprocessing
import re
import stat
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from photo_anonymizer.errors import PhotoAnonymizerError
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.provenance import Stamp
from photo_anonymizer.vault import LEDGER_SCHEMA, REVIEW_SCHEMA, Vault, ledger_row, photo_id_of


@pytest.fixture
def vault(config) -> Vault:
    return Vault.of(config())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def row(uri: str = "file:///a.jpg", run_id: str = "one", **record) -> dict:
    return ledger_row(
        PhotoRecord(photo_id="p", source_uri=uri).stopped(Reason.NOT_FINISHED).with_(**record), Stamp(run_id)
    )


def face(face_id: str = "f0", **changes) -> dict:
    return {
        "photo_id": "p",
        "face_id": face_id,
        "run_id": "one",
        "reasons": ["score_between_thresholds", "detectors_disagree"],
        "score": 0.3,
        "detectors": ["d"],
        "scores": {"d": 0.3, "e": 0.0},
        "mesh_logit": -1.5,
        "x": 1.0,
        "y": 2.0,
        "width": 3.0,
        "height": 4.0,
        "picture": "",
        "decision": "",
        **changes,
    }


def with_pictures(vault: Vault, *photo_ids: str) -> None:
    """A face that waits in every photo, with its picture."""
    vault.queue_for_review(
        [face(photo_id=photo_id) for photo_id in photo_ids], {(photo_id, "f0"): b"jpeg" for photo_id in photo_ids}
    )


def pictured(vault: Vault) -> set[str]:
    return {path.name.partition("_")[0] for path in vault.path.glob("review/*")}


# who may read


def test_only_the_owner_may_enter(config, tmp_path):
    vault = Vault.of(config())
    assert mode(vault.path) == mode(vault.path.parent) == 0o700


def test_a_vault_that_was_opened_to_others_is_closed_again(config, vault):
    vault.path.chmod(0o755)
    Vault.of(config())
    assert mode(vault.path) == 0o700


def test_every_file_in_it_is_for_the_owner_only(vault):
    vault.key()
    vault.update_ledger([row()])
    with_pictures(vault, "p")
    vault.note_release("v0001", {"entries": 1, "sha256": "0"})
    vault.private_folder("run")
    files = [path for path in vault.path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"photo_id.key", "ledger.parquet", "review.parquet", "releases.json"}
    assert {mode(path) for path in files} == {0o600}
    assert mode(vault.path / "runs" / "run") == mode(vault.path / "review") == 0o700


# the key and the ids


def test_the_key_is_made_once(config, vault):
    key = vault.key()
    assert len(key) == 32
    assert Vault.of(config()).key() == key
    assert mode(vault.path / "photo_id.key") == 0o600


def test_two_datasets_have_two_keys(config):
    assert Vault.of(config(dataset="a")).key() != Vault.of(config(dataset="b")).key()


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_touch_is_refused(vault, bits):
    vault.key()
    (vault.path / "photo_id.key").chmod(bits)
    with pytest.raises(PhotoAnonymizerError, match="0600"):
        vault.key()


@pytest.mark.parametrize("content", [b"", b"00" * 31, b"00" * 33, b"not hexadecimal", b"\xff\xfe"])
def test_a_damaged_key_is_refused_and_not_replaced(vault, content):
    vault.key()
    (vault.path / "photo_id.key").write_bytes(content)
    with pytest.raises(PhotoAnonymizerError, match="damaged"):
        vault.key()
    assert (vault.path / "photo_id.key").read_bytes() == content


def test_equal_content_has_equal_ids_and_other_content_has_others():
    assert photo_id_of(b"k" * 32, b"content") == photo_id_of(b"k" * 32, b"content")
    assert photo_id_of(b"k" * 32, b"content") != photo_id_of(b"k" * 32, b"Content")


def test_another_key_gives_another_id():
    assert photo_id_of(b"k" * 32, b"content") != photo_id_of(b"l" * 32, b"content")


def test_an_id_is_hexadecimal_and_no_plain_hash():
    digest = hashlib.sha256(b"content").digest()
    found = photo_id_of(b"k" * 32, digest)
    assert re.fullmatch(r"[0-9a-f]{32}", found)
    assert found not in {digest.hex()[:32], hashlib.sha256(digest).hexdigest()[:32]}


# the ledger


def test_a_ledger_that_is_not_there_is_empty(vault):
    assert vault.ledger() == []


def test_a_row_comes_back_as_it_was(vault):
    vault.update_ledger([row()])
    assert vault.ledger() == [row()]
    assert row() == {
        "source_uri": "file:///a.jpg",
        "photo_id": "p",
        "run_id": "one",
        "status": "held",
        "reason": "not_finished",
        "detail": "",
        "version": None,
        "output": None,
        "source": "",
        "basis": "",
        "configuration": "",
        "software": "",
        "updated_at": "",
        "metadata_found": [],
    }


def test_a_newer_row_replaces_the_older_one_of_the_same_file(vault):
    vault.update_ledger([row("file:///a"), row("file:///b")])
    vault.update_ledger([row("file:///b", "two"), row("file:///c", "two")])
    assert {item["source_uri"]: item["run_id"] for item in vault.ledger()} == {
        "file:///a": "one",
        "file:///b": "two",
        "file:///c": "two",
    }


def test_existing_rows_can_be_kept(vault):
    vault.update_ledger([row("file:///a")])
    vault.update_ledger([row("file:///a", "two"), row("file:///b", "two")], keep_existing=True)
    assert [item["run_id"] for item in vault.ledger()] == ["one", "two"]


def test_an_update_that_fails_leaves_the_ledger_as_it_was(vault):
    vault.update_ledger([row()])

    def rows():
        yield row("file:///b")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        vault.update_ledger(rows())
    assert vault.ledger() == [row()]


def test_the_ledger_is_one_file_in_the_order_of_its_uris(vault):
    uris = ["file:///b", "file:///a#frame=10", "file:///a", "file:///a#frame=2", "file:///%C3%BC"]
    vault.update_ledger([row(uri) for uri in uris])
    vault.update_ledger([row("file:///aa"), row("file:///A")])
    in_file = pq.read_table(vault.ledger_path)["source_uri"].to_pylist()
    assert in_file == sorted([*uris, "file:///aa", "file:///A"])
    assert [item["source_uri"] for item in vault.ledger()] == in_file
    assert {path.name for path in vault.path.iterdir()} == {".lock", "ledger.parquet"}


@pytest.mark.parametrize("keep_existing", [False, True])
def test_many_rows_are_merged_as_few_are(vault, monkeypatch, keep_existing):
    monkeypatch.setattr("photo_anonymizer.vault._ROWS", 7)
    vault.update_ledger([row(f"file:///{number:03}", detail=f"é{number}") for number in range(0, 100, 2)])
    vault.update_ledger(
        [row(f"file:///{number:03}", "two") for number in range(0, 100, 3)], keep_existing=keep_existing
    )
    assert pq.ParquetFile(vault.ledger_path).num_row_groups > 1
    assert [(item["source_uri"], item["run_id"], item["detail"]) for item in vault.ledger()] == [
        (f"file:///{number:03}", "two", "")
        if number % 3 == 0 and (number % 2 or not keep_existing)
        else (f"file:///{number:03}", "one", f"é{number}")
        for number in range(100)
        if number % 2 == 0 or number % 3 == 0
    ]


def test_of_rows_that_name_one_file_twice_the_last_counts(vault):
    vault.update_ledger([row(run_id="one"), row(run_id="two")])
    assert vault.ledger() == [row(run_id="two")]


def test_an_older_ledger_in_no_order_and_with_fewer_columns_is_taken_over(vault):
    older = [{name: row(uri)[name] for name in LEDGER_SCHEMA.names[:8]} for uri in ("file:///c", "file:///a")]
    pq.write_table(pa.Table.from_pylist(older), vault.ledger_path)
    uris = [item["source_uri"] for item in vault.ledger()]
    assert uris == ["file:///a", "file:///c"]
    assert {item["metadata_found"] for item in vault.ledger()} == {None}
    vault.update_ledger([row("file:///b", "two"), row("file:///c", "two")])
    assert [(item["source_uri"], item["run_id"]) for item in vault.ledger()] == [
        ("file:///a", "one"),
        ("file:///b", "two"),
        ("file:///c", "two"),
    ]
    assert pq.read_schema(vault.ledger_path).names == LEDGER_SCHEMA.names


def test_a_published_photo_that_is_replaced_twice_has_one_row_for_that(vault):
    first = {**row(photo_id="p1"), "status": "released", "reason": "", "version": "v0001", "output": "v0001/data/p1"}
    for replaced_by in ("p2", "p3"):
        vault.update_ledger([first])
        vault.update_ledger([row(photo_id=replaced_by, run_id=replaced_by)])
    assert [(item["source_uri"], item["photo_id"], item["run_id"]) for item in vault.ledger()] == [
        ("file:///a.jpg", "p3", "p3"),
        ("file:///a.jpg#was=p1", "p1", "p3"),
    ]


def test_a_photo_that_is_not_in_the_newest_version_keeps_where_it_is_public(vault):
    vault.update_ledger([{**row(), "status": "released", "version": "v0001", "output": "v0001/data/p"}])
    vault.update_ledger([row(run_id="two")])
    (kept,) = vault.ledger()
    assert (kept["run_id"], kept["version"], kept["output"]) == ("two", "v0001", "v0001/data/p")


def test_what_is_missing_is_marked_once_and_what_belongs_to_others_is_not(vault):
    here, elsewhere = "file:///photos", "file:///others"
    vault.update_ledger(
        {**row(f"{folder}/{name}", photo_id=name), "source": folder} for folder in (here, elsewhere) for name in "abc"
    )
    present = [PhotoRecord(photo_id=name, source_uri=f"{here}/{uri}") for name, uri in (("a", "a"), ("b", "moved"))]
    stamp = Stamp("two", here)
    assert [vault.mark_missing(stamp, present) for _ in range(2)] == [1, 1]
    marked = {item["source_uri"]: item["detail"] for item in vault.ledger() if item["reason"] == "deleted_at_source"}
    assert marked == {f"{here}/b": "the same photo is there under another name", f"{here}/c": ""}


def _write_rows(path: Path, name: str) -> None:
    for number in range(15):
        Vault(path).update_ledger([row(f"file:///{name}/{number}")])


def test_two_processes_at_once_lose_nothing(vault):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_rows, args=(vault.path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(vault.ledger()) == 30


# the review queue


def test_a_queued_face_comes_back_as_it_was(vault):
    vault.queue_for_review([face()])
    assert vault.review_queue() == [face()]


def test_a_decision_survives_queueing_again(vault):
    vault.queue_for_review([face()])
    assert vault.record_decision("p", "f0", "not_a_face")
    vault.queue_for_review([face(), face("f1")])
    assert {item["face_id"]: item["decision"] for item in vault.review_queue()} == {"f0": "not_a_face", "f1": ""}


def test_a_decision_about_a_face_that_is_not_queued_is_not_recorded(vault):
    vault.queue_for_review([face()])
    assert not vault.record_decision("p", "f9", "face")
    assert not vault.record_decision("q", "f0", "face")
    assert vault.review_queue() == [face()]


def test_a_queue_of_old_is_read_and_goes_on(vault):
    older = {
        name: value for name, value in face().items() if name not in ("reasons", "scores", "mesh_logit", "picture")
    }
    older = [
        {**older, "reason": "score_between_thresholds"},
        {**older, "face_id": "f1", "reason": "", "decision": "face"},
    ]
    pq.write_table(pa.Table.from_pylist(older), vault.review_path)
    unknown = {"scores": {}, "mesh_logit": None, "picture": ""}
    as_now = [face(reasons=["score_between_thresholds"], **unknown)]
    as_now.append(face("f1", reasons=[], decision="face", **unknown))
    assert vault.review_queue() == as_now
    assert vault.record_decision("p", "f0", "not_a_face")
    with_pictures(vault, "q")
    assert pq.read_schema(vault.review_path).names == REVIEW_SCHEMA.names
    assert [row["decision"] for row in vault.review_queue()] == ["not_a_face", "face", ""]


def test_pictures_are_named_after_the_name_on_the_queue(vault):
    vault.queue_for_review([face()])
    vault.record_decision("p", "f0", "face")
    vault.queue_for_review([face(x=100.0)], {("p", "f0"): b"jpeg"})
    assert [row["picture"] for row in vault.review_queue()] == ["", "review/p_f0+.jpg"]
    assert (vault.path / "review" / "p_f0+.jpg").read_bytes() == b"jpeg"


def test_what_a_killed_task_left_of_pictures_is_deleted(vault, monkeypatch):
    with_pictures(vault, "p")
    with monkeypatch.context() as killed:
        killed.setattr("photo_anonymizer.vault._write", failing)
        with pytest.raises(RuntimeError):
            with_pictures(vault, "q")
    (vault.path / "review" / ".p_f9.jpg.0123").write_bytes(b"half")
    assert [row["photo_id"] for row in vault.review_queue()] == ["p"]
    with_pictures(vault, "r")
    assert {path.name for path in vault.path.glob("review/*")} == {"p_f0.jpg", "r_f0.jpg"}


def failing(*_: object) -> None:
    raise RuntimeError


def test_a_decision_that_is_killed_leaves_no_picture_of_a_decided_face(vault, monkeypatch):
    with_pictures(vault, "p")
    with monkeypatch.context() as killed:
        killed.setattr("photo_anonymizer.vault._write", failing)
        with pytest.raises(RuntimeError):
            vault.record_decision("p", "f0", "face")
    assert pictured(vault) == set()


def test_the_sheet_goes_when_the_queue_changes(vault):
    for change in (lambda: with_pictures(vault, "p"), lambda: vault.record_decision("p", "f0", "face")):
        vault.review_sheet_path.write_text("faces", encoding="utf-8")
        change()
        assert not vault.review_sheet_path.exists()


def test_what_is_gone_at_its_source_has_no_picture_any_more(vault):
    here, elsewhere = "file:///photos", "file:///others"
    vault.update_ledger({**row(f"{here}/{name}", photo_id=name), "source": here} for name in "abcde")
    vault.update_ledger([{**row(f"{elsewhere}/z", photo_id="z"), "source": elsewhere}])
    with_pictures(vault, *"abcdez")
    vault.review_sheet_path.write_text("faces", encoding="utf-8")
    present = [
        PhotoRecord(photo_id="a", source_uri=f"{here}/a"),
        PhotoRecord(photo_id="b", source_uri=f"{here}/moved"),
        PhotoRecord(photo_id="new", source_uri=f"{here}/c"),  # another picture under the name of c
        PhotoRecord(photo_id="d", source_uri=f"{here}/d").stopped(Reason.UNREADABLE),
    ]
    vault.mark_missing(Stamp("two", here), present)
    assert pictured(vault) == set("abdz")
    assert {item["photo_id"] for item in vault.review_queue()} == set("abcdez")
    assert not vault.review_sheet_path.exists()


def test_pictures_that_a_killed_run_should_have_deleted_are_deleted_by_the_next(vault):
    vault.update_ledger([{**row("file:///photos/a", photo_id="a"), "source": "file:///photos"}])
    vault.mark_missing(Stamp("two", "file:///photos"), [])
    with_pictures(vault, "a")
    vault.mark_missing(Stamp("three", "file:///photos"), [])
    assert pictured(vault) == set()


def test_when_nothing_is_missing_every_picture_and_the_sheet_stay(vault):
    vault.update_ledger([{**row("file:///photos/a", photo_id="a"), "source": "file:///photos"}])
    with_pictures(vault, "a")
    vault.review_sheet_path.write_text("faces", encoding="utf-8")
    vault.mark_missing(Stamp("two", "file:///photos"), [PhotoRecord(photo_id="a", source_uri="file:///photos/a")])
    assert pictured(vault) == {"a"}
    assert vault.review_sheet_path.exists()


def test_a_photo_that_is_withdrawn_has_no_picture_any_more(vault):
    published = {"status": "released", "reason": "", "version": "v0001"}
    vault.update_ledger({**row(f"file:///{name}", photo_id=name), **published} for name in "ab")
    vault.update_ledger([row("file:///c", photo_id="c")])
    with_pictures(vault, *"abc")
    vault.note_withdrawal("v0001", "now", {"b": "v0002/data/photos/b.jpg"})
    assert pictured(vault) == {"b", "c"}


# noted releases


def test_releases_are_noted_side_by_side(vault):
    assert vault.noted_releases() == {}
    vault.note_release("v0001", {"entries": 1, "sha256": "a"})
    vault.note_release("v0002", {"entries": 2, "sha256": "b"})
    assert set(vault.noted_releases()) == {"v0001", "v0002"}


def test_not_even_when_the_ledger_is_gone_too_but_releases_are_there(vault: Vault) -> None:
    (vault.path.parents[1] / "releases" / vault.path.name / "v0001").mkdir(parents=True)
    with pytest.raises(PhotoAnonymizerError, match="restore it from your backup"):
        vault.key()


def test_a_damaged_ledger_is_named(vault: Vault) -> None:
    vault.ledger_path.write_bytes(b"garbage")
    with pytest.raises(PhotoAnonymizerError, match=r"ledger\.parquet in the vault is damaged"):
        vault.ledger()


def test_a_key_that_is_gone_is_not_replaced_by_another(vault: Vault) -> None:
    vault.key()
    vault.update_ledger([])
    (vault.path / "photo_id.key").unlink()
    with pytest.raises(PhotoAnonymizerError, match="restore it from your backup"):
        vault.key()


def test_a_face_at_another_place_is_queued_although_its_name_was_decided(vault: Vault) -> None:
    row = {
        "photo_id": "p",
        "face_id": "f0000",
        "run_id": "r",
        "reasons": ["score_between_thresholds"],
        "score": 0.3,
        "detectors": ["retinaface"],
        "x": 10.0,
        "y": 10.0,
        "width": 20.0,
        "height": 20.0,
        "decision": "",
    }
    vault.queue_for_review([row])
    vault.record_decision("p", "f0000", "face")
    vault.queue_for_review([{**row, "x": 12.0}, {**row, "x": 200.0}])
    assert [(item["face_id"], item["x"], item["decision"]) for item in vault.review_queue()] == [
        ("f0000", 10.0, "face"),
        ("f0000+", 200.0, ""),
    ]
