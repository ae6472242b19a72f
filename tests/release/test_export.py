"""A version appears whole or not at all, once, says nothing it should not, and can be verified."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bagit
import numpy as np
import pytest

from photo_anonymizer.errors import ConfigError, GateRefusedError, PhotoAnonymizerError, ReleaseError
from photo_anonymizer.gate.stage import RESULT as VERDICT
from photo_anonymizer.gate.stage import STAGE as GATE
from photo_anonymizer.gate.stage import pass_gate
from photo_anonymizer.imagefile import load
from photo_anonymizer.reid.measure import own_distances
from photo_anonymizer.reid.stage import embeddings_folder, read_pairs, recognisers_of
from photo_anonymizer.release import export, tables
from photo_anonymizer.release.export import export_release
from photo_anonymizer.release.verify import verify
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import close_run, measure
from photo_anonymizer.vault import Vault
from pipeline_run import copy_of, rendered_and_attacked, small_config
from recognisercases import cells, described


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that passed the gate and was not exported."""
    folder = tmp_path_factory.mktemp("export")
    own = described(folder, cells(), "mine", threshold=0.999)
    run = rendered_and_attacked(small_config(folder, reid={"user_recognisers": str(own)}))
    measure(run)
    pass_gate(run)
    return run


@pytest.fixture
def run(gated: RunFolder, tmp_path: Path) -> RunFolder:
    """A copy of it."""
    return copy_of(gated, tmp_path)


@pytest.fixture
def release(run: RunFolder) -> Path:
    return Path(export_release(run)["release"])


def test_the_contracts_files_are_there(release: Path) -> None:
    assert release.name == "v0001"
    present = {path.name for path in (release / "data").iterdir()}
    assert present == {"photos", "photos.parquet", "faces.parquet", "run.json", "qa.json", "report.html", "audit.jsonl"}
    bagit.Bag(str(release)).validate()


def files_that_say(root: Path, numbers: Iterable[float]) -> list[str]:
    """Files outside of the vault, but for pictures, in which one of the numbers stands with four digits or more."""
    wanted = [f"{number:.6f}"[:6].encode() for number in numbers]
    return [
        path.name
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not path.is_relative_to(root / "vault")
        and path.suffix in {".json", ".jsonl", ".html", ".txt", ".parquet", ".log", ""}
        and any(number in path.read_bytes() for number in wanted)
    ]


def test_how_similar_one_face_is_to_anything_is_said_nowhere_but_in_the_vault(run: RunFolder, release: Path) -> None:
    root = Path(run.config.out)
    (recogniser,) = (one for one in recognisers_of(run.config.reid, 1) if one.name == "dlib_resnet")
    folder = embeddings_folder(run, recogniser.name)
    pairs = read_pairs(folder, run.all_records("embed_faces"))
    similar = [*own_distances(pairs), float(np.linalg.norm(pairs.original[0] - pairs.original[1]))]
    assert len(similar) == 3
    assert files_that_say(root, similar) == []
    (run.path / "told.json").write_text(json.dumps({"f0000": float(similar[0])}), encoding="utf-8")
    assert files_that_say(root, similar) == ["told.json"]  # the search finds it where it is


def test_the_tables_have_the_contracts_columns(release: Path) -> None:
    photos = tables.read(release / "data" / "photos.parquet")
    faces = tables.read(release / "data" / "faces.parquet")
    assert list(photos[0]) == [
        "photo_id", "file", "sha256", "width", "height", "format", "method", "faces", "reviewed", "outside_mean",
        "outside_max",
    ]  # fmt: skip
    assert list(faces[0]) == [
        "photo_id", "face_id", "x", "y", "width", "height", "detectors", "confidence", "method", "parameters",
        "escalations", "decision",
    ]  # fmt: skip
    assert len(photos) == 3
    assert {row["method"] for row in faces} == {"mask"}
    assert json.loads(faces[0]["parameters"])["scale"] == 1.35


def test_published_pictures_have_the_size_that_the_table_says(release: Path) -> None:
    for row in tables.read(release / "data" / "photos.parquet"):
        rgb = load(release / "data" / row["file"])
        assert (rgb.shape[1], rgb.shape[0]) == (row["width"], row["height"])


def test_outside_of_the_changed_regions_every_jpeg_and_png_is_what_it_was(release: Path) -> None:
    photos = tables.read(release / "data" / "photos.parquet")
    assert {(row["outside_mean"], row["outside_max"]) for row in photos} == {(0, 0)}
    evidence = json.loads((release / "data" / "qa.json").read_text())
    assert {format: found["unchanged"] for format, found in evidence["unedited"].items()} == {"jpeg": 2, "png": 1}


def test_the_ledger_accounts_for_every_file(run: RunFolder, release: Path) -> None:
    rows = Vault.of(run.config).ledger()
    assert len(rows) == 4
    assert sorted((row["status"], row["reason"]) for row in rows) == [
        ("rejected", "not_a_photo"),
        *[("released", "")] * 3,
    ]
    for row in rows:
        if row["status"] == "released":
            assert (release.parent / row["output"]).is_file()
            assert row["version"] == "v0001"
        else:
            assert row["output"] is None


