"""A face in its photo, and what methods may want to know of it, found out once and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from photo_anonymizer.mesh.light import Light, fit_light
from photo_anonymizer.mesh.network import Mesh, look
from photo_anonymizer.mesh.pose import Pose, pose_of
from photo_anonymizer.mesh.texture import Texture, normals_of, texture_of, unrolling
from photo_anonymizer.methods.region import Region
from photo_anonymizer.model.face import Face
from photo_anonymizer.model.pixels import Pixels

TEXTURE_PX = 256
"""Side of the texture that lighting and colour are measured in."""
SURE_FROM_PX = 32
"""Boxes of this height and more have a mesh; smaller ones rarely a right one (:mod:`photo_anonymizer.mesh.network`)."""
_EVERY = 7
"""Lighting has nine numbers a channel; every seventh pixel of the texture settles them as well as all do."""


@dataclass(frozen=True)
class Subject:
    """One face of one photo.

    :param rgb: uint8 (H, W, 3), the untouched photo; never written to.
    :param face: where it is.
    :param region: the head's region, inside which all changes stay.
    """

    rgb: Pixels
    face: Face
    region: Region

    @cached_property
    def mesh(self) -> Mesh:
        """The 468 points and how sure the network is that this is a face; without meaning where it is not sure."""
        return look(self.rgb, self.face.box, self.face.landmarks)

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
    def light(self) -> Light:
        """How the face is lit, in the colours of its skin."""
        layout = unrolling(TEXTURE_PX)
        normals = layout.spread(normals_of(self.mesh.points))
        return fit_light(self.texture[layout.inside][::_EVERY], normals[layout.inside][::_EVERY])
