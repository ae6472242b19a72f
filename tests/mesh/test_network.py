"""The face mesh confirms faces and doubts what is none, and its points lie on the face in the photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from faces import noise_picture
from photo_anonymizer.mesh import network as second_look
from photo_anonymizer.mesh.network import crop_matrix, cut, in_photo, mesh, mesh_logit
from photo_anonymizer.model.face import Landmarks
from photo_anonymizer.model.geometry import Box

BOX = Box(x0=179, y0=57, x1=271, y1=178)
EYES = {"left_eye": (203.0, 100.0), "right_eye": (246.0, 101.0)}
MARKS = Landmarks(**EYES, nose=(224, 130), left_mouth=(202, 139), right_mouth=(245, 139))
# Corners of eyes and mouth in MediaPipe's canonical face model, as seen in the picture.
LEFT_EYE, RIGHT_EYE, NOSE_TIP, LEFT_MOUTH, RIGHT_MOUTH = [33, 133], [362, 263], 1, 61, 291


def test_a_face_is_confirmed(astronaut) -> None:
    assert mesh_logit(astronaut, BOX, MARKS) > 20


def test_without_landmarks_an_upright_face_is_confirmed_too(astronaut) -> None:
    assert mesh_logit(astronaut, BOX, None) > 20


@pytest.mark.parametrize("corner", [(20, 200), (330, 330), (380, 20)])
def test_what_is_no_face_is_doubted(astronaut, corner: tuple[int, int]) -> None:
    x, y = corner
    assert mesh_logit(astronaut, Box(x0=x, y0=y, x1=x + 92, y1=y + 121), None) < 0


def test_noise_is_doubted() -> None:
    assert mesh_logit(noise_picture(200, 200), Box(x0=50, y0=50, x1=150, y1=150), None) < 0


def test_a_face_upside_down_is_confirmed_only_with_its_landmarks(astronaut) -> None:
    def turned(point: tuple[float, float]) -> tuple[float, float]:
        return 511 - point[0], 511 - point[1]

    picture = np.ascontiguousarray(astronaut[::-1, ::-1])
    box = Box(x0=512 - BOX.x1, y0=512 - BOX.y1, x1=512 - BOX.x0, y1=512 - BOX.y0)
    marks = Landmarks(**{name: turned(point) for name, point in MARKS.model_dump().items()})
    assert mesh_logit(picture, box, marks) > 20
    assert mesh_logit(picture, box, None) < 10


def test_the_points_lie_on_eyes_nose_and_mouth(astronaut) -> None:
    points = mesh(astronaut, BOX, MARKS)[:, :2]
    seen = [points[LEFT_EYE].mean(0), points[RIGHT_EYE].mean(0), points[NOSE_TIP], points[LEFT_MOUTH]]
    seen.append(points[RIGHT_MOUTH])
    assert np.linalg.norm(np.array(seen) - np.array(MARKS.points), axis=1).max() < 8


def test_there_are_468_points_with_a_depth_and_the_nose_is_nearest(astronaut) -> None:
    points = mesh(astronaut, BOX, MARKS)
    assert points.shape == (468, 3)
    assert points.dtype == np.float32
    assert points[NOSE_TIP, 2] < np.percentile(points[:, 2], 10)


@pytest.mark.parametrize("height", [16, 40, 190, 400])
@pytest.mark.parametrize("roll_rad", [0.0, 0.5])
def test_a_place_in_the_square_is_the_same_place_in_the_photo(height: int, roll_rad: float) -> None:
    """Half a pixel, as OpenCV counts from the pixels' middles, is a fiftieth of the eyes' distance in a small face."""
    spot = np.floor([300 + 0.1 * height, 300 - 0.3 * height]) + 0.5  # the middle of a pixel
    down, across = np.mgrid[:600, :600] + 0.5
    away = np.hypot(across - spot[0], down - spot[1])
    picture = np.repeat((255 * np.exp(-((away / (0.04 * height + 1)) ** 2))).astype(np.uint8)[..., None], 3, axis=2)
    matrix = crop_matrix(
        Box(x0=300 - height / 2, y0=300 - height / 2, x1=300 + height / 2, y1=300 + height / 2), roll_rad
    )
    seen = cut(picture, matrix)[..., 0].astype(float)
    rows, columns = np.mgrid[:192, :192] + 0.5
    middle = np.array([[(seen * columns).sum() / seen.sum(), (seen * rows).sum() / seen.sum(), 0]], np.float32)
    assert np.linalg.norm(in_photo(middle, matrix)[0, :2] - spot) < 0.05 + 0.001 * height


@pytest.mark.parametrize("scale", [0.5, 6.0])
def test_points_and_logit_follow_the_size_of_the_picture(astronaut, scale: float) -> None:
    side = round(512 * scale)
    picture = cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    box = Box(**{name: value * scale for name, value in BOX.model_dump().items()})
    assert mesh_logit(picture, box, None) > 20
    distances = np.linalg.norm(mesh(picture, box, None) / scale - mesh(astronaut, BOX, None), axis=1)
    assert np.median(distances) < 2


def test_a_face_at_the_edge_of_the_photo_is_looked_at_with_black_beyond(astronaut) -> None:
    cropped = np.ascontiguousarray(astronaut[60:, 180:])
    box = Box(x0=BOX.x0 - 180, y0=BOX.y0 - 60, x1=BOX.x1 - 180, y1=BOX.y1 - 60)
    assert mesh_logit(cropped, box, None) > 0
    assert not cut(cropped, crop_matrix(box, 0)).reshape(192, 192, 3)[:, :10].any()


def test_a_box_outside_the_photo_is_doubted() -> None:
    assert mesh_logit(noise_picture(30, 30), Box(x0=500, y0=500, x1=600, y1=600), None) < 0


@pytest.mark.parametrize("size", [(1, 1), (3, 2)])
def test_tiny_pictures_are_looked_at_without_error(size: tuple[int, int]) -> None:
    assert np.isfinite(mesh_logit(noise_picture(*size), Box(x0=0, y0=0, x1=1, y1=1), None))


@pytest.mark.parametrize("roll", [0.0, 0.7, -2.5])
def test_points_come_back_to_where_the_crop_was_taken(roll: float) -> None:
    matrix = crop_matrix(BOX, roll)
    photo = np.array([[200, 90], [260, 170]], float)
    crop = photo @ matrix[:, :2].T + matrix[:, 2]
    back = in_photo(np.column_stack([crop, [0, 0]]).astype(np.float32), matrix)
    assert back[:, :2] == pytest.approx(photo, abs=1e-3)


def test_the_middle_of_the_box_is_the_middle_of_the_crop() -> None:
    matrix = crop_matrix(BOX, 0.4)
    assert matrix[:, :2] @ np.array(BOX.centre) + matrix[:, 2] == pytest.approx([second_look.SIDE_PX / 2] * 2)
