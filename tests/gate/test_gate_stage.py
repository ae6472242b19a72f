"""The gate over a real run: faults planted in it are refused, published nowhere and written into the ledger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from heavycases import result_of
from photo_anonymizer import outcome
from photo_anonymizer.errors import GateRefusedError
from photo_anonymizer.escalation import RESULT
from photo_anonymizer.escalation import STAGE as MEASURE
from photo_anonymizer.gate.aggregates import changed_outside, faces_not_as_edited, second_look
from photo_anonymizer.gate.stage import STAGE as GATE
from photo_anonymizer.gate.stage import pass_gate, result
from photo_anonymizer.gate.standing import standings
from photo_anonymizer.heavy.result import keep, now
from photo_anonymizer.imagefile import encode, load
from photo_anonymizer.metadata import exiftool
from photo_anonymizer.metadata.exiftool import UNREAD, ExifTool
from photo_anonymizer.metadata.inspect import inspect
from photo_anonymizer.model.outside import UNCHANGED, Change
from photo_anonymizer.model.patch import load_patches, save_patches
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.recognisers.dlib_resnet import DlibResnet
from photo_anonymizer.reid.recognisers.lbp import Lbp
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import EMBED, measure, run_shard_stage
from photo_anonymizer.vault import Vault
from pipeline_run import copy_of, located, rendered_and_attacked, small_config
from residue import JPEG, SECRET, SRGB, chunk, exif, segment, xmp


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two faces: too few for eigenfaces to learn from. Patterns know no face in the mirror."""
    config = small_config(tmp_path_factory.mktemp("gate"), reid={"recognisers": "dlib_resnet,lbp,eigenfaces"})
    run = rendered_and_attacked(config)
    measure(run)
    return run


@pytest.fixture
def run(measured: RunFolder, tmp_path: Path) -> RunFolder:
    return copy_of(measured, tmp_path)


def with_face(run: RunFolder) -> PhotoRecord:
    return next(record for record in run.records(MEASURE) if record.pending and record.faces)


def published(run: RunFolder, extension: str) -> Path:
    """The first file of this format that would be published."""
    files = [record.file for record in run.records(MEASURE) if record.pending]
    return run.path / next(file for file in files if file.endswith(extension))


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


def test_recognisers_that_are_no_test_do_not_stop_a_run_that_another_one_tests(run: RunFolder) -> None:
    attacks = measure(run).after
    assert {item.recogniser: item.counts for item in standings(attacks, {}, 0.8)} == {
        "dlib_resnet": True,
        "lbp": False,
        "eigenfaces": False,
    }
    assert attacks.by_recogniser["eigenfaces"].degenerate
    assert pass_gate(run).passed


def embed_anew(run: RunFolder, monkeypatch: pytest.MonkeyPatch, rows: Callable[[np.ndarray], np.ndarray]) -> None:
    """The attack once more with a recogniser that gives these rows for chips."""
    for recogniser in (DlibResnet, Lbp):
        monkeypatch.setattr(recogniser, "embed", lambda self, chips: rows(chips).astype(np.float32))
    shutil.rmtree(run.stage(EMBED, "0000"))
    shutil.rmtree(run.stage(MEASURE))
    run_shard_stage(run, EMBED, "0000")
    measure(run)


