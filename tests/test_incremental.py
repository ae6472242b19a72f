"""A second run works only on what is new or may end differently; what was published stays, what was deleted goes."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bagit
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from skimage import data

from photo_anonymizer import review
from photo_anonymizer.config import RunConfig, merge
from photo_anonymizer.errors import ConfigError, GateRefusedError, PhotoAnonymizerError, ReleaseError
from photo_anonymizer.gate.standing import pooled
from photo_anonymizer.ingest.stage import Ingested, ingest
from photo_anonymizer.ingest.stage import summary as ingest_summary
from photo_anonymizer.model.measurement import Rate
from photo_anonymizer.model.record import PhotoRecord, Reason
from photo_anonymizer.provenance import stamp_of
from photo_anonymizer.release import tables
from photo_anonymizer.release.carried_over import CarriedOver
from photo_anonymizer.release.export import export_release
from photo_anonymizer.release.verify import verify
from photo_anonymizer.release.withdraw import list_versions, withdraw
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import measure, pass_gate, run_all, run_photo_stages, start_run
from photo_anonymizer.vault import Vault
from pipeline_run import small_config

KEEP: dict[str, Any] = {"release": {"keep_workspace": True}, "ingest": {"several_pictures": "hold"}}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of which three photos were published as v0001 and one, of several pictures, was held."""
    root = tmp_path_factory.mktemp("first")
    small_config(root)
    pages = [Image.new("RGB", (40, 30), shade) for shade in ("red", "blue")]
    pages[0].save(root / "photos" / "pages.tiff", save_all=True, append_images=pages[1:])
    run_all(small_config(root, **KEEP), "first")
    return root


@pytest.fixture
def root(first_run: Path, tmp_path: Path) -> Path:
    """A copy of it, under the path that its ledger names."""
    shutil.copytree(first_run, tmp_path / "copy")
    Vault.of(small_config(tmp_path / "copy"))
    _rebase(tmp_path / "copy", first_run)
    return tmp_path / "copy"


