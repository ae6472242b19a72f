"""One detector's scores are judged as they are; what several saw is merged and judged by its probability."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from photo_anonymizer.config import DetectionConfig, load_config
from photo_anonymizer.detection import DETECTORS
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.detection.stage import RAW_FLOOR, check_detectors, find_faces, with_given
from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.model.face import Landmarks, estimated_landmarks
from photo_anonymizer.model.geometry import Box
from photo_anonymizer.provenance import run_basis
from photo_anonymizer.release import tables
from photo_anonymizer.stages import run_all
from pipeline_run import small_config

PICTURE = np.zeros((200, 300, 3), np.uint8)
HERE, THERE = Box(x0=20, y0=20, x1=60, y1=70), Box(x0=200, y0=100, x1=240, y1=150)


class Sees:
    """A detector that always sees the same."""

    def __init__(self, name: str, *seen: tuple[Box, float], landmarks: Landmarks | None = None) -> None:
        self.name = name
        self._seen = [Detection(box, landmarks, score) for box, score in seen]

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        return list(self._seen)


def test_one_detector_is_taken_at_its_word() -> None:
    config = DetectionConfig(accept_score=0.5, doubt_score=0.2)
    faces = find_faces(PICTURE, [Sees("retinaface", (HERE, 0.9), (THERE, 0.3))], config)
    assert [(face.score, face.band, face.detectors) for face in faces] == [
        (0.9, "accept", ("retinaface",)),
        (0.3, "doubt", ("retinaface",)),
    ]


def test_what_two_detectors_see_in_one_place_is_one_face_of_both() -> None:
    both = [Sees("retinaface", (HERE, 0.99)), Sees("mtcnn", (HERE, 0.99))]
    (face,) = find_faces(PICTURE, both, DetectionConfig())
    assert set(face.detectors) == {"retinaface", "mtcnn"}
    assert face.band == "accept"


@pytest.mark.parametrize("seeing", ["retinaface", "mtcnn"])
def test_a_face_that_only_one_of_them_sees_is_kept(seeing: str) -> None:
    members = [Sees(name, (HERE, 0.99)) if name == seeing else Sees(name) for name in ("retinaface", "mtcnn")]
    (face,) = find_faces(PICTURE, members, DetectionConfig())
    assert face.detectors == (seeing,)


def test_a_merged_face_below_the_lower_threshold_is_dropped() -> None:
    members = [Sees("retinaface", (HERE, 0.051)), Sees("mtcnn")]
    assert find_faces(PICTURE, members, DetectionConfig(doubt_score=0.4)) == ()
    assert len(find_faces(PICTURE, members, DetectionConfig(doubt_score=0.01))) == 1


def test_a_box_outside_the_picture_is_no_face() -> None:
    outside = Box(x0=400, y0=20, x1=440, y1=70)
    assert find_faces(PICTURE, [Sees("retinaface", (outside, 0.99)), Sees("mtcnn")], DetectionConfig()) == ()


def test_a_face_without_landmarks_is_given_those_of_an_upright_one() -> None:
    (face,) = find_faces(PICTURE, [Sees("dlib_cnn", (HERE, 0.9))], DetectionConfig())
    assert face.landmarks == estimated_landmarks(HERE)
    assert face.landmarks.left_eye[0] < face.landmarks.nose[0] < face.landmarks.right_eye[0]
    assert face.landmarks.left_eye[1] < face.landmarks.nose[1] < face.landmarks.left_mouth[1] < HERE.y1


def test_detectors_are_named_once_each_in_order() -> None:
    assert DetectionConfig(detectors="mtcnn,retinaface,mtcnn").detector_names == ("mtcnn", "retinaface")


@pytest.mark.parametrize("wrong", ["", "retinaface, mtcnn", "RetinaFace", ","])
def test_a_list_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="detectors"):
        load_config({"source": "x", "detection": {"detectors": wrong}})


def test_an_unknown_detector_is_refused_before_the_first_photo_and_the_known_are_named() -> None:
    with pytest.raises(ConfigError, match="mediapipe_full_range"):
        check_detectors(DetectionConfig(detectors="eigenface"))


def test_what_somebody_marked_is_a_face_beyond_doubt() -> None:
    faces = find_faces(PICTURE, [Sees("retinaface", (HERE, 0.3))], DetectionConfig())
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


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"yunet", "user_onnx"}))
def test_every_detector_finds_a_portrait_and_nothing_in_an_empty_picture(name: str, astronaut: np.ndarray) -> None:
    member = DETECTORS.load(name)(DetectionConfig(doubt_score=RAW_FLOOR), 1)
    portrait = np.ascontiguousarray(astronaut[:320, 60:380])
    best = max(member.detect(portrait), key=lambda found: found.score)
    assert best.box.cover((320, 320)) is not None
    assert 120 < (best.box.x0 + best.box.x1) / 2 < 210  # her face spans 119 to 211 px here
    assert not [found for found in member.detect(np.full((200, 200, 3), 127, np.uint8)) if found.score > 0.5]
