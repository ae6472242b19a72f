"""A face in its photo, and what methods may want to know of it, found out once and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from photo_anonymizer.mesh.approximate import approximate_mesh
from photo_anonymizer.mesh.light import Light, fit_light
from photo_anonymizer.mesh.network import Mesh, look
from photo_anonymizer.mesh.pose import Pose, pose_of
from photo_anonymizer.mesh.texture import Plane, Texture, in_colour, normals_of, texture_of, tinted, unrolling
from photo_anonymizer.mesh.topology import Vertices
from photo_anonymizer.methods.region import Region
from photo_anonymizer.methods.surrogate.front import COARSE_PX, dark_hair, lab_of, wears_dark_glasses, wears_glasses
from photo_anonymizer.methods.surrogate.looks import CHEEKS, mean_inside
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels

if TYPE_CHECKING:
    from photo_anonymizer.methods.surrogate.donors import DonorPool

TEXTURE_PX = 256
"""Side of the texture that colours are measured in."""
LIGHT_PX = 64
"""Side of the texture that light is measured and laid on in. It has low frequencies only, and the normals are smoothed
over a 64th of the texture: on a finer grid the faces look the same."""
Place = tuple[slice, slice]
"""Rows and columns of a texture."""
EVERYWHERE: Place = (slice(None), slice(None))
_LEAST = (4.0, 4.0, 4.0, 0.0)
"""Plain skin is taken to be no darker: colours are divided by it."""
GLASSES_UP_TO_YAW_RAD = 0.45
"""Turn of the head up to which frames are told from a nose's shadow: one of 157 faces had glasses drawn without it."""
APPROXIMATE_BELOW_PX = 40
"""Height below which the mean face, laid on the landmarks, will do where the network finds none: nobody sees more."""
SURE_FROM_PX = 32
"""Boxes of this height and more have a mesh; smaller ones rarely a right one (:mod:`photo_anonymizer.mesh.network`)."""


@dataclass(frozen=True)
class Person:
    """Somebody who shall get the same new face in all photos.

    :param seed: chance for that face; a secret.
    :param traits: see :func:`~photo_anonymizer.methods.surrogate.looks.traits_of`.
    """

    seed: int
    traits: tuple[float, ...]


@dataclass(frozen=True)
class OfferedDonors:
    """What a run offers to one face.

    :param pool: the people whose features it may get; ``None``: nobody's.
    :param excluded: rows of the pool that are, or may be, the person who is replaced.
    :param person: who it is, where all faces of a person shall be replaced by the same one.
    """

    pool: DonorPool | None
    excluded: frozenset[int] = frozenset()
    person: Person | None = None


