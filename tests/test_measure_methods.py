"""Figures of changed faces: each is right about a change that is known."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from meshes import turned_mesh
from photo_anonymizer.detection.protocol import Detection
from photo_anonymizer.mesh.network import Mesh
from photo_anonymizer.mesh.topology import INNER_LIP_PAIRS, five_points
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.region import region_of
from photo_anonymizer.methods.stage import patch_of
from subjects import skin_photo, subject

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

import measure_methods
from make_gallery import page
from measure_methods import GROUPS, HEAD, found_again, group_row, height_row, looked_at, median, row, strangers
from method_figures.quality import (
    Quality,
    cheeks_apart,
    detector_landmarks_off,
    landmarks_off,
    opening,
    quality,
    seam,
    turned,
)
from method_figures.subjects import Changed, Original, changed, config_for


def mesh(yaw: float = 0, pitch: float = 0, roll: float = 0, scale: float = 12) -> Mesh:
    return Mesh(turned_mesh(yaw, pitch, roll, scale, (220, 220)).astype(np.float32), 20.0)


def figures(**known: float) -> Quality:
    values = dict.fromkeys(Quality.__dataclass_fields__, math.nan) | known
    return Quality(**{**values, "found": {"retinaface": True, "mediapipe_full_range": False}})


def test_a_turn_is_measured_in_degrees_and_across_the_circle() -> None:
    yaw, pitch, roll = turned(mesh(), mesh(yaw=math.radians(10)))
    assert (yaw, pitch, roll) == pytest.approx((10, 0, 0), abs=0.1)
    assert turned(mesh(roll=math.radians(179)), mesh(roll=math.radians(-179)))[2] == pytest.approx(2, abs=0.1)


def test_landmarks_are_measured_in_inter_ocular_distances() -> None:
    points = five_points(mesh().points)
    eyes = float(np.linalg.norm(points[1] - points[0]))
    assert landmarks_off(points, points + np.array([0.1 * eyes, 0])) == pytest.approx(0.1)
    assert landmarks_off(points, points) == 0


def test_a_detector_s_landmarks_are_those_of_the_nearest_box_that_it_found() -> None:
    face = subject(200).face
    eyes = math.dist(*face.landmarks.points[:2])
    marks = face.landmarks.model_copy(update={"nose": (face.landmarks.nose[0], face.landmarks.nose[1] + eyes)})
    near, far = Detection(face.box, marks, 0.9), Detection(face.box.shifted(20, 20), face.landmarks, 0.9)
    assert detector_landmarks_off(face, [far, near]) == pytest.approx(1 / 5)
    assert math.isnan(detector_landmarks_off(face, [Detection(face.box.shifted(500, 0), marks, 0.9)]))
    assert math.isnan(detector_landmarks_off(face, []))


def test_an_opened_mouth_is_more_open_at_every_size_and_turn() -> None:
    def opened(one: Mesh) -> Mesh:
        points = one.points.copy()
        for upper, lower in INNER_LIP_PAIRS:
            points[lower] += np.float32(2.0) * (points[lower] - points[upper]) + np.float32([0, 3, 0])
        return Mesh(points, 20.0)

    assert opening(opened(mesh()))[0] > opening(mesh())[0]
    assert opening(mesh(scale=12)) == pytest.approx(opening(mesh(yaw=0.4, roll=1.0, scale=40)), rel=1e-3)


def test_the_same_cheeks_have_no_difference_and_darker_ones_one() -> None:
    photo = skin_photo(440)
    assert cheeks_apart(photo, photo, mesh()) == 0
    assert cheeks_apart(photo, (photo * 0.6).astype(np.uint8), mesh()) > 10


def test_a_hard_edge_is_a_seam_and_a_soft_one_is_none() -> None:
    before = np.full((80, 80, 3), 120, np.uint8) + np.random.default_rng(0).integers(0, 20, (80, 80, 3), np.uint8)
    alpha = np.zeros((80, 80), np.uint8)
    cv2.circle(alpha, (40, 40), 25, 255, -1)
    hard = before.copy()
    hard[alpha > 0] = 250
    assert seam(before, before, alpha) == pytest.approx(1)
    assert seam(before, hard, alpha) > 3
    assert math.isnan(seam(before, hard, np.zeros_like(alpha)))


class Finds:
    """A detector that finds given boxes."""

    def __init__(self, *boxes) -> None:
        self.boxes = boxes

    def detect(self, _rgb):
        return [Detection(box, None, 0.9) for box in self.boxes]


def test_a_changed_face_has_all_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    someone = subject(200)
    monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: someone.mesh)
    monkeypatch.setattr("method_figures.quality.look", lambda *_: someone.mesh)
    original = Original(someone.rgb, someone.face, "somebody")
    (made,) = changed([original], "synthetic")
    found = quality(made, {"here": Finds(someone.face.box), "nowhere": Finds()})
    assert found.found == {"here": True, "nowhere": False}
    assert (found.yaw_off, found.landmarks_off) == (0, 0)
    assert found.delta_e < 6
    assert found.paint_ms > 0


def test_a_face_that_the_method_leaves_to_another_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    someone = subject(200, logit=-5)
    monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: someone.mesh)
    (made,) = changed([Original(someone.rgb, someone.face, "x")], "synthetic")
    assert made.by_another_method


def test_every_draw_changes_every_face_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    someone = subject(200)
    monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: someone.mesh)
    one, other = changed([Original(someone.rgb, someone.face, "x")], "blur", draws=2)
    assert one.original is other.original
    assert not np.array_equal(one.patch.pixels, other.patch.pixels)


def test_recognition_is_shown_by_the_faces_height() -> None:
    """An attacker who tells faces by their size alone: small ones are all alike, and so is what is made of them."""

    class BySize:
        threshold = 0.6

        def embed(self, chips):
            return chips

    small, large = subject(60), subject(200)
    faces = [Original(small.rgb, small.face, name) for name in "ab"] + [Original(large.rgb, large.face, "c")]
    made = [Changed(one, one.rgb, None, 0.0) for one in faces]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(measure_methods, "chip_of", lambda _rgb, face, _by: np.array([face.box.height], np.float32))
        before, seen = measure_methods.embedded(faces, BySize()), looked_at(made, BySize())
    rows = [height_row("mask", made, seen, faces, before, 0.6, limits) for limits in ((32, 100), (100, 1_000_000))]
    assert rows[0] == "| mask | 32 to 100 | 2 | 1.000 | 0.500 | 0.500 |"
    assert rows[1] == "| mask | 100 and more | 1 | 1.000 | 0.000 | 0.000 |"
    assert height_row("mask", [], looked_at([], BySize()), faces, before, 0.6, (32, 100)).count("–") == 3


def test_rows_have_as_many_cells_as_the_head() -> None:
    line = row("mask", [figures(delta_e=3.0), figures(delta_e=5.0)], 1, 0.0, 0.0, 0.0)
    assert line.count("|") == HEAD.count("|")
    assert "| 4.0 |" in line


def test_medians_leave_out_what_could_not_be_measured() -> None:
    assert median([figures(seam=1.0), figures(seam=3.0), figures()], "seam") == 2
    assert math.isnan(median([figures()], "seam"))
    assert found_again([figures()], "retinaface") == 1


def test_groups_cover_every_angle_once() -> None:
    bounds = sorted((low, high) for _, low, high in GROUPS)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(bounds))
    assert "| 1 |" in group_row("mask", "tan", [figures(typology_deg=20.0), figures(typology_deg=60.0)], 10, 28)


def test_photos_of_one_folder_are_of_different_people_and_folders_are_people() -> None:
    class Near:
        threshold = 0.6

    someone = subject(60)
    photos = [skin_photo(200, seed) for seed in range(3)]
    apart = np.eye(3, dtype=np.float32)
    one_folder = [Original(photo, someone.face, "photos") for photo in photos]
    assert strangers(np.zeros((3, 3), np.float32), one_folder, Near()) == 1
    assert strangers(apart, one_folder, Near()) == 0
    same = [Original(photos[0], someone.face, name) for name in ("a", "a", "b")]
    near = np.array([[0, 0], [0, 0], [5, 0]], np.float32)
    assert strangers(near, same, Near()) == 0


def test_the_gallery_is_one_page_with_a_warning_and_a_picture_for_every_method(monkeypatch: pytest.MonkeyPatch) -> None:
    someone = subject(200)
    monkeypatch.setattr("photo_anonymizer.methods.subject.look", lambda *_: someone.mesh)
    html = page([Original(someone.rgb, someone.face, "x")], ["mask", "synthetic"], 120)
    assert html.count("data:image/jpeg;base64,") == 3
    assert "shows originals" in html
    assert "http" not in html.replace("data:image", "")


def test_the_patch_under_measurement_is_the_run_s_own() -> None:
    someone = subject(100)
    config = config_for("mask")
    step = ladder(config, "mask")[0]
    own = patch_of(someone.rgb, someone.face, step, config.region.feather, np.random.default_rng(0))
    (made,) = changed([Original(someone.rgb, someone.face, "x")], "mask")
    assert own is not None
    assert np.array_equal(made.patch.pixels, own.pixels)
    assert isinstance(made, Changed)
    assert region_of(someone.face, (220, 220), scale=1.35, feather=0.08, shape="ellipse") is not None
