"""Between a photo and a face's texture: what the mesh covers, unrolled into a square that is the same for every face.

In the square every feature has its fixed place (:func:`~photo_anonymizer.mesh.topology.texture_points`), whatever the
head's turn, size and expression: faces can be mixed, painted and lit there. The mapping is affine in every triangle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from photo_anonymizer.mesh.topology import Triangles, Vertices, mean_shape, texture_points, triangles
from photo_anonymizer.model.geometry import PixelBox
from photo_anonymizer.model.pixels import Pixels

Plane = NDArray[np.float32]
Texture = NDArray[np.float32]
"""float32 (side, side, 3), 0 to 255, RGB; without meaning outside the mesh."""
_DRAWN_PX, _DRAWN_SHARE = (96, 400), 2 / 3
"""Triangles are drawn at two thirds of a box's resolution, but with so many px along its longer side, least and most;
the map in between is smooth, and is enlarged."""


def tinted(texture: Texture, factors: NDArray[np.floating]) -> Texture:
    """A texture times a factor a channel, (3,). NumPy takes ten times as long over so short an axis."""
    return np.asarray(cv2.transform(texture, np.diag(factors).astype(np.float32)))


def in_colour(plane: Plane) -> Texture:
    """The same value for all channels, (h, w, 3): multiplied with a texture three times as fast as (h, w, 1) is."""
    return np.asarray(cv2.merge([plane] * 3))


@dataclass(frozen=True)
class Unrolling:
    """For every pixel of a texture the triangle that it lies in and where.

    :param corners: int32 (side, side, 3), numbers of the triangle's points.
    :param weights: float32 (side, side, 3), barycentric coordinates.
    :param inside: bool (side, side): does the mesh cover this pixel?
    """

    corners: NDArray[np.int32]
    weights: Plane
    inside: NDArray[np.bool_]

    def spread(self, values: NDArray[np.floating]) -> Plane:
        """Values of the points, (468, k), for every pixel of the texture: float32 (side, side, k)."""
        columns = np.ascontiguousarray(values.T, np.float32)
        # One at a time: SciPy takes twice as long over a matrix of a few columns.
        planes = [(self._mixing @ column).reshape(self.inside.shape) for column in columns]
        return np.asarray(cv2.merge(planes)).reshape(*self.inside.shape, -1)

    @cached_property
    def some(self) -> NDArray[np.intp]:
        """Numbers of some 500 pixels that the mesh covers, spread evenly over it: enough for a median."""
        all_ = np.flatnonzero(self.inside)
        return all_[:: max(1, len(all_) // 500) | 1]

    @cached_property
    def _mixing(self) -> csr_array:
        """The weights as a sparse matrix, (side², 468), which multiplies ten times as fast as pixels are looked up."""
        pixels = self.inside.size
        starts = np.arange(0, 3 * pixels + 1, 3, dtype=np.int32)
        points = len(texture_points())
        return csr_array((self.weights.ravel(), self.corners.ravel(), starts), shape=(pixels, points))


@lru_cache(maxsize=8)
def unrolling(side_px: int) -> Unrolling:
    """How a texture of so many pixels a side is laid out."""
    points = texture_points() * side_px
    number = _drawn(points[triangles()], side_px, side_px)
    inside = number >= 0
    # Just outside the outline the nearest triangle goes on, so that interpolation at the edge finds something.
    _, nearest = cv2.distanceTransformWithLabels(
        np.where(inside, 0, 255).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(nearest.max() + 1, np.int32)
    of_label[nearest[inside]] = number[inside]
    number = of_label[nearest]
    columns, rows = np.meshgrid(np.arange(side_px) + 0.5, np.arange(side_px) + 0.5)
    weights = _barycentric(points, number, columns, rows)
    return Unrolling(triangles()[number], weights, inside)


def texture_of(rgb: Pixels, points: NDArray[np.floating], side_px: int) -> Texture:
    """What a photo shows on a mesh, unrolled.

    :param rgb: uint8 (H, W, 3); points beyond it show its border.
    :param points: (468, 2 or 3): x, y in the photo's pixels.
    """
    low = np.floor(points[:, :2].min(axis=0)).astype(int) - 2
    high = np.ceil(points[:, :2].max(axis=0)).astype(int) + 3
    low, high = np.maximum(low, 0), np.minimum(high, rgb.shape[1::-1])
    if (high - low < 1).any():
        return np.zeros((side_px, side_px, 3), np.float32)
    crop = rgb[low[1] : high[1], low[0] : high[0]]
    shrink = min(1.0, 1.5 * side_px / max(high - low))  # or the texture would skip pixels
    if shrink < 1:
        size = np.maximum(1, np.round((high - low) * shrink)).astype(int)
        crop = cv2.resize(crop, size.tolist(), interpolation=cv2.INTER_AREA)
    factor = np.array(crop.shape[1::-1]) / (high - low)
    places = _smooth_map((points[:, :2] - low) * factor - 0.5, side_px)
    shown = cv2.remap(crop.astype(np.float32), places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown)


def _smooth_map(values: NDArray[np.floating], side_px: int) -> Plane:
    """Values of the points for every pixel of a texture, from a grid half as fine, which takes a third of the time."""
    coarse = unrolling(max(1, side_px // 2)).spread(values)
    return np.asarray(cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_LINEAR))


@dataclass(frozen=True)
class Projection:
    """Which place of the texture every pixel of a box shows.

    :param places: float32 (height, width, 2): x, y in the texture, 0 to 1.
    :param covered: float32 (height, width), 0 to 1: how much of the pixel the mesh covers.
    """

    places: Plane
    covered: Plane

    def shown(self, texture: NDArray[np.float32]) -> Plane:
        """A texture, (side, side[, k]), as the box shows it: float32 (height, width[, k])."""
        side = texture.shape[0]
        at = self.places * np.float32(side) - np.float32(0.5)
        return np.asarray(cv2.remap(texture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def projection(points: NDArray[np.floating], box: PixelBox) -> Projection:
    """How a mesh is seen in a box of the photo: of what lies behind each other, the nearest.

    :param points: (468, 3): x, y in the photo's pixels, z smaller where nearer.
    """
    side = max(box.width, box.height)
    scale = min(1.0, min(max(_DRAWN_SHARE * side, _DRAWN_PX[0]), _DRAWN_PX[1]) / side)
    width, height = max(1, round(box.width * scale)), max(1, round(box.height * scale))
    factor = np.array([width / box.width, height / box.height])
    flat = (points[:, :2].astype(np.float64) - (box.x0, box.y0)) * factor
    order = _far_to_near(points, triangles())
    corners = flat[triangles()[order]]
    reach = _reach_into(corners, width, height)
    order, corners = order[reach], corners[reach]
    number = _drawn(corners, width, height)
    covered = (number >= 0).astype(np.float32)
    if not covered.any():
        return Projection(
            np.zeros((box.height, box.width, 2), np.float32), np.zeros((box.height, box.width), np.float32)
        )
    places = _places(corners, texture_points()[triangles()[order]], number)
    if scale < 1:
        size = box.width, box.height
        covered = cv2.resize(covered, size, interpolation=cv2.INTER_LINEAR)
        places = cv2.resize(places, size, interpolation=cv2.INTER_LINEAR)
    return Projection(places, covered)


def normals_of(points: NDArray[np.floating]) -> Vertices:
    """Unit normals of a mesh's points, (468, 3), outwards: z negative towards the camera."""
    corners = points.astype(np.float64)[triangles()]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * _outwards()
    normals = _about_points() @ faces
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9))