def _rebase(copy: Path, original: Path) -> None:
    vault = Vault.of(small_config(copy))
    rows = [
        {
            name: value.replace(str(original), str(copy)) if isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in vault.ledger()
    ]
    vault.ledger_path.unlink()
    vault.update_ledger(rows)


def again(root: Path, run_id: str = "second", **changes: Any) -> tuple[dict[str, Any], Ingested]:
    """A further run: what it exported, and what ingest counted."""
    config = small_config(root, **merge(KEEP, changes))
    exported = run_all(config, run_id)
    return dict(exported), ingest_summary(RunFolder.of(config, run_id))


def new_photo(root: Path, name: str = "new.jpg") -> Path:
    path = root / "photos" / name
    Image.fromarray(np.ascontiguousarray(data.astronaut()[20:, 20:])).save(path, quality=90)
    return path


def rate_of(hits: int, n: int) -> Rate:
    return Rate(hits=hits, n=n, rate=hits / n if n else None, low=None, high=None)


def row_of(root: Path, name: str) -> dict[str, Any]:
    rows = Vault.of(small_config(root)).ledger()
    return next(row for row in rows if row["source_uri"].endswith(name))


def data_of(root: Path, version: str) -> Path:
    return root / "out" / "releases" / "party" / version / "data"


def photos_of(root: Path, version: str) -> dict[str, dict[str, Any]]:
    return {row["photo_id"]: row for row in tables.read(data_of(root, version) / "photos.parquet")}


def test_nothing_new_makes_no_version(root: Path) -> None:
    exported, counted = again(root)
    assert exported["unchanged"]
    assert exported["version"] == "v0001"
    assert counted.going_on == 0
    assert counted.carried_over == 3
    assert [path.name for path in (root / "out/releases/party").iterdir()] == ["v0001"]


def test_only_the_new_photo_is_worked_on_and_the_version_is_whole(root: Path) -> None:
    new_photo(root)
    exported, counted = again(root)
    assert (exported["version"], exported["released"], exported["carried_over"]) == ("v0002", 4, 3)
    assert (counted.going_on, counted.carried_over) == (1, 3)
    before, after = photos_of(root, "v0001"), photos_of(root, "v0002")
    assert {photo_id: after[photo_id] for photo_id in before} == before
    assert verify(data_of(root, "v0002").parent, Vault.of(small_config(root)))["photos"] == 4


def test_the_evidence_says_where_photos_that_were_taken_over_were_attacked(root: Path) -> None:
    new_photo(root)
    again(root)
    evidence = json.loads((data_of(root, "v0002") / "qa.json").read_text())["carried_over"]
    assert evidence["attacked_in"] == {"v0001": 3}
    assert evidence["attacks"]["v0001"]["linked"]["n"] == 2
    third = new_photo(root, "third.jpg")
    Image.open(third).rotate(5).save(third)
    again(root, "third")
    evidence = json.loads((data_of(root, "v0003") / "qa.json").read_text())["carried_over"]
    assert evidence["attacked_in"] == {"v0001": 3, "v0002": 1}
    assert set(evidence["attacks"]) == {"v0001", "v0002"}


def test_a_photo_that_was_taken_over_keeps_who_worked_on_it(root: Path) -> None:
    new_photo(root)
    again(root)
    old, new = row_of(root, "Bert.png"), row_of(root, "new.jpg")
    assert (old["run_id"], old["version"]) == ("first", "v0002")
    assert old["output"].startswith("v0002/data/photos/")
    assert (new["run_id"], new["version"], new["status"]) == ("second", "v0002", "released")


def test_a_photo_that_only_got_another_name_is_not_worked_on_again(root: Path) -> None:
    (root / "photos" / "Bert.png").rename(root / "photos" / "Berta.png")
    exported, counted = again(root)
    assert counted.going_on == 0
    assert exported["unchanged"]
    assert row_of(root, "Berta.png")["status"] == "released"
    assert row_of(root, "Bert.png")["reason"] == "deleted_at_source"
    assert "another name" in row_of(root, "Bert.png")["detail"]
    assert exported["deleted_at_source"] == 0
    assert list_versions(small_config(root))[0].deleted_at_source == 0


def test_a_photo_that_changed_is_worked_on_again(root: Path) -> None:
    new_photo(root, "Bert.png")
    old = row_of(root, "Bert.png")["photo_id"]
    exported, counted = again(root)
    assert (counted.going_on, counted.carried_over) == (1, 2)
    assert exported["version"] == "v0002"
    replaced = row_of(root, f"Bert.png#was={old}")
    assert (replaced["reason"], replaced["version"]) == ("deleted_at_source", "v0001")
    assert list_versions(small_config(root))[0].deleted_at_source == 1


@pytest.mark.parametrize(
    "changes", [{"method": "blur"}, {"region": {"scale": 1.5}}, {"ingest": {"incremental": False}}]
)
def test_another_configuration_makes_everything_new(root: Path, changes: dict[str, Any]) -> None:
    _, counted = again(root, **changes)
    assert (counted.going_on, counted.carried_over) == (3, 0)


@pytest.mark.parametrize("changes", [{"workers": 1}, {"ingest": {"shard_size": 2}}])
def test_a_setting_that_changes_no_picture_makes_nothing_new(root: Path, changes: dict[str, Any]) -> None:
    assert again(root, **changes)[1].going_on == 0


def test_another_version_of_the_software_makes_everything_new(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photo_anonymizer.provenance.__version__", "9.9.9")
    assert again(root)[1].going_on == 3


def test_a_reviewers_decision_makes_that_photo_new(root: Path) -> None:
    vault = Vault.of(small_config(root))
    photo_id = row_of(root, "rocket.jpg")["photo_id"]
    place = {"score": 0.3, "detectors": ["retinaface"], "x": 1.0, "y": 1.0, "width": 9.0, "height": 9.0}
    waiting = {"photo_id": photo_id, "face_id": "f0000", "run_id": "first", "reason": "", "decision": "", **place}
    vault.queue_for_review([waiting])
    assert again(root, "meanwhile")[1].going_on == 0
    review.decide(vault, photo_id, "f0000", "not_a_face")
    assert again(root, "decided")[1].going_on == 1


def undecodable(root: Path) -> None:
    (root / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")


def test_what_was_held_or_rejected_stays_so_until_something_changes(root: Path) -> None:
    undecodable(root)
    assert again(root)[1].going_on == 1
    exported, counted = again(root, "third")
    assert (counted.going_on, counted.taken_over) == (0, 6)
    assert (exported["held"], exported["rejected"], exported["released"]) == (1, 2, 3)
    assert (row_of(root, "pages.tiff")["reason"], row_of(root, "pages.tiff")["run_id"]) == ("several_pictures", "first")
    assert (row_of(root, "broken.jpg")["reason"], row_of(root, "broken.jpg")["run_id"]) == ("undecodable", "second")


@pytest.mark.parametrize("reason", ["gate_refused", "stage_error", "not_finished", "decoder_timeout"])
def test_what_stayed_back_for_a_reason_of_the_run_is_tried_again(root: Path, reason: str) -> None:
    undecodable(root)
    again(root)
    row = {**row_of(root, "broken.jpg"), "status": str(Reason(reason).status), "reason": reason}
    Vault.of(small_config(root)).update_ledger([row])
    assert again(root, "third")[1].going_on == 1


def test_a_refused_run_with_other_settings_does_not_make_everything_new(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("photo_anonymizer.gate.aggregates.faces_not_as_edited", lambda *_: 1)
        with pytest.raises(GateRefusedError):
            again(root, "refused", method="blur")
    assert row_of(root, "Bert.png")["reason"] == "gate_refused"
    assert row_of(root, "Bert.png")["version"] == "v0001"
    exported, counted = again(root, "third")
    assert counted.going_on == 0
    assert exported["unchanged"]
    assert row_of(root, "Bert.png")["status"] == "released"


def test_a_renamed_photo_is_public_in_the_ledger_even_when_the_run_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "photos" / "Bert.png").rename(root / "photos" / "Berta.png")
    new_photo(root)
    monkeypatch.setattr("photo_anonymizer.gate.aggregates.faces_not_as_edited", lambda *_: 1)
    with pytest.raises(GateRefusedError):
        again(root)
    row = row_of(root, "Berta.png")
    assert (row["status"], row["version"]) == ("released", "v0001")


def test_a_deleted_photo_is_named_in_the_ledger_and_left_out(root: Path) -> None:
    photo_id = row_of(root, "Bert.png")["photo_id"]
    (root / "photos" / "Bert.png").unlink()
    exported, counted = again(root)
    assert (exported["version"], exported["released"], exported["deleted_at_source"]) == ("v0002", 2, 1)
    assert counted.deleted_at_source == 1
    assert photo_id in photos_of(root, "v0001")
    assert photo_id not in photos_of(root, "v0002")
    row = row_of(root, "Bert.png")
    assert (row["status"], row["reason"], row["version"]) == ("rejected", "deleted_at_source", "v0001")


def test_a_photo_in_a_folder_that_cannot_be_read_is_not_called_deleted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photo_anonymizer.ingest import stage
    from photo_anonymizer.sources import Found
    from sourcelist import list_source

    folder = (root / "photos").as_uri()

    def unreadable(source: str, _workplace: Path, _limits: object) -> list[Found]:
        return [item for item in list_source(source) if not item.uri.endswith("Bert.png")] + [
            Found(folder, Reason.UNREADABLE)
        ]

    monkeypatch.setattr(stage, "list_source", unreadable)
    _, counted = again(root)
    assert counted.deleted_at_source == 0
    assert row_of(root, "Bert.png")["reason"] == "unreadable"


def test_a_photo_that_cannot_be_read_is_still_known_when_it_is_deleted_later(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photo_anonymizer.errors import PhotoError
    from photo_anonymizer.ingest import stage
    from photo_anonymizer.sources import read_file

    def unreadable(uri: str, *limits: Any) -> bytes:
        if uri.endswith("Bert.png"):
            raise PhotoError(Reason.UNREADABLE)
        return read_file(uri, *limits)

    with monkeypatch.context() as patched:
        patched.setattr(stage, "read_file", unreadable)
        again(root)
    assert row_of(root, "Bert.png")["version"] == "v0001"
    (root / "photos" / "Bert.png").unlink()
    again(root, "third")
    assert row_of(root, "Bert.png")["reason"] == "deleted_at_source"
    assert list_versions(small_config(root))[0].deleted_at_source == 1


@pytest.mark.parametrize("spelt", ["file://{}/photos", "{}/photos/", "{}/photos/../photos", "{}"])
def test_a_deletion_is_noticed_however_the_source_is_spelt(root: Path, spelt: str) -> None:
    (root / "photos" / "Bert.png").unlink()
    config = small_config(root)
    run = start_run(config.model_copy(update={"source": spelt.format(root), "out": f"{root}-out"}), "second")
    shutil.copytree(Vault.of(config).path, Vault.of(run.config).path, dirs_exist_ok=True)
    assert ingest(run).deleted_at_source == 1


def test_further_pages_of_a_file_that_is_held_now_are_not_called_deleted(root: Path) -> None:
    again(root, ingest={"several_pictures": "split"})
    assert row_of(root, "pages.tiff#frame=2")["status"] == "released"
    _, counted = again(root, "third")
    assert counted.deleted_at_source == 0
    assert row_of(root, "pages.tiff#frame=2")["reason"] == "several_pictures"


def test_members_of_an_archive_that_cannot_be_read_are_not_called_deleted(root: Path) -> None:
    archive = root / "photos" / "more.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(new_photo(root), "new.jpg")
    new_photo(root).unlink()
    again(root)
    assert row_of(root, "more.zip")["status"] == "released"
    archive.rename(root / "more.zip")
    archive.mkdir()
    (archive / "new.jpg").write_bytes(b"")
    vault = Vault.of(small_config(root))
    member = row_of(root, "more.zip")["source_uri"]
    others = [row["source_uri"] for row in vault.ledger() if row["source_uri"] != member]
    records = [PhotoRecord(photo_id=f"{number}", source_uri=uri) for number, uri in enumerate(others)]
    stamp = stamp_of(small_config(root), "third")
    unread = PhotoRecord(photo_id="unread", source_uri=archive.as_uri()).stopped(Reason.UNREADABLE)
    assert vault.mark_missing(stamp, [*records, unread]) == 0
    assert row_of(root, "more.zip")["reason"] == "unreadable"
    assert vault.mark_missing(stamp, records) == 1
    assert vault.mark_missing(stamp, records) == 1  # asked again by the same run


def test_an_ingest_killed_before_it_was_done_counts_the_same_when_it_is_done_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photo_anonymizer.ingest import stage

    (root / "photos" / "Bert.png").unlink()
    (root / "photos" / "rocket.jpg").rename(root / "photos" / "start.jpg")
    run = start_run(small_config(root, **KEEP), "second")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(stage, "write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(run)
    counted = ingest(run)
    assert (counted.deleted_at_source, counted.going_on, counted.carried_over) == (1, 0, 2)


def test_photos_of_another_source_are_not_called_deleted(root: Path) -> None:
    other = root / "other"
    other.mkdir()
    (root / "photos" / "Bert.png").rename(other / "Bert.png")
    new_photo(root)
    again(root, source=str(other))
    assert row_of(root, "Anna%20Example.jpg")["status"] == "released"


def test_a_version_that_was_tampered_with_is_not_taken_over(root: Path) -> None:
    picture = next((data_of(root, "v0001") / "photos").iterdir())
    picture.chmod(0o600)
    picture.write_bytes(picture.read_bytes() + b"x")
    assert again(root)[1].going_on == 1


def test_a_version_whose_tables_were_tampered_with_is_not_taken_over(root: Path) -> None:
    log = data_of(root, "v0001") / "audit.jsonl"
    log.chmod(0o600)
    log.write_text("\n".join(log.read_text().splitlines()[:-1]) + "\n")
    assert again(root)[1].going_on == 3


def rewrite(path: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Changes a table and whatever in the bag says what it was."""
    schema, rows = pq.read_schema(path), tables.read(path)
    change(rows)
    path.chmod(0o600)
    tables.write(path, rows, schema)
    bag = path.parents[1]
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        (bag / name).chmod(0o600)
    bagit.Bag(str(bag)).save(manifests=True)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("photos", "file", "photos/Jane_Doe.jpg"),
        ("photos", "file", "/tmp/elsewhere.jpg"),
        ("photos", "method", "Jane Doe"),
        ("faces", "decision", "this is Jane Doe"),
    ],
)
def test_words_planted_in_an_older_release_are_not_taken_over(root: Path, table: str, column: str, value: str) -> None:
    def plant(rows: list[dict[str, Any]]) -> None:
        rows[0][column] = value

    rewrite(data_of(root, "v0001") / f"{table}.parquet", plant)
    exported, counted = again(root)
    assert (counted.going_on, counted.carried_over) == (3, 0)
    release = Path(exported["release"])
    assert not [path for path in release.rglob("*") if path.is_file() and b"Jane" in path.read_bytes()]
    with pytest.raises(ReleaseError):
        verify(data_of(root, "v0001").parent, Vault.of(small_config(root)))


def test_a_version_that_vanishes_during_the_run_stops_it(root: Path) -> None:
    new_photo(root)
    run = start_run(small_config(root, **KEEP), "second")
    run_photo_stages(run)
    measure(run)
    pass_gate(run)
    shutil.rmtree(data_of(root, "v0001").parent)
    with pytest.raises(PhotoAnonymizerError, match="start a new run"):
        export_release(run)


def test_killed_before_the_version_appeared_no_name_is_lost(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_photo(root)
    run = start_run(small_config(root, **KEEP), "second")
    run_photo_stages(run)
    measure(run)
    pass_gate(run)

    def killed(_self: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            export_release(run)
    assert export_release(run)["version"] == "v0002"


def test_a_version_whose_run_was_killed_before_the_ledger_is_taken_over_by_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_photo(root)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("photo_anonymizer.release.export.account", killed)
        with pytest.raises(KeyboardInterrupt):
            again(root)
    assert row_of(root, "new.jpg")["reason"] == "not_finished"
    exported, counted = again(root, "third")
    assert (counted.going_on, exported["unchanged"], exported["version"]) == (0, True, "v0002")
    assert (row_of(root, "new.jpg")["status"], row_of(root, "new.jpg")["version"]) == ("released", "v0002")


def test_one_odd_new_face_does_not_stop_a_version_of_many(root: Path) -> None:
    carried = CarriedOver.of(small_config(root), Vault.of(small_config(root)), [])
    assert carried.controls == {}
    known, odd = rate_of(99, 100), rate_of(0, 1)
    assert pooled(odd, [known]) == pytest.approx(99 / 101)
    assert pooled(odd, []) == 0
    assert pooled(rate_of(0, 0), [known]) is None


def test_the_gate_judges_new_faces_even_when_many_were_taken_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_photo(root)
    monkeypatch.setattr("photo_anonymizer.gate.aggregates.faces_not_as_edited", lambda *_: 1)
    with pytest.raises(GateRefusedError):
        again(root)
    assert row_of(root, "new.jpg")["reason"] == "gate_refused"
    assert row_of(root, "Bert.png")["status"] == "released"


# withdrawing a version


def test_versions_say_how_many_deleted_photos_they_still_hold(root: Path) -> None:
    (root / "photos" / "Bert.png").unlink()
    again(root)
    listed = [(item.name, item.photos, item.deleted_at_source) for item in list_versions(small_config(root))]
    assert listed == [("v0001", 3, 1), ("v0002", 2, 0)]


def test_a_withdrawn_version_is_gone_and_its_name_is_not_used_again(root: Path) -> None:
    (root / "photos" / "Bert.png").unlink()
    again(root)
    assert withdraw(small_config(root), "v0001") == 1
    assert not data_of(root, "v0001").parent.exists()
    assert row_of(root, "Bert.png")["version"] is None
    assert row_of(root, "rocket.jpg")["version"] == "v0002"
    withdraw(small_config(root), "v0002")
    assert again(root, "third")[0]["version"] == "v0003"


def test_photos_of_a_withdrawn_version_are_worked_on_anew(root: Path) -> None:
    assert withdraw(small_config(root), "v0001") == 3
    assert {row_of(root, name)["reason"] for name in ("Bert.png", "rocket.jpg")} == {"withdrawn"}
    exported, counted = again(root)
    assert counted.going_on == 3
    assert exported["version"] == "v0002"


def test_after_the_newest_version_is_withdrawn_the_older_one_still_counts_as_public(root: Path) -> None:
    new_photo(root)
    again(root)
    (root / "photos" / "Bert.png").unlink()
    ingest(start_run(small_config(root, **KEEP), "third"))
    assert withdraw(small_config(root), "v0002") == 1
    assert (row_of(root, "rocket.jpg")["status"], row_of(root, "rocket.jpg")["version"]) == ("released", "v0001")
    assert (row_of(root, "Bert.png")["reason"], row_of(root, "Bert.png")["version"]) == ("deleted_at_source", "v0001")
    assert row_of(root, "new.jpg")["reason"] == "withdrawn"


@pytest.mark.parametrize("step", ["rename", "rmtree"])
def test_a_withdrawal_that_was_killed_can_be_repeated(root: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        if step == "rename":
            patched.setattr(Path, "rename", killed)
        else:
            patched.setattr("photo_anonymizer.published.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            withdraw(small_config(root), "v0001")
    assert row_of(root, "Bert.png")["reason"] == "withdrawn"
    if step == "rename":
        withdraw(small_config(root), "v0001")
    with pytest.raises(ConfigError):
        withdraw(small_config(root), "v0001")
    assert list((root / "out/releases/party").iterdir()) == []


def test_a_version_that_is_not_there_cannot_be_withdrawn(root: Path) -> None:
    with pytest.raises(ConfigError, match="v0007"):
        withdraw(small_config(root), "v0007")


# provenance


def test_the_ledger_says_who_did_it_with_what_and_which_kinds_were_found(root: Path) -> None:
    config: RunConfig = small_config(root, **KEEP)
    row = row_of(root, "Anna%20Example.jpg")
    assert (row["run_id"], row["configuration"]) == ("first", config.digest)
    assert row["updated_at"].endswith("+00:00")
    assert "gps" in row["metadata_found"]
    software = json.loads((Vault.of(config).path / "software" / f"{row['software']}.json").read_text())
    assert {"product", "packages", "models"} == set(software)


def test_the_audit_log_names_kinds_and_never_values(root: Path) -> None:
    log = (data_of(root, "v0001") / "audit.jsonl").read_text()
    photo_id = row_of(root, "Anna%20Example.jpg")["photo_id"]
    entries = [json.loads(line) for line in log.splitlines()]
    entry = next(item for item in entries if item["data"].get("photo_id") == photo_id)
    assert "gps" in entry["data"]["metadata_removed"]
    assert entry["data"]["since"] == "v0001"
    assert "Anna" not in log