def test_nothing_in_the_release_names_source_file_person_or_place(run: RunFolder, release: Path) -> None:
    content = b"".join(path.read_bytes() for path in release.rglob("*") if path.is_file())
    for secret in ("Anna", "Bert", "rocket", "notes.txt", str(run.config.source), run.run_id, "/tmp", "source_uri"):
        assert secret.encode() not in content, secret


def test_the_run_is_recorded_with_models_hashes_and_licences(release: Path) -> None:
    about = json.loads((release / "data" / "run.json").read_text())
    assert about["counts"] == {
        "inputs": 4, "released": 3, "carried_over": 0, "held": 0, "rejected": 1, "faces": 2,
        "faces_kept": {"region": 0, "person": 0},
    }  # fmt: skip
    assert about["consent"] == {}
    assert all(len(model["sha256"]) == 64 and model["licence"] for model in about["models"])
    assert about["configuration"]["detection"]["accept_score"] == 0.8
    evidence = json.loads((release / "data" / "qa.json").read_text())
    assert evidence["published"]["linked"] == {**evidence["published"]["linked"], "n": 2, "hits": 0}
    assert evidence["published"]["linked"]["high"] > 0.5  # two faces prove little, and it says so
    assert evidence["published"]["by_recogniser"]["dlib_resnet"]["rank1"]["chance"] == 0.5


def test_a_users_own_recogniser_is_recorded_with_hash_and_licence_and_no_path(release: Path) -> None:
    about = json.loads((release / "data" / "run.json").read_text())
    (own,) = [model for model in about["models"] if model["name"] == "user_onnx.mine"]
    assert (own["package"], own["licence"]) == ("user's own", "MIT")
    assert own["sha256"] == hashlib.sha256(cells()).hexdigest()
    assert about["configuration"]["reid"]["user_recognisers"] == "user's own"
    evidence = json.loads((release / "data" / "qa.json").read_text())
    assert set(evidence["published"]["by_recogniser"]) == {"dlib_resnet", "user_onnx.mine"}
    assert [item["recogniser"] for item in evidence["recognisers"]] == ["dlib_resnet", "user_onnx.mine"]


def test_the_evidence_says_what_is_claimed(release: Path) -> None:
    evidence = json.loads((release / "data" / "qa.json").read_text())
    assert (evidence["schema"], evidence["claim"]) == (2, "observed")
    assert evidence["claim_in_words"].startswith("Observed, not proven: 0 of 2 faces are linked to their original.")


def test_the_order_of_the_tables_is_not_that_of_the_source(release: Path) -> None:
    ids = [row["photo_id"] for row in tables.read(release / "data" / "photos.parquet")]
    assert ids == sorted(ids)


def test_files_are_read_only_and_of_one_age(release: Path) -> None:
    files = [path for path in release.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o444}
    assert len({path.stat().st_mtime for path in files}) == 1


def test_what_a_killed_export_left_is_swept_away(run: RunFolder) -> None:
    leftover = Path(run.config.out) / "releases" / "party" / ".v0001.abc" / "photos"
    leftover.mkdir(parents=True)
    (leftover / "half.jpg").write_bytes(b"half")
    release = Path(export_release(run)["release"])
    assert [path.name for path in release.parent.iterdir()] == ["v0001"]


def test_a_picture_that_was_exchanged_after_the_gate_is_not_published(run: RunFolder) -> None:
    record = next(item for item in run.records("measure_reidentification") if item.pending and item.faces)
    (run.path / record.file).write_bytes((run.path / record.file).read_bytes() + b"\x00")
    with pytest.raises(PhotoAnonymizerError, match="changed after it was attacked"):
        export_release(run)
    assert list((Path(run.config.out) / "releases" / "party").iterdir()) == []


def test_the_name_of_a_deleted_version_is_not_used_again(run: RunFolder, release: Path) -> None:
    shutil.rmtree(release)
    about = (run.path / "run.json").read_text().replace('"run-1"', '"run-2"')
    (run.path / "run.json").write_text(about)
    assert export_release(run)["version"] == "v0002"


def test_a_photo_that_is_held_later_keeps_its_published_place_in_the_ledger(run: RunFolder, release: Path) -> None:
    vault = Vault.of(run.config)
    published = next(row for row in vault.ledger() if row["status"] == "released")
    vault.update_ledger([{**published, "status": "held", "reason": "gate_refused", "version": None, "output": None}])
    row = next(row for row in vault.ledger() if row["photo_id"] == published["photo_id"])
    assert (row["status"], row["version"], row["output"]) == ("held", "v0001", published["output"])


def test_exported_twice_it_is_one_version(run: RunFolder) -> None:
    first, second = export_release(run), export_release(run)
    assert first == second
    assert [path.name for path in Path(first["release"]).parent.iterdir()] == ["v0001"]


def test_another_run_becomes_the_next_version(run: RunFolder, release: Path) -> None:
    about = (run.path / "run.json").read_text().replace('"run-1"', '"run-2"')
    (run.path / "run.json").write_text(about)
    assert export_release(run)["version"] == "v0002"
    assert verify(release)["photos"] == 3