def test_recognisers_that_give_everybody_the_same_embedding_pass_nothing(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    embed_anew(run, monkeypatch, lambda chips: np.ones((len(chips), 128)))
    refused(run, "no recogniser tells the originals apart, so that their failure proves nothing")
    assert result(run)[0].linked_rate == 0  # what a good result looks like, too


def test_recognisers_that_give_no_numbers_pass_nothing(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    embed_anew(run, monkeypatch, lambda chips: np.full((len(chips), 128), np.nan))
    refused(run, "no recogniser tells the originals apart")


def test_recognisers_that_know_no_original_pass_nothing(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    embed_anew(run, monkeypatch, lambda chips: rng.normal(size=(len(chips), 128)))
    refused(run, "no recogniser knows 80% of the original faces in the mirror")


def with_reid(run: RunFolder, **values: Any) -> None:
    """The same run under other bounds."""
    config = run.config.model_copy(update={"reid": run.config.reid.model_copy(update=values)})
    (run.path / "run.json").unlink()
    run.start(config, "run-1")


def test_a_method_that_learning_attackers_opened_is_not_published(run: RunFolder) -> None:
    keep(result_of(run.config, low=0.3, high=0.5), Vault.of(run.config))
    refused(run, "heavy attacks on a sample find people more than 5.0% above what a solid mask gives away")


def test_a_method_that_they_could_not_open_is(run: RunFolder) -> None:
    keep(result_of(run.config, low=0.01, high=0.5), Vault.of(run.config))
    assert pass_gate(run).passed


def test_where_their_attack_is_required_a_run_without_it_is_refused(run: RunFolder) -> None:
    with_reid(run, heavy="required")
    refused(run, "no result of heavy attacks is known for this method")


def test_where_it_is_required_an_old_one_is_refused(run: RunFolder) -> None:
    with_reid(run, heavy="required", heavy_max_age_days=30)
    keep(result_of(run.config, made_at=now() - timedelta(days=31)), Vault.of(run.config))
    refused(run, "older than 30 days")


def test_an_attack_that_was_not_made_is_refused(run: RunFolder) -> None:
    """Measured before the configuration asked for more, or by somebody who left it out."""
    path = run.stage(MEASURE) / RESULT
    stored = json.loads(path.read_text(encoding="utf-8"))
    del stored["after"]["by_attack"]["cross_photo"]
    path.chmod(0o600)
    path.write_text(json.dumps(stored), encoding="utf-8")
    refused(run, "an attack that the configuration asks for was not made")


def test_a_run_of_few_people_proves_nothing(run: RunFolder) -> None:
    proof = run.config.reid.model_copy(update={"claim": "proven", "max_linked_rate": 0.01})
    config = run.config.model_copy(update={"reid": proof})
    (run.path / "run.json").unlink()
    run.start(config, "run-1")
    refused(run, "claim proven needs at least 299 people without a linked face")


def test_a_place_left_in_a_picture_is_refused(run: RunFolder) -> None:
    record = next(item for item in run.records(MEASURE) if item.pending and item.format == "jpeg")
    with Image.open(run.path / record.file) as picture:
        picture.save(run.path / record.file, format="JPEG", exif=located())
    assert inspect((run.path / record.file).read_bytes())
    refused(run, "besides its pixels")


@pytest.mark.parametrize(
    "segments",
    [
        segment(0xE1, b"Exif\0\0" + exif(gps=True)),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp()),
        segment(0xE2, b"ICC_PROFILE\0\1\1" + SRGB),
        segment(0xFE, SECRET),
    ],
    ids=["EXIF", "XMP", "device profile", "comment"],
)
def test_residue_in_one_jpeg_is_refused(segments: bytes, run: RunFolder) -> None:
    path = published(run, ".jpg")
    data = path.read_bytes()
    path.write_bytes(data[:20] + segments + data[20:])
    refused(run, "besides its pixels")


@pytest.mark.parametrize("tail", [b"J\xff\xd9", b"\xff\xd9" + JPEG], ids=["behind the scan", "second picture"])
def test_residue_behind_the_picture_is_refused(tail: bytes, run: RunFolder) -> None:
    path = published(run, ".jpg")
    path.write_bytes(path.read_bytes()[:-2] + tail)
    refused(run, "besides its pixels")


def test_residue_in_one_png_is_refused(run: RunFolder) -> None:
    path = published(run, ".png")
    data = path.read_bytes()
    path.write_bytes(data[:33] + chunk(b"tEXt", b"Author\0" + SECRET) + data[33:])
    refused(run, "besides its pixels")


def second_reader(monkeypatch: pytest.MonkeyPatch, findings: dict[str, tuple[str, ...]]) -> list[str]:
    """Stands in for exiftool: finds this by extension. Returns the list that names of files it reads will be in."""
    names: list[str] = []

    def read(tool: ExifTool, folder: Path, files: Sequence[str], workers: int) -> dict[str, tuple[str, ...]]:
        assert all((folder / name).is_file() for name in files)
        names.extend(files)
        return {name: findings.get(Path(name).suffix, ()) for name in files}

    monkeypatch.setattr(exiftool, "find", lambda: ExifTool("/usr/bin/exiftool", "13.25"))
    monkeypatch.setattr(exiftool, "read", read)
    return names


def test_the_second_reader_sees_every_file_to_be_published(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    names = second_reader(monkeypatch, {})
    assert pass_gate(run).passed
    assert sorted(names) == sorted(record.file for record in run.records(MEASURE) if record.pending)
    aggregates, _ = result(run)
    assert (aggregates.second_reader, aggregates.second_reader_residue) == ("exiftool 13.25", 0)


@pytest.mark.parametrize("kind", ["GPS:GPSLatitude", "ICC_Profile:ProfileDescription", UNREAD])
def test_what_only_the_second_reader_finds_is_refused(
    kind: str, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    second_reader(monkeypatch, {".png": (kind,)})
    refused(run, "the second reader finds something besides pixels")
    assert result(run)[0].second_reader_residue == 1


def test_a_colour_profile_passes_the_second_reader_only_where_a_well_known_one_was_kept(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    second_reader(monkeypatch, {".jpg": ("ICC_Profile:ProfileDescription",)})
    record = next(item for item in run.records(MEASURE) if item.file.endswith(".jpg"))
    assert record.encoding is not None
    kept = record.with_(encoding=record.encoding.model_copy(update={"profile": "Display P3"}))
    assert second_look(run, [record]).residue == 1
    assert second_look(run, [kept]).residue == 0


@pytest.mark.skipif(exiftool.find() is None, reason="exiftool is not installed")
def test_exiftool_refuses_what_the_first_reader_misses(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    path = published(run, ".jpg")
    data = path.read_bytes()
    path.write_bytes(data[:20] + segment(0xE1, b"Exif\0\0" + exif(gps=True)) + data[20:])
    monkeypatch.setattr("photo_anonymizer.gate.aggregates.inspect", lambda data: ())
    refused(run, "the second reader finds something besides pixels")


def test_a_run_on_a_machine_without_exiftool_says_so_and_passes(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exiftool, "find", lambda: None)
    assert pass_gate(run).passed
    aggregates, _ = result(run)
    assert (aggregates.second_reader, aggregates.second_reader_residue) == ("", None)


def test_a_picture_that_was_exchanged_after_the_attack_is_refused(run: RunFolder) -> None:
    record = with_face(run)
    stripped = next(item for item in run.records("strip_metadata", "0000") if item.photo_id == record.photo_id)
    shutil.copy(run.path / stripped.file, run.path / record.file)
    refused(run, "is not the file that was attacked")


def test_a_face_that_was_left_clear_is_noticed_without_a_recogniser(run: RunFolder) -> None:
    record = with_face(run)
    stripped = next(item for item in run.records("strip_metadata", "0000") if item.photo_id == record.photo_id)
    patches = [patch for path in record.patches for patch in load_patches(run.path / path)]
    original = load(run.path / stripped.file)
    assert faces_not_as_edited(patches, original, load(run.path / record.file)) == 0
    assert faces_not_as_edited(patches, original, original) == 1


@pytest.mark.parametrize("extension", [".jpg", ".png"])
def test_a_picture_that_changed_outside_of_its_edits_is_refused(extension: str, run: RunFolder) -> None:
    record = next(item for item in run.records(MEASURE) if item.pending and item.faces and extension in item.file)
    assert record.encoding is not None
    assert record.outside == UNCHANGED
    rgb = load(run.path / record.file)
    rgb[-40:-32, :8] ^= 8
    (run.path / record.file).write_bytes(encode(rgb, record.encoding))
    refused(run, "said to be unchanged outside of its edits")


def test_a_picture_that_was_said_to_have_changed_outside_of_its_edits_passes(run: RunFolder) -> None:
    record = with_face(run)
    patches = [patch for path in record.patches for patch in load_patches(run.path / path)]
    before = load(run.path / record.file)
    said = record.with_(outside=Change(mean=0.4, largest=7))
    assert changed_outside(record, patches, before, before ^ 1)
    assert not changed_outside(said, patches, before, before ^ 1)
    assert changed_outside(record.with_(outside=None), patches, before, before)


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
