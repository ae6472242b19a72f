"""Which detectors look, what somebody marked, and what is refused before the first photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from faces import face
from photo_anonymizer.config import DetectionConfig, RunConfig, load_config
from photo_anonymizer.detection import DETECTORS, RUNTIMES, stage
from photo_anonymizer.detection.persons import Person
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.stage import RAW_FLOOR, check_detectors, with_given
from photo_anonymizer.errors import ConfigError, GateRefusedError, ModelError
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.provenance import run_basis
from photo_anonymizer.release import tables
from photo_anonymizer.stages import run_all
from photo_anonymizer.vault import Vault
from pipeline_run import small_config

PICTURE = np.zeros((200, 300, 3), np.uint8)
HERE, THERE = Box(x0=20, y0=20, x1=60, y1=70), Box(x0=200, y0=100, x1=240, y1=150)


HERE, THERE = Box(x0=20, y0=20, x1=60, y1=70), Box(x0=200, y0=100, x1=240, y1=150)


def test_detectors_are_named_once_each_in_order() -> None:
    assert DetectionConfig(detectors="mtcnn,retinaface,mtcnn").detector_names == ("mtcnn", "retinaface")


@pytest.mark.parametrize("wrong", ["", "retinaface, mtcnn", "RetinaFace", ","])
def test_a_list_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="detectors"):
        load_config({"source": "x", "detection": {"detectors": wrong}})


def test_an_unknown_detector_is_refused_before_the_first_photo_and_the_known_are_named() -> None:
    with pytest.raises(ConfigError, match="mediapipe_full_range"):
        check_detectors(DetectionConfig(detectors="eigenface"))


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"yunet", "user_onnx"}))
def test_a_missing_runtime_is_said_before_the_first_photo(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photo_anonymizer.detection.stage.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=RUNTIMES[name][1]):
        check_detectors(DetectionConfig(detectors=name))


def test_every_detector_says_what_it_runs_on() -> None:
    assert set(RUNTIMES) == set(DETECTORS)


def test_what_somebody_marked_is_a_face_beyond_doubt() -> None:
    faces = [face(HERE.x0, HERE.y0, HERE.width, HERE.height, score=0.3)]
    with_both = with_given(faces, [Detection(HERE, None, 1.0), Detection(THERE, None, 1.0)])
    assert [(face.face_id, face.band, face.detectors) for face in with_both] == [
        ("f0000", "accept", ("retinaface", "given_boxes")),
        ("f0001", "accept", ("given_boxes",)),
    ]
    assert with_both[1].box == THERE


def test_a_marked_face_is_changed_in_the_photo_and_the_table_says_who_saw_it(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    marked = tmp_path / "marked.csv"
    marked.write_text("file,x,y,width,height\nrocket.jpg,100,100,40,50\n", encoding="utf-8")
    config = small_config(tmp_path, detection={"given_boxes": str(marked)})
    release = Path(run_all(config, "one")["release"])
    rows = tables.read(release / "data" / "faces.parquet")
    (row,) = [row for row in rows if row["detectors"] == ["given_boxes"]]
    assert row["x"] <= 100
    assert row["x"] + row["width"] >= 140
    about = json.loads((release / "data" / "run.json").read_text(encoding="utf-8"))
    assert about["configuration"]["detection"]["given_boxes"] == "user's own"
    assert "marked.csv" not in (release / "data" / "run.json").read_text(encoding="utf-8")


def test_marked_faces_that_changed_make_the_photos_new(tmp_path: Path) -> None:
    marked = tmp_path / "marked.csv"
    marked.write_text("file,x,y,width,height\n", encoding="utf-8")
    config = small_config(tmp_path, detection={"given_boxes": str(marked)})
    before = run_basis(config, b"key")
    assert run_basis(config, b"key") == before
    marked.write_text("file,x,y,width,height\nrocket.jpg,100,100,40,50\n", encoding="utf-8")
    assert run_basis(config, b"key") != before


@pytest.mark.parametrize("name", ["yunet", "user_onnx"])
def test_a_detector_of_the_user_s_without_its_file_says_which_field_is_missing(name: str) -> None:
    with pytest.raises(ConfigError, match=r"detection\.(yunet|user)_model"):
        check_detectors(DetectionConfig(detectors=name))


def test_a_model_file_of_the_user_s_is_described_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"no network")
    (tmp_path / "yunet.yaml").write_text(f"path: net.onnx\nsha256: {'a' * 64}\nlicence: MIT\n", encoding="utf-8")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        check_detectors(DetectionConfig(detectors="yunet", yunet_model=str(tmp_path / "yunet.yaml")))
    (tmp_path / "yunet.yaml").write_text("path: net.onnx\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="licence, sha256"):
        check_detectors(DetectionConfig(detectors="yunet", yunet_model=str(tmp_path / "yunet.yaml")))


class TestPersonsWithoutAFace:
    """A person model that always sees one turned head beside whatever faces there are."""

    @pytest.fixture
    def asked(self, monkeypatch) -> list[list[Box]]:
        """The faces with which the person model was asked, one list a photo."""
        asked: list[list[Box]] = []

        def one_turned_head(rgb: np.ndarray, faces: list[Box]) -> tuple[Person, ...]:
            asked.append(faces)
            return Person(HERE, (0.0, -1.0), 0.6), Person(THERE, (0.0, -1.0), 0.1)

        monkeypatch.setattr(stage, "persons", one_turned_head)
        return asked

    @staticmethod
    def portrait_row(config: RunConfig) -> dict[str, str]:
        return next(row for row in Vault.of(config).ledger() if row["source_uri"].endswith("Bert.png"))

    def test_beside_a_found_face_they_hold_the_photo_and_are_counted(self, tmp_path: Path, asked) -> None:
        config = small_config(tmp_path)
        with pytest.raises(GateRefusedError, match="nothing to judge"):
            run_all(config, "one")
        row = self.portrait_row(config)
        assert (row["status"], row["reason"]) == ("held", "person_without_face")
        assert row["detail"] == "1 without a face"
        assert sorted(len(faces) for faces in asked) == [0, 1, 1]

    def test_below_the_configured_score_they_do_not(self, tmp_path: Path, asked) -> None:
        config = small_config(tmp_path, detection={"person_score": 0.61})
        run_all(config, "one")
        assert self.portrait_row(config)["status"] == "released"
        assert len(asked) == 3

    @pytest.mark.parametrize(
        ("band", "mesh_logit", "seen"),
        [("accept", -9.0, True), ("doubt", None, True), ("doubt", 4.0, True), ("doubt", -4.0, False)],
    )
    def test_a_doubtful_face_that_the_mesh_denies_is_nobodys_head(
        self, band: str, mesh_logit: float | None, seen: bool
    ) -> None:
        somebody = face(10, 10, 40, 50).model_copy(update={"band": band, "mesh_logit": mesh_logit})
        assert stage._is_seen(somebody) is seen

    def test_where_backs_of_heads_are_fine_nobody_asks(self, tmp_path: Path, asked) -> None:
        config = small_config(tmp_path, detection={"person_without_face": "release"})
        run_all(config, "one")
        assert self.portrait_row(config)["status"] == "released"
        assert asked == []

    def test_marked_faces_are_faces_too(self, tmp_path: Path, asked) -> None:
        marked = tmp_path / "marked.csv"
        marked.write_text("file,x,y,width,height\nrocket.jpg,100,100,40,50\n", encoding="utf-8")
        run_all(small_config(tmp_path, detection={"given_boxes": str(marked), "person_score": 0.61}), "one")
        assert [Box(x0=100, y0=100, x1=140, y1=150)] in asked


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"yunet", "user_onnx"}))
def test_every_detector_finds_a_portrait_and_nothing_in_an_empty_picture(name: str, astronaut: np.ndarray) -> None:
    member = DETECTORS.load(name)(DetectionConfig(doubt_score=RAW_FLOOR), 1)
    portrait = np.ascontiguousarray(astronaut[:320, 60:380])
    best = max(member.detect(portrait), key=lambda found: found.score)
    assert best.box.cover((320, 320)) is not None
    assert 120 < (best.box.x0 + best.box.x1) / 2 < 210  # her face spans 119 to 211 px here
    assert not [found for found in member.detect(np.full((200, 200, 3), 127, np.uint8)) if found.score > 0.5]
