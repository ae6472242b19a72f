"""The gate over a real run: faults planted in it are refused, published nowhere and written into the ledger."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from photo_anonymizer import outcome
from photo_anonymizer.errors import GateRefusedError
from photo_anonymizer.escalation import STAGE as MEASURE
from photo_anonymizer.gate.aggregates import faces_not_as_edited
from photo_anonymizer.gate.stage import STAGE as GATE
from photo_anonymizer.gate.stage import pass_gate
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.model.patch import save_patches
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import measure
from photo_anonymizer.vault import Vault
from pipeline_run import copy_of, located, rendered_and_attacked, small_config


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    run = rendered_and_attacked(small_config(tmp_path_factory.mktemp("gate")))
    measure(run)
    return run


@pytest.fixture
def run(measured: RunFolder, tmp_path: Path) -> RunFolder:
    return copy_of(measured, tmp_path)


def with_face(run: RunFolder) -> PhotoRecord:
    return next(record for record in run.records(MEASURE) if record.pending and record.faces)


def refused(run: RunFolder, meaning: str) -> None:
    with pytest.raises(GateRefusedError, match=meaning):
        pass_gate(run)
    rows = Vault.of(run.config).ledger()
    assert len(rows) == 4
    assert not [row for row in rows if row["status"] == "released"]
    assert [row["reason"] for row in rows if row["status"] == "held"] == ["gate_refused"] * 3
    ending = outcome.of(run.config, run)
    assert ending is not None
    assert ending["ending"] == "refused"


def test_a_good_run_passes(run: RunFolder) -> None:
    assert pass_gate(run).passed


def test_a_place_left_in_a_picture_is_refused(run: RunFolder) -> None:
    record = next(item for item in run.records(MEASURE) if item.pending and item.format == "jpeg")
    with Image.open(run.path / record.file) as picture:
        picture.save(run.path / record.file, format="JPEG", exif=located())
    assert inspect((run.path / record.file).read_bytes())
    refused(run, "besides its pixels")


def test_a_picture_that_was_exchanged_after_the_attack_is_refused(run: RunFolder) -> None:
    record = with_face(run)
    stripped = next(item for item in run.records("strip_metadata", "0000") if item.photo_id == record.photo_id)
    shutil.copy(run.path / stripped.file, run.path / record.file)
    refused(run, "is not the file that was attacked")


def test_a_face_that_was_left_clear_is_noticed_without_a_recogniser(run: RunFolder) -> None:
    record = with_face(run)
    stripped = next(item for item in run.records("strip_metadata", "0000") if item.photo_id == record.photo_id)
    original = (run.path / stripped.file).read_bytes()
    assert faces_not_as_edited(run, record, original, (run.path / record.file).read_bytes()) == 0
    assert faces_not_as_edited(run, record, original, original) == 1


def test_a_face_that_no_patch_covers_is_refused(run: RunFolder) -> None:
    for path in with_face(run).patches:
        save_patches(run.path / path, [])
    refused(run, "left as it is")


def test_a_picture_that_is_missing_is_refused(run: RunFolder) -> None:
    (run.path / with_face(run).file).unlink()
    refused(run, "missing")


def test_a_photo_that_got_lost_on_the_way_is_refused(run: RunFolder) -> None:
    from photo_anonymizer.files import read_json, write_json

    manifest = run.stage("ingest") / "manifest.json"
    rows = read_json(manifest)
    write_json(manifest, [*rows, rows[0]])
    with pytest.raises(GateRefusedError, match="got lost or was counted twice"):
        pass_gate(run)


def test_a_refusal_is_repeated_and_not_judged_anew(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    (run.path / with_face(run).file).unlink()
    refused(run, "missing")
    monkeypatch.setattr("photo_anonymizer.gate.stage.judge", None)
    refused(run, "missing")


def test_the_stored_verdict_names_no_photo(run: RunFolder) -> None:
    pass_gate(run)
    stored = b"".join(path.read_bytes() for path in run.stage(GATE).iterdir())
    for record in run.records(MEASURE):
        assert record.photo_id.encode() not in stored
