"""A second run works only on what is new or may end differently; what was published stays, what was deleted goes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from photo_anonymizer import review
from photo_anonymizer.config import RunConfig
from photo_anonymizer.errors import ConfigError, GateRefusedError, PhotoAnonymizerError
from photo_anonymizer.ingest.stage import Ingested
from photo_anonymizer.ingest.stage import summary as ingest_summary
from photo_anonymizer.release import tables
from photo_anonymizer.release.export import export_release
from photo_anonymizer.release.verify import verify
from photo_anonymizer.release.withdraw import list_versions, withdraw
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import measure, pass_gate, run_all, run_photo_stages, start_run
from photo_anonymizer.vault import Vault
from pipeline_run import small_config

KEEP: dict[str, Any] = {"release": {"keep_workspace": True}}


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose photos were published as v0001."""
    root = tmp_path_factory.mktemp("first")
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
    config = small_config(root, **{**KEEP, **changes})
    exported = run_all(config, run_id)
    return dict(exported), ingest_summary(RunFolder.of(config, run_id))


def new_photo(root: Path, name: str = "new.jpg") -> Path:
    path = root / "photos" / name
    Image.fromarray(np.ascontiguousarray(data.astronaut()[20:, 20:])).save(path, quality=90)
    return path


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


def test_a_photo_that_changed_is_worked_on_again(root: Path) -> None:
    new_photo(root, "Bert.png")
    exported, counted = again(root)
    assert (counted.going_on, counted.carried_over) == (1, 2)
    assert exported["version"] == "v0002"


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


def test_what_was_held_stays_held_until_something_changes(root: Path) -> None:
    vault = Vault.of(small_config(root))
    row = row_of(root, "rocket.jpg")
    held = {"status": "held", "reason": "person_without_face", "version": None, "output": None}
    vault.update_ledger([{**row, **held, "photo_id": row["photo_id"]}])
    exported, counted = again(root)
    assert (counted.going_on, counted.taken_over) == (0, 3)
    assert (exported["held"], exported["released"]) == (1, 2)


def test_what_stayed_back_for_a_reason_of_the_run_is_tried_again(root: Path) -> None:
    vault = Vault.of(small_config(root))
    for name, reason in (("rocket.jpg", "gate_refused"), ("Bert.png", "stage_error")):
        vault.update_ledger([{**row_of(root, name), "status": "held", "reason": reason}])
    assert again(root)[1].going_on == 2


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
    from photo_anonymizer.model.record import Reason
    from photo_anonymizer.sources import Found, list_source

    folder = (root / "photos").as_uri()

    def unreadable(source: str, _limits: object) -> list[Found]:
        return [item for item in list_source(source) if not item.uri.endswith("Bert.png")] + [
            Found(folder, Reason.UNREADABLE)
        ]

    monkeypatch.setattr(stage, "list_source", unreadable)
    _, counted = again(root)
    assert counted.deleted_at_source == 0
    assert row_of(root, "Bert.png")["reason"] == "unreadable"


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


def test_a_version_that_vanishes_during_the_run_stops_it(root: Path) -> None:
    new_photo(root)
    run = start_run(small_config(root, **KEEP), "second")
    run_photo_stages(run)
    measure(run)
    pass_gate(run)
    shutil.rmtree(data_of(root, "v0001").parent)
    with pytest.raises(PhotoAnonymizerError, match="start a new run"):
        export_release(run)


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
    assert withdraw(small_config(root), "v0001") == 0
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
