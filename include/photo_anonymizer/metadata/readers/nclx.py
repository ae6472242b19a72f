"""ICC profiles made from colour numbers: how HEIF and AVIF name a colour space without a profile.

Sources: ITU-T H.273 tables 2 (primaries) and 3 (transfer), ITU-R BT.2100 table 4 (PQ) and 5 (HLG), ITU-R BT.2408
section 2 (203 cd/m² and 75 % HLG are white), ICC.1:2022 sections 7, 9 and 10, Bradford adaptation as in its Annex E.

Pictures brighter than white are cut off at white: a release holds 8 bit a channel. Nothing is made for primaries
that no camera uses for photos; the values then count as sRGB, as most viewers take them.
"""

from __future__ import annotations

import struct
from functools import cache

import numpy as np
from numpy.typing import NDArray

_D65 = (0.3127, 0.3290)
_D50_XYZ = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709, sRGB
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),  # BT.601, 625 lines
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),  # BT.601, 525 lines
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),  # SMPTE 240M
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
"""(x, y) of red, green and blue; white is D65 in all of them."""
_SRGB, _PQ, _HLG = 13, 16, 18
_AS_SRGB = frozenset({0, 1, 2, 6, 14, 15})
"""Unspecified, and the camera curve of BT.709 that viewers show with the curve of sRGB."""
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_STEPS = 4096


@cache
def profile(primaries: int, transfer: int) -> bytes:
    """An ICC version 4 profile; empty for sRGB and for what is taken as sRGB.

    :param primaries: ``colour_primaries``, 0 to 65535.
    :param transfer: ``transfer_characteristics``, 0 to 255.
    """
    corners = _PRIMARIES.get(primaries, _PRIMARIES[1])
    curve = _SRGB if transfer in _AS_SRGB else transfer
    if curve not in (_SRGB, _PQ, _HLG, *_GAMMAS) or (corners == _PRIMARIES[1] and curve == _SRGB):
        return b"" if corners == _PRIMARIES[1] else _profile(corners, _SRGB)
    return _profile(corners, curve)


def _profile(corners: tuple[tuple[float, float], ...], curve: int) -> bytes:
    columns = _matrix(corners).T
    colours = [b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in column) for column in columns]
    values = np.clip(np.rint(_light(curve) * 65535), 0, 65535).astype(">u2").tobytes()
    tone = b"curv\0\0\0\0" + struct.pack(">I", _STEPS) + values
    white = b"XYZ \0\0\0\0" + b"".join(_fixed(value) for value in _D50_XYZ)
    tags = {b"wtpt": white, b"rXYZ": colours[0], b"gXYZ": colours[1], b"bXYZ": colours[2], b"rTRC": tone}
    tags |= {b"gTRC": tone, b"bTRC": tone}
    return _assembled(tags)


def _light(curve: int) -> NDArray[np.float64]:
    """Light for each of 4096 evenly spaced values from 0 to 1; 1 is white, more is possible."""
    value = np.linspace(0, 1, _STEPS)
    if curve == _PQ:
        power = value ** (1 / 78.84375)
        nits = 10_000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125)
        return np.asarray(nits / 203)
    if curve == _HLG:
        scene = np.where(value <= 0.5, value**2 / 3, (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)
        white = (np.exp((0.75 - 0.55991073) / 0.17883277) + 0.28466892) / 12
        return np.asarray((scene / white) ** 1.2)
    if curve == _SRGB:
        return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.asarray(value ** _GAMMAS[curve])


def _matrix(corners: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    """Linear RGB to XYZ under D50 (3 × 3)."""
    colours = np.array([_xyz(*corner) for corner in corners]).T
    white = np.array(_xyz(*_D65))
    scaled = colours * np.linalg.solve(colours, white)
    cones = (_BRADFORD @ np.array(_D50_XYZ)) / (_BRADFORD @ white)
    return np.asarray(np.linalg.inv(_BRADFORD) @ np.diag(cones) @ _BRADFORD @ scaled)


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _fixed(value: float) -> bytes:
    """s15Fixed16Number (ICC.1 section 4.6)."""
    return struct.pack(">i", round(value * 65536))


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = [struct.pack(">I", len(tags))], []
    for name, content in tags.items():
        table.append(struct.pack(">4sII", name, at, len(content)))
        padded = content + bytes(-len(content) % 4)
        body.append(padded)
        at += len(padded)
    illuminant = b"".join(_fixed(value) for value in _D50_XYZ)
    head = struct.pack(">I4xI4s4s4s12x4s28x", at, 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp") + illuminant
    return b"".join([head.ljust(128, b"\0"), *table, *body])