@lru_cache(maxsize=1)
def _about_points() -> csr_array:
    """Sums over the triangles about each point: (468, 898), 1 where a point is a corner."""
    corners = triangles()
    numbers = np.repeat(np.arange(len(corners)), 3)
    return csr_array((np.ones(corners.size), (corners.ravel(), numbers)), shape=(len(texture_points()), len(corners)))


@lru_cache(maxsize=1)
def _outwards() -> float:
    """Sign that makes the triangles' normals point out of the face: all are listed in the same sense."""
    corners = mean_shape()[triangles()]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return -1.0 if faces[:, 2].sum() > 0 else 1.0


def _far_to_near(points: NDArray[np.floating], corners: Triangles) -> NDArray[np.int64]:
    """Numbers of the triangles that face the camera, the farthest first."""
    across = points.astype(np.float64)[corners]
    one, two = across[:, 1] - across[:, 0], across[:, 2] - across[:, 0]
    towards = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) * _outwards() < 0
    order = np.argsort(-(across[:, 0, 2] + across[:, 1, 2] + across[:, 2, 2]))
    return order[towards[order]]


def _reach_into(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Which triangles, (n, 3, 2), may be seen in a picture of that size."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]  # NumPy is slow along an axis of three
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    x, y = ((high >= 0) & (low <= (width, height))).T
    return np.asarray(x & y)


def _drawn(corners: NDArray[np.float64], width: int, height: int) -> NDArray[np.int32]:
    """The number of the triangle, of (n, 3, 2), that is seen at every pixel, −1 for none; later ones lie on top."""
    picture = np.full((height, width), -1, np.int32)
    for number, triangle in enumerate(np.round((corners - 0.5) * 16).astype(np.int32)):
        cv2.fillConvexPoly(picture, triangle, number, cv2.LINE_8, 4)
    return picture


def _barycentric(
    points: NDArray[np.float64], number: NDArray[np.int32], columns: NDArray[np.float64], rows: NDArray[np.float64]
) -> Plane:
    """Barycentric coordinates of pixels in their triangles, (…, 3); a little below 0 where it lies just outside."""
    corners = points[triangles()][number]
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    double = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (c[..., 0] - a[..., 0]) * (b[..., 1] - a[..., 1])
    double = np.where(np.abs(double) < 1e-9, 1e-9, double)
    second = ((columns - a[..., 0]) * (c[..., 1] - a[..., 1]) - (c[..., 0] - a[..., 0]) * (rows - a[..., 1])) / double
    third = ((b[..., 0] - a[..., 0]) * (rows - a[..., 1]) - (columns - a[..., 0]) * (b[..., 1] - a[..., 1])) / double
    return np.stack([1 - second - third, second, third], axis=-1).astype(np.float32)


def _places(corners: NDArray[np.float64], sources: NDArray[np.float64], number: NDArray[np.int32]) -> Plane:
    """Texture coordinates of every pixel, (height, width, 2), of triangles, (n, 3, 2) in px, that come from these in
    the texture; beside the mesh those of the nearest pixel on it."""
    height, width = number.shape
    x = (np.arange(width, dtype=np.float32) + np.float32(0.5))[np.newaxis, :]
    y = (np.arange(height, dtype=np.float32) + np.float32(0.5))[:, np.newaxis]
    own = np.maximum(number, 0).astype(np.intp)
    planes = []
    # Plane by plane: short tables are looked up faster than one of many columns.
    for (by_x, by_y, at_0), source in zip(_affine_maps(corners, sources), sources.astype(np.float32).T, strict=True):
        place = x * np.take(by_x, own) + y * np.take(by_y, own) + np.take(at_0, own)
        # A triangle seen from its side is narrower than the pixels that it is drawn on.
        cv2.max(place, np.take(source.min(axis=0), own), dst=place)
        cv2.min(place, np.take(source.max(axis=0), own), dst=place)
        planes.append(place)
    places = cv2.merge(planes)
    on, beside = np.flatnonzero(number >= 0), np.flatnonzero(number < 0)
    if beside.size:
        _, labels = cv2.distanceTransformWithLabels(
            (number < 0).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
        )
        pixel = np.zeros(labels.max() + 1, np.intp)
        pixel[labels.ravel()[on]] = on
        flat_places = places.reshape(-1, 2)
        flat_places[beside] = flat_places[pixel[labels.ravel()[beside]]]
    return np.asarray(places, np.float32)


def _affine_maps(target: NDArray[np.float64], source: NDArray[np.float64]) -> NDArray[np.float32]:
    """What takes every triangle, (n, 3, 2), to the one that it came from: float32 (2, 3, n), for x and y of the source
    what to multiply the target's x, its y and 1 by."""
    a, b, c = target[:, 0], target[:, 1] - target[:, 0], target[:, 2] - target[:, 0]
    one, two = source[:, 1] - source[:, 0], source[:, 2] - source[:, 0]
    double = b[:, :1] * c[:, 1:] - c[:, :1] * b[:, 1:]
    double = np.where(np.abs(double) < 1e-6, np.inf, double)  # seen from the side: all of it shows its first corner
    by_x = (one * c[:, 1:] - two * b[:, 1:]) / double
    by_y = (two * b[:, :1] - one * c[:, :1]) / double
    at_0 = source[:, 0] - by_x * a[:, :1] - by_y * a[:, 1:]
    return np.stack([by_x.T, by_y.T, at_0.T], axis=1).astype(np.float32)