@dataclass(frozen=True)
class Subject:
    """One face of one photo.

    :param rgb: uint8 (H, W, 3), the untouched photo; never written to.
    :param face: where it is.
    :param region: the head's region, inside which all changes stay.
    :param donors: the people whose features this face may get; ``None``: nobody's.
    """

    rgb: Pixels
    face: Face
    region: Region
    donors: OfferedDonors | None = None

    @cached_property
    def mesh(self) -> Mesh:
        """The 468 points and how sure the network is that this is a face (above 0: sure)."""
        found = look(self.rgb, self.face.box, self.face.landmarks)
        if found.logit <= 0 and self.face.box.height < APPROXIMATE_BELOW_PX:
            return Mesh(approximate_mesh(self.face).astype(np.float32), 0.0)
        return found

    @property
    def mesh_is_usable(self) -> bool:
        """Does the mesh lie on the face? Without meaning where it does not."""
        return self.mesh.logit > 0 or self.face.box.height < APPROXIMATE_BELOW_PX

    @property
    def mesh_is_sure(self) -> bool:
        """Has the face the size from which on the mesh can be trusted, and is it one to the network?"""
        return self.face.box.height >= SURE_FROM_PX and self.mesh.logit > 0

    @cached_property
    def pose(self) -> Pose:
        """How the head is turned, by its mesh."""
        return pose_of(self.mesh.points)

    @cached_property
    def texture(self) -> Texture:
        """The face unrolled, float32 (TEXTURE_PX, TEXTURE_PX, 3), 0 to 255."""
        return texture_of(self.rgb, self.mesh.points, TEXTURE_PX)

    @cached_property
    def normals(self) -> Plane:
        """Which way the face's surface looks, unrolled: unit vectors, float32 (LIGHT_PX, LIGHT_PX, 3)."""
        return smooth_normals(self.mesh.points, LIGHT_PX)

    @cached_property
    def shape(self) -> Vertices:
        """The mesh in the mean face's frame: float64 (468, 3), in cm, without place, size and turn."""
        return self.pose.unplaced(self.mesh.points.astype(np.float64))

    @cached_property
    def light(self) -> Light:
        """How the face is lit, in the colours of its skin."""
        inside = np.flatnonzero(unrolling(LIGHT_PX).inside)[::2]  # 1,400 places are enough for nine numbers
        colours = cv2.resize(self.texture, (LIGHT_PX, LIGHT_PX), interpolation=cv2.INTER_AREA)
        is_skin = self.visible * ~dark_hair(lab_of(colours))
        return fit_light(colours.reshape(-1, 3)[inside], self.normals.reshape(-1, 3)[inside], is_skin.ravel()[inside])

    @cached_property
    def visible(self) -> Plane:
        """How much the face's surface looks at the camera, unrolled: float32 (LIGHT_PX, LIGHT_PX), 0 to 1. What looks
        away shows in the texture whatever lies before or beside it."""
        return np.asarray(np.clip(-self.normals[..., 2], 0, 1))

    @cached_property
    def cheeks(self) -> NDArray[np.float64]:
        """Mean colour of the cheeks as far as they look at the camera, (3,), 0 to 255."""
        seen = cv2.resize(self.visible, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_LINEAR)
        return mean_inside(self.texture, CHEEKS, seen)

    @cached_property
    def skin_ahead(self) -> NDArray[np.float64]:
        """Colour of plain skin that looks the way the face looks, (3,), 0 to 255."""
        aside = np.linspace(-0.5, 0.5, 5)
        ahead = np.column_stack([np.sin(aside), np.zeros(5), -np.cos(aside)]) @ self.pose.rotation.T
        return np.asarray(np.maximum(self.light.shading(ahead).mean(axis=0), 1.0), np.float64)

    @cached_property
    def plain_skin(self) -> Texture:
        """What the face would look like if all of it were plain skin: float32 (LIGHT_PX, LIGHT_PX, 3)."""
        return np.maximum(self.light.shading(self.normals), np.float32(0.35 * self.skin_ahead))

    def unlit(self, side_px: int, place: Place = EVERYWHERE) -> Texture:
        """The face's colours without its light, 1 is plain skin, which most of a face is: a part of the texture of that
        side, float32 (rows, columns, 3)."""
        if side_px > TEXTURE_PX:
            texture = texture_of(self.rgb, self.mesh.points, side_px)[place]
        else:
            texture = enlarged(self.texture, side_px, place, cv2.INTER_CUBIC)
        plain = cv2.max(enlarged(self.plain_skin, side_px, place, cv2.INTER_LINEAR), _LEAST)
        return tinted(cv2.divide(texture, plain, dst=plain), 1 / self._usual_unlit)

    @cached_property
    def _usual_unlit(self) -> NDArray[np.float64]:
        """What most of the face is without its light, (3,): 1 if the light was fitted well."""
        colours = cv2.resize(self.texture, (LIGHT_PX, LIGHT_PX), interpolation=cv2.INTER_AREA)
        own = cv2.divide(colours, cv2.max(self.plain_skin, _LEAST)).reshape(-1, 3)[unrolling(LIGHT_PX).some]
        return np.asarray(np.maximum(np.median(own, axis=0), 1e-3))

    @cached_property
    def lab(self) -> Texture:
        """The texture in CIELAB: float32 (COARSE_PX, COARSE_PX, 3)."""
        return lab_of(cv2.resize(self.texture, (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_AREA))

    @cached_property
    def skin_lab(self) -> Texture:
        """The plain skin in CIELAB: float32 (COARSE_PX, COARSE_PX, 3)."""
        return np.asarray(cv2.resize(lab_of(self.plain_skin), (COARSE_PX, COARSE_PX), interpolation=cv2.INTER_LINEAR))

    @cached_property
    def wears_glasses(self) -> bool:
        """Do dark frames of clear glasses cross the face? On a head that is turned far it is the nose's shadow."""
        if self.wears_dark_glasses or abs(self.pose.yaw_rad) >= GLASSES_UP_TO_YAW_RAD:
            return False
        return wears_glasses(self.texture)

    @cached_property
    def wears_dark_glasses(self) -> bool:
        """Are the eyes behind sunglasses?"""
        return wears_dark_glasses(self.lab, self.skin_lab)


def enlarged(picture: Texture, side_px: int, place: Place, how: int) -> Texture:
    """A part of a square picture, (n, n, 3), that is enlarged to that side, OpenCV's way ``how``."""
    if place == EVERYWHERE:
        return np.asarray(cv2.resize(picture, (side_px, side_px), interpolation=how))
    rows, columns = place
    factor = len(picture) / side_px
    back = np.array([[factor, 0, (columns.start + 0.5) * factor - 0.5], [0, factor, (rows.start + 0.5) * factor - 0.5]])
    size = columns.stop - columns.start, rows.stop - rows.start
    shown = cv2.warpAffine(picture, back, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown)


def smooth_normals(points: np.ndarray, side_px: int) -> Plane:
    """Normals of a mesh, unrolled and rid of the triangles' edges: unit vectors, float32 (side, side, 3)."""
    spread = cv2.GaussianBlur(unrolling(side_px).spread(normals_of(points)), (0, 0), side_px / 64)
    length = np.sqrt(np.einsum("ijk,ijk->ij", spread, spread))
    return np.asarray(spread / in_colour(np.maximum(length, np.float32(1e-6))))
