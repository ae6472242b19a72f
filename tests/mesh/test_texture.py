"""Unrolling a face and rolling it back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from meshes import turned_mesh
from photo_anonymizer.mesh.texture import in_colour, normals_of, projection, texture_of, tinted, unrolling
from photo_anonymizer.mesh.topology import LEFT_EYE, mean_shape, texture_points, triangles
from photo_anonymizer.model.geometry import PixelBox

SIDE = 128


def gradient(width: int = 300, height: int = 300) -> np.ndarray:
    """A picture whose red grows to the right and whose green grows downwards."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width)[np.newaxis]
    picture[..., 1] = np.linspace(0, 255, height)[:, np.newaxis]
    return picture


def test_every_point_is_unrolled_to_its_place() -> None:
    points = turned_mesh(0.2, 0.1, 0.3, 14, (150, 150))
    shown = texture_of(gradient(), points, SIDE)
    at = texture_points()[list(LEFT_EYE)] * SIDE - 0.5
    columns, rows = np.round(at).astype(int).T
    wanted = points[list(LEFT_EYE), :2] / 300 * 255
    assert shown[rows, columns, :2] == pytest.approx(wanted, abs=4)


def test_what_is_rolled_back_is_the_photo() -> None:
    photo = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8), (0, 0), 6)
    points, box = turned_mesh(0.15, -0.1, 0.2, 14, (150, 150)), PixelBox(x0=30, y0=30, x1=280, y1=280)
    seen = projection(points, box)
    back = seen.shown(texture_of(photo, points, 256))
    inner = cv2.erode(seen.covered, np.ones((5, 5))) > 0
    assert inner.sum() > 10_000
    assert np.abs(back - photo[box.slices])[inner].mean() < 2


def test_of_two_layers_the_nearer_one_is_seen() -> None:
    """From the side the nose hides a part of the far cheek."""
    points = turned_mesh(0.9, 0, 0, 14, (150, 150))
    seen = projection(points, PixelBox(x0=0, y0=0, x1=300, y1=300))
    shade = np.zeros((64, 64), np.float32)
    shade[:, 32:] = 1  # the half of the face that turned away lies on the right
    right = seen.shown(shade)[seen.covered > 0.5].mean()
    front = projection(turned_mesh(0, 0, 0, 14, (150, 150)), PixelBox(x0=0, y0=0, x1=300, y1=300))
    assert right < 0.35 < front.shown(shade)[front.covered > 0.5].mean()


def test_a_part_of_a_face_is_seen_as_in_the_whole() -> None:
    points = turned_mesh(0.5, 0.1, 0.2, 4.2, (45, 45))
    whole = projection(points, PixelBox(x0=0, y0=0, x1=90, y1=90))
    box = PixelBox(x0=36, y0=27, x1=54, y1=45)
    part = projection(points, box)
    assert np.array_equal(part.covered, whole.covered[box.slices])
    assert part.covered.all()
    assert part.places == pytest.approx(whole.places[box.slices], abs=1e-3)


def test_a_large_face_is_seen_like_the_small_one_that_it_is_enlarged_from() -> None:
    """Triangles are drawn coarsely; places are off by less than two pixels of the photo."""
    large = projection(turned_mesh(0.3, 0.1, 0.2, 28, (300, 300)), PixelBox(x0=0, y0=0, x1=600, y1=600))
    exact = np.zeros((600, 600, 2), np.float32)
    for x0 in range(0, 600, 75):
        for y0 in range(0, 600, 75):
            box = PixelBox(x0=x0, y0=y0, x1=x0 + 75, y1=y0 + 75)
            exact[box.slices] = projection(turned_mesh(0.3, 0.1, 0.2, 28, (300, 300)), box).places
    inner = cv2.erode(large.covered, np.ones((9, 9))) > 0
    off_px = np.linalg.norm(large.places - exact, axis=2)[inner] * 15 * 28  # a texture is some 15 cm wide
    assert np.percentile(off_px, 99) < 2


def test_a_pixel_shows_a_place_of_a_triangle_that_it_touches() -> None:
    """Triangles that are seen from their side are narrower than a pixel, and show nothing that lies beyond them."""
    points = turned_mesh(0.7, -0.3, 0, 4.4, (48, 48))
    seen = projection(points, PixelBox(x0=0, y0=0, x1=96, y1=96))
    corners, sources = points[triangles(), :2], texture_points()[triangles()]
    for row, column in np.argwhere(seen.covered > 0)[::5]:
        pixel = np.array([column, row]) + 0.5
        touched = ((corners.min(axis=1) <= pixel + 1) & (corners.max(axis=1) >= pixel - 1)).all(axis=1)
        place = seen.places[row, column]
        within = (sources.min(axis=1) <= place + 1e-5) & (sources.max(axis=1) >= place - 1e-5)
        assert within[touched].all(axis=1).any()


def test_a_mesh_beside_the_box_covers_nothing() -> None:
    seen = projection(turned_mesh(0, 0, 0, 5, (500, 500)), PixelBox(x0=0, y0=0, x1=40, y1=30))
    assert not seen.covered.any()
    assert seen.shown(np.zeros((16, 16, 3), np.float32)).shape == (30, 40, 3)


def test_a_mesh_beside_the_photo_unrolls_to_something_of_the_right_shape() -> None:
    assert texture_of(gradient(40, 40), turned_mesh(0, 0, 0, 5, (500, 500)), 32).shape == (32, 32, 3)


def test_a_large_face_is_not_aliased() -> None:
    """Stripes of one pixel become their mean, not a moiré."""
    stripes = np.zeros((1600, 1600, 3), np.uint8)
    stripes[:, ::2] = 255
    shown = texture_of(stripes, turned_mesh(0, 0, 0, 80, (800, 800)), 64)
    inside = cv2.erode(unrolling(64).inside.astype(np.uint8), np.ones((3, 3))) > 0
    assert shown[inside].std() < 20


def test_normals_point_out_of_the_face() -> None:
    normals, shape = normals_of(mean_shape()), mean_shape()
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1)
    assert normals[4, 2] < -0.5  # the tip of the nose, towards the camera
    outwards = np.sign(normals[[234, 454], 0])
    assert np.array_equal(outwards, np.sign(shape[[234, 454], 0]))  # the cheeks, to their sides


def test_spreading_gives_every_point_its_value_back() -> None:
    layout = unrolling(256)
    places = layout.spread(texture_points())
    columns, rows = np.meshgrid((np.arange(256) + 0.5) / 256, (np.arange(256) + 0.5) / 256)
    assert places[layout.inside] == pytest.approx(np.stack([columns, rows], -1)[layout.inside], abs=2e-3)


def test_tinting_and_colouring_are_products_and_copies() -> None:
    texture = np.random.default_rng(3).random((5, 7, 3), dtype=np.float32)
    factors = np.array([0.5, 1.0, 2.0])
    assert tinted(texture, factors) == pytest.approx(texture * factors, rel=1e-6)
    assert np.array_equal(in_colour(texture[..., 0].copy()), np.repeat(texture[..., :1], 3, axis=2))