def test_a_run_that_did_not_pass_the_gate_is_not_exported(run: RunFolder) -> None:
    path = run.stage(GATE) / VERDICT
    stored = json.loads(path.read_text())
    stored["verdict"]["passed"] = False
    path.write_text(json.dumps(stored))
    with pytest.raises(GateRefusedError):
        export_release(run)
    assert not list((Path(run.config.out) / "releases").rglob("v*"))


@pytest.mark.parametrize("at", ["write_report", "_seal"])
def test_a_full_disk_leaves_no_half_version_and_a_retry_publishes(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(export, at, full)
        with pytest.raises(OSError, match="No space left"):
            export_release(run)
    dataset = Path(run.config.out) / "releases" / "party"
    assert list(dataset.iterdir()) == []
    assert export_release(run)["version"] == "v0001"


def test_killed_between_rename_and_ledger_the_retry_only_completes_the_ledger(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export, "account", killed)
        with pytest.raises(KeyboardInterrupt):
            export_release(run)
    assert export_release(run)["version"] == "v0001"
    assert {row["version"] for row in Vault.of(run.config).ledger()} == {"v0001", None}


def test_closing_a_run_removes_intermediate_files_and_embeddings(run: RunFolder, release: Path) -> None:
    config = run.config
    close_run(run)
    assert not run.path.exists()
    assert not list((Path(config.out) / "vault").rglob("embeddings"))
    assert release.is_dir()


class TestVerify:
    def writable(self, release: Path) -> Path:
        for path in release.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        return release / "data"

    def resealed(self, release: Path) -> None:
        """The bag's checksums made anew, as somebody would who covers up a change."""
        bag = bagit.Bag(str(release))
        bag.save(manifests=True)

    def test_an_intact_release_is_intact(self, run: RunFolder, release: Path) -> None:
        assert verify(release, Vault.of(run.config)) == {"photos": 3, "faces": 2, "audit entries": 7}

    def test_a_folder_that_is_no_release_is_named(self, release: Path) -> None:
        with pytest.raises(ReleaseError, match="is not a release"):
            verify(release.parent)

    def test_a_vault_that_is_none_or_of_another_dataset_is_not_called_a_changed_log(
        self, release: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match="no such vault"):
            verify(release, Vault(tmp_path / "nonexistent"))
        (tmp_path / "vault").mkdir()
        with pytest.raises(ConfigError, match="knows no version v0001"):
            verify(release, Vault(tmp_path / "vault"))

    def test_a_changed_picture_is_noticed(self, release: Path) -> None:
        data = self.writable(release)
        picture = next((data / "photos").glob("*.jpg"))
        picture.write_bytes(picture.read_bytes()[:-2] + b"\xff\xd9\x00")
        with pytest.raises(ReleaseError, match="not intact"):
            verify(release)

    def test_a_changed_picture_is_noticed_even_when_the_bag_was_sealed_anew(self, release: Path) -> None:
        data = self.writable(release)
        picture = next((data / "photos").glob("*.jpg"))
        picture.write_bytes(picture.read_bytes() + b"GPS")
        self.resealed(release)
        with pytest.raises(ReleaseError, match="is not the file that photos"):
            verify(release)

    def test_a_picture_that_is_in_no_table_is_noticed(self, release: Path) -> None:
        data = self.writable(release)
        picture = next((data / "photos").glob("*.jpg"))
        shutil.copy(picture, picture.with_name("more.jpg"))
        self.resealed(release)
        with pytest.raises(ReleaseError, match="differ"):
            verify(release)

    def test_a_face_that_was_dropped_from_its_table_is_noticed(self, release: Path) -> None:
        data = self.writable(release)
        rows = tables.read(data / "faces.parquet")
        tables.write(data / "faces.parquet", rows[1:], tables.FACES)
        self.resealed(release)
        with pytest.raises(ReleaseError, match="do not agree"):
            verify(release)

    def test_a_log_that_was_cut_off_is_noticed(self, release: Path) -> None:
        data = self.writable(release)
        lines = (data / "audit.jsonl").read_text().splitlines(keepends=True)
        (data / "audit.jsonl").write_text("".join(lines[:-1]))
        self.resealed(release)
        with pytest.raises(ReleaseError, match="does not end where"):
            verify(release)

    def test_a_log_that_was_rewritten_whole_is_noticed_with_the_vault(self, run: RunFolder, release: Path) -> None:
        from photo_anonymizer.release import audit

        data = self.writable(release)
        events = [(entry["event"], entry["data"]) for entry in audit.read_chain(data / "audit.jsonl")]
        entries = audit.chain([*events, ("gate", {"passed": True})])
        (data / "audit.jsonl").write_text(audit.dump(entries))
        about = json.loads((data / "run.json").read_text())
        about["audit"] = {"entries": len(entries), "sha256": audit.head_of(entries).sha256}
        (data / "run.json").write_text(json.dumps(about))
        self.resealed(release)
        verify(release)
        with pytest.raises(ReleaseError, match="as the vault noted"):
            verify(release, Vault.of(run.config))
