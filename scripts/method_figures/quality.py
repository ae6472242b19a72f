"""Figures of one changed face beside its original. Pure functions; nan where something cannot be measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab

from method_figures.subjects import Changed
from photo_anonymizer.detection.protocol import Detection, Detector
from photo_anonymizer.mesh.light import angle_rad
from photo_anonymizer.mesh.network import Mesh, look
from photo_anonymizer.mesh.pose import pose_of
from photo_anonymizer.mesh.topology import (
    INNER_LIP_PAIRS,
    OUTER_LIPS,
    five_points,
)
from photo_anonymizer.methods.subject import Subject
from photo_anonymizer.methods.surrogate.looks import typology_angle_deg
from photo_anonymizer.methods.surrogate.shape import eyes_open
from photo_anonymizer.model.face import Face, estimated_landmarks
from photo_anonymizer.model.geometry import intersection_over_union
from photo_anonymizer.model.pixels import Alpha, Pixels

SAME_PLACE_IOU = 0.4
LANDMARKS_BY = "retinaface"
CHEEKS = ((50, 36, 205, 187, 123), (280, 266, 425, 411, 352))


@dataclass(frozen=True)
class Quality:
    """One face; lengths in inter-ocular distances, angles in degrees."""

    yaw_off: float
    pitch_off: float
    roll_off: float
    landmarks_off: float
    """By the face mesh, which synthetic faces are drawn with."""
    detector_landmarks_off: float
    """By RetinaFace, which has no part in the drawing."""
    mouth_before: float
    mouth_after: float
    eyes_before: float
    eyes_after: float
    delta_e: float
    light_off: float
    seam: float
    found: dict[str, bool]
    typology_deg: float
    paint_ms: float


def quality(made: Changed, detectors: dict[str, Detector]) -> Quality:
    """All figures of one changed face."""
    original = made.original
    before = original.subject()
    after = Subject(made.rgb, original.face, before.region)
    meshes = before.mesh, look(made.rgb, original.face.box, original.face.landmarks)
    known = min(mesh.logit for mesh in meshes) > 0
    turns = turned(*meshes) if known else (math.nan,) * 3
    seen = {name: detector.detect(made.rgb) for name, detector in detectors.items()}
    place = made.patch.region.slices
    openings = [opening(mesh) for mesh in meshes] if known else [(math.nan,) * 2] * 2
    return Quality(
        *turns,
        landmarks_off=landmarks_off(*(five_points(mesh.points) for mesh in meshes)) if known else math.nan,
        detector_landmarks_off=detector_landmarks_off(original.face, seen.get(LANDMARKS_BY, [])),
        mouth_before=openings[0][0],
        mouth_after=openings[1][0],
        eyes_before=openings[0][1],
        eyes_after=openings[1][1],
        delta_e=cheeks_apart(original.rgb, made.rgb, before.mesh),
        light_off=math.degrees(angle_rad(before.light, after.light)) if known else math.nan,
        seam=seam(original.rgb[place], made.rgb[place], made.patch.alpha),
        found={
            name: any(intersection_over_union(item.box, original.face.box) >= SAME_PLACE_IOU for item in items)
            for name, items in seen.items()
        },
        typology_deg=typology_angle_deg(cheek_colour(original.rgb, before.mesh)),
        paint_ms=1000 * made.paint_s,
    )


def turned(before: Mesh, after: Mesh) -> tuple[float, float, float]:
    """How far yaw, pitch and roll are off, in degrees."""
    one, two = pose_of(before.points), pose_of(after.points)
    pairs = ((one.yaw_rad, two.yaw_rad), (one.pitch_rad, two.pitch_rad), (one.roll_rad, two.roll_rad))
    yaw, pitch, roll = (abs(math.degrees(math.remainder(a - b, math.tau))) for a, b in pairs)
    return yaw, pitch, roll


def landmarks_off(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """Mean distance of the five points, (5, 2), in inter-ocular distances of the original."""
    between = max(float(np.linalg.norm(before[1] - before[0])), 1e-6)
    return float(np.linalg.norm(before - after, axis=1).mean() / between)


def detector_landmarks_off(face: Face, seen: Sequence[Detection]) -> float:
    """The same for a detector's landmarks, if it found both faces and gave some."""
    if face.landmarks == estimated_landmarks(face.box):
        return math.nan
    own = np.array(face.landmarks.points)
    nearest, overlap = math.nan, SAME_PLACE_IOU
    for item in seen:
        shared = intersection_over_union(item.box, face.box)
        if item.landmarks and shared >= overlap:
            nearest, overlap = landmarks_off(own, np.array(item.landmarks.points)), shared
    return nearest


def opening(mesh: Mesh) -> tuple[float, float]:
    """How far mouth and eyes are open, relative to their widths."""
    points = mesh.points.astype(np.float64)

    def gap(pairs: tuple[tuple[int, int], ...]) -> float:
        return float(np.mean([np.linalg.norm(points[low] - points[up]) for up, low in pairs]))

    def width(one: int, other: int) -> float:
        return max(float(np.linalg.norm(points[one] - points[other])), 1e-6)

    return gap(INNER_LIP_PAIRS) / width(OUTER_LIPS[0], OUTER_LIPS[10]), eyes_open(mesh.points)


def cheek_colour(rgb: Pixels, mesh: Mesh) -> NDArray[np.float64]:
    """Mean colour of both cheeks, (3,), 0 to 255."""
    mask = np.zeros(rgb.shape[:2], np.uint8)
    for loop in CHEEKS:
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(mesh.points[list(loop), :2]).astype(np.int32)), 1)
    inside = rgb[mask > 0]
    return np.asarray(inside.mean(axis=0) if len(inside) else np.zeros(3), np.float64)


def cheeks_apart(before: Pixels, after: Pixels, mesh: Mesh) -> float:
    """CIE ΔE2000 between the cheeks' mean colours."""
    one, two = (rgb2lab(cheek_colour(rgb, mesh) / 255) for rgb in (before, after))
    return float(deltaE_ciede2000(one, two))


def seam(before: Pixels, after: Pixels, alpha: Alpha) -> float:
    """Gradient along the mask's edge, relative to that of the same contour in the original."""
    mask = (alpha > 127).astype(np.uint8)
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    if not edge.any():
        return math.nan
    one, two = (_gradient(rgb)[edge].mean() for rgb in (before, after))
    return float(two / max(one, 1e-6))


def _gradient(rgb: Pixels) -> NDArray[np.float32]:
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))


NUMBERS = tuple(field.name for field in fields(Quality) if field.name != "found")
