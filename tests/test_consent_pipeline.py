"""The whole pipeline with people who agreed: the astronaut by a photo of hers, the photographer by a marked region."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from skimage import data

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.errors import GateRefusedError
from photo_anonymizer.escalation import STAGE as MEASURE
from photo_anonymizer.gate.stage import pass_gate, result
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.patch import load_edits, save_patches
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.model.record import PhotoRecord
from photo_anonymizer.reid.attacks.restorers.quick import quick_looks
from photo_anonymizer.release import audit, tables
from photo_anonymizer.release.export import export_release
from photo_anonymizer.release.verify import verify
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import DETECT, close_run, measure, run_all
from photo_anonymizer.vault import Vault
from pipeline_run import copy_of, rendered_and_attacked

ASTRONAUT: Pixels = data.astronaut()
PHOTOGRAPHER: Pixels = np.dstack([data.camera()] * 3)
"""A person from the side (scikit-image's "camera", public domain)."""
PHOTOS = {
    "both.png": np.concatenate([ASTRONAUT, PHOTOGRAPHER], axis=1),
    "she alone.png": ASTRONAUT,
    "he alone.png": PHOTOGRAPHER[20:],
    "he, marked.png": PHOTOGRAPHER,
}
SEAL_BYTES = 12 + 16
"""Nonce and tag of AES-GCM."""
HIS_FACE = "he, marked.png", 199, 120, 58, 74


def config_of(root: Path, **changes: Any) -> RunConfig:
    consent = {"people": str(root / "agreed"), "regions": str(root / "marked.csv")}
    return load_config(
        {"source": str(root / "photos"), "out": str(root / "out"), "dataset": "party", "consent": consent, **changes}
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of both, a photo of her who agreed, and one region of his."""
    root = tmp_path_factory.mktemp("consent")
    for folder in ("photos", "agreed"):
        (root / folder).mkdir()
    for name, rgb in PHOTOS.items():
        Image.fromarray(rgb).save(root / "photos" / name)
    Image.fromarray(ASTRONAUT[:300, 80:380][:, ::-1]).save(root / "agreed" / "Eileen Collins.jpg", quality=90)
    name, *numbers = HIS_FACE
    row = ",".join([f'"{name}"', *map(str, numbers)])
    (root / "marked.csv").write_text(f"file,x,y,width,height\n{row}\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def prepared(root: Path) -> RunFolder:
    """A run up to the gate."""
    run = rendered_and_attacked(config_of(root, release={"keep_workspace": True}))
    measure(run)
    return run


@pytest.fixture(scope="module")
def exported(prepared: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A copy of the run that was published as v0001."""
    run = copy_of(prepared, tmp_path_factory.mktemp("exported"))
    pass_gate(run)
    export_release(run)
    close_run(run)
    return run


@pytest.fixture(scope="module")
def release(exported: RunFolder) -> Path:
    return Path(exported.config.out) / "releases" / "party" / "v0001" / "data"


@pytest.fixture
def run(prepared: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of the run, in which a fault can be planted."""
    return copy_of(prepared, tmp_path)


def by_name(run: RunFolder, stage: str = MEASURE) -> dict[str, PhotoRecord]:
    records = run.records(stage) if stage == MEASURE else run.all_records(stage)
    return {unquote(record.source_uri).rsplit("/", 1)[-1]: record for record in records}


def published(release: Path, run: RunFolder, name: str) -> Pixels:
    return load(release / "photos" / f"{by_name(run)[name].photo_id}.png")


def test_each_face_is_kept_for_the_right_reason_or_not_at_all(prepared: RunFolder) -> None:
    records = by_name(prepared, DETECT)
    assert {name: Counter(face.kept for face in record.faces) for name, record in records.items()} == {
        "both.png": {"person": 1, "": 1},
        "she alone.png": {"person": 1},
        "he alone.png": {"": 1},
        "he, marked.png": {"region": 1},
    }


@pytest.mark.parametrize("name", ["she alone.png", "he, marked.png"])
def test_a_photo_with_only_kept_faces_is_published_as_it_is(release: Path, prepared: RunFolder, name: str) -> None:
    assert np.array_equal(published(release, prepared, name), PHOTOS[name])


def test_beside_a_kept_face_the_stranger_is_changed(release: Path, prepared: RunFolder) -> None:
    changed = (published(release, prepared, "both.png") != PHOTOS["both.png"]).any(axis=2)
    faces = {face.kept: face.box.cover((1024, 512)) for face in by_name(prepared)["both.png"].faces}
    hers, his = faces["person"], faces[""]
    assert hers is not None
    assert his is not None
    assert not changed[hers.slices].any()
    assert changed[his.slices].mean() > 0.7  # the mask is an ellipse


def test_a_kept_face_gets_no_edit_and_no_residual_cue(prepared: RunFolder) -> None:
    for record in by_name(prepared).values():
        edited = {edit["face_id"] for path in record.patches for edit in load_edits(prepared.path / path)}
        assert edited == {face.face_id for face in record.anonymized_faces}


def test_only_anonymized_faces_are_attacked(release: Path) -> None:
    evidence = json.loads((release / "qa.json").read_text(encoding="utf-8"))
    assert (evidence["published"]["linked"]["n"], evidence["published"]["linked"]["hits"]) == (2, 0)
    assert evidence["aggregates"]["faces"] == evidence["aggregates"]["faces_measured"] == 2
    assert evidence["aggregates"]["faces_kept"] == 3


def test_the_table_says_what_is_kept_and_why(release: Path) -> None:
    rows = tables.read(release / "faces.parquet")
    assert Counter((row["decision"], row["method"]) for row in rows) == {
        ("anonymized", "mask"): 2,
        ("kept, person consented", ""): 2,
        ("kept, region marked by consent", ""): 1,
    }
    photos = {row["photo_id"]: row for row in tables.read(release / "photos.parquet")}
    assert Counter((row["faces"], row["method"]) for row in photos.values()) == {
        (2, "mask"): 1,
        (1, ""): 2,
        (1, "mask"): 1,
    }


def test_everybody_who_reads_the_release_learns_how_many_were_kept_by_which_rule(release: Path) -> None:
    about = json.loads((release / "run.json").read_text(encoding="utf-8"))
    evidence = json.loads((release / "qa.json").read_text(encoding="utf-8"))
    rule = {
        "region": {"min_iou": 0.6},
        "person": {"recogniser": "dlib_resnet", "max_distance": 0.4, "min_height_px": 48},
    }
    assert about["counts"]["faces"] == 5
    assert about["counts"]["faces_kept"] == {"region": 1, "person": 2}
    assert about["consent"] == rule
    assert evidence["kept_faces"] == {"region": 1, "person": 2, "rule": rule}
    report = (release / "report.html").read_text(encoding="utf-8")
    assert "3\u00a0faces stay as they are" in report
    assert "distance below 0.4" in report


def test_the_audit_log_says_so_for_every_photo_with_a_kept_face(release: Path, prepared: RunFolder) -> None:
    events = [entry["data"] for entry in audit.read_chain(release / "audit.jsonl") if entry["event"] == "photo"]
    logged = {event["photo_id"]: event.get("kept_faces") for event in events}
    records = by_name(prepared)
    assert logged[records["he alone.png"].photo_id] is None
    both = logged[records["both.png"].photo_id]
    assert (both["region"], both["person"], both["rule"]["person"]["max_distance"]) == (0, 1, 0.4)
    marked = logged[records["he, marked.png"].photo_id]
    assert (marked["region"], marked["person"]) == (1, 0)


def test_nothing_says_who_agreed(release: Path, exported: RunFolder, root: Path) -> None:
    verify(release.parent, Vault.of(exported.config))
    content = b"".join(path.read_bytes() for path in release.rglob("*") if path.is_file())
    for secret in ("Eileen", "agreed/", "marked.csv", str(root)):
        assert secret.encode() not in content, secret


def test_no_embedding_of_those_who_agreed_is_stored(prepared: RunFolder) -> None:
    """Only of anonymized faces: four rows of 128 float32 each, as they are and restored in every way, and one number,
    how light the skin is."""
    stored = sorted(Path(prepared.config.out).rglob("*.sealed"))
    assert {path.stem for path in stored} == {by_name(prepared)[name].photo_id for name in ("both.png", "he alone.png")}
    assert {(path.parent.name, path.stat().st_size) for path in stored} == {
        ("dlib_resnet", 4 * 128 * 4 + SEAL_BYTES),
        ("dlib_resnet+restored", 4 * 128 * 4 * len(quick_looks()) + SEAL_BYTES),
        ("skin_tone", 4 + SEAL_BYTES),
    }


# faults


def changed_records(run: RunFolder, change: Callable[[PhotoRecord], PhotoRecord]) -> None:
    """Plants a fault into what the last stage before the gate left."""
    manifest = run.stage(MEASURE) / "manifest.json"
    records = [change(record) for record in run.records(MEASURE)]
    manifest.unlink()
    with run.publish("planted") as output:
        output.write_records(records)
        manifest.write_bytes((output.folder / "manifest.json").read_bytes())


def test_a_face_without_an_edit_beside_a_kept_one_is_refused(run: RunFolder) -> None:
    for path in by_name(run)["both.png"].patches:
        save_patches(run.path / path, [])
    with pytest.raises(GateRefusedError, match="left as it is"):
        pass_gate(run)
    assert result(run)[0].faces_without_edit == 1


def test_a_face_that_is_no_longer_kept_and_has_no_edit_is_refused(run: RunFolder) -> None:
    def forgotten(record: PhotoRecord) -> PhotoRecord:
        return record.with_(faces=tuple(face.model_copy(update={"kept": ""}) for face in record.faces))

    changed_records(run, forgotten)
    with pytest.raises(GateRefusedError, match="left as it is"):
        pass_gate(run)
    assert result(run)[0].faces_without_edit == 3


def test_a_doubtful_face_that_was_kept_is_refused(run: RunFolder) -> None:
    def doubtful(record: PhotoRecord) -> PhotoRecord:
        faces = (face.model_copy(update={"band": "doubt"}) if face.kept else face for face in record.faces)
        return record.with_(faces=tuple(faces))

    changed_records(run, doubtful)
    with pytest.raises(GateRefusedError, match="a face is kept that is in doubt"):
        pass_gate(run)


def test_a_face_kept_for_a_reason_that_nobody_gave_is_refused(run: RunFolder) -> None:
    about = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    about["config"]["consent"]["people"] = None
    (run.path / "run.json").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(GateRefusedError, match="reason that the configuration does not give"):
        pass_gate(run)
    assert result(run)[0].faces_kept_wrongly == 2


# runs


def test_the_same_lists_take_everything_over(exported: RunFolder) -> None:
    assert run_all(exported.config, "again")["unchanged"]


def test_consent_that_was_withdrawn_changes_the_face_in_the_next_version(exported: RunFolder, tmp_path: Path) -> None:
    config = exported.config
    marked = tmp_path / "marked.csv"
    marked.write_text("file,x,y,width,height\n", encoding="utf-8")
    withdrawn = config.model_copy(update={"consent": config.consent.model_copy(update={"regions": str(marked)})})
    second = run_all(withdrawn, "second")
    assert (second["version"], second["carried_over"]) == ("v0002", 0)
    rows = tables.read(Path(second["release"]) / "data" / "faces.parquet")
    assert tables.kept_counts(rows) == {"region": 0, "person": 2}


def test_a_run_in_which_every_face_is_kept_passes_without_an_attack(root: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(ASTRONAUT).save(tmp_path / "photos" / "she.png")
    config = load_config(
        {
            "source": str(tmp_path / "photos"),
            "out": str(tmp_path / "out"),
            "consent": {"people": str(root / "agreed")},
        }
    )
    exported = run_all(config, "run")
    assert (exported["released"], exported["faces"]) == (1, 1)
    report = (Path(exported["release"]) / "data" / "report.html").read_text(encoding="utf-8")
    assert "every face that was found in the photos of this release stays as it is" in report
