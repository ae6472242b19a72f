"""Sample photos, made here from pictures that scikit-image ships.

The only person in them is the astronaut Eileen Collins in NASA's official portrait (public domain).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from photo_anonymizer.files import published_folder
from photo_anonymizer.model.pixels import Pixels

_ORIENTATION, _MAKE, _GPS, _GPS_LATITUDE_REF, _GPS_LATITUDE = 0x0112, 0x010F, 0x8825, 1, 2


def sample_photos(folder: Path) -> Path:
    """Makes the sample photos if they are not there, and returns their folder."""
    if not folder.is_dir():
        from skimage import data

        astronaut, cat, coffee = data.astronaut(), data.chelsea(), data.coffee()
        with published_folder(folder) as made:
            Image.fromarray(astronaut).save(made / "portrait.jpg", quality=92, exif=_located())
            _sideways(astronaut).save(made / "turned by the camera.jpg", quality=92, exif=_located(orientation=6))
            Image.fromarray(_crowd(astronaut, coffee)).save(made / "group.png")
            Image.fromarray(astronaut[:420, 60:400]).save(made / "close.webp", quality=90)
            Image.fromarray(_enlarged(astronaut, 3)).save(made / "large.jpg", quality=90)
            Image.fromarray(cat).save(made / "cat.jpg", quality=92, exif=_located())
            Image.fromarray(coffee).save(made / "coffee.tiff")
            Image.fromarray(astronaut).save(made / "copy of portrait.jpg", quality=92, exif=_located())
            (made / "notes.txt").write_text("not a photo\n", encoding="utf-8")
    return folder


def _located(orientation: int = 1) -> Image.Exif:
    """EXIF as a phone writes it, with a made-up place (0° 0′ N)."""
    exif = Image.Exif()
    exif[_ORIENTATION], exif[_MAKE] = orientation, "sample camera"
    exif[_GPS] = {_GPS_LATITUDE_REF: "N", _GPS_LATITUDE: (0.0, 0.0, 0.0)}
    return exif


def _sideways(upright: Pixels) -> Image.Image:
    """Stored turned, so that only the orientation tag makes it upright."""
    return Image.fromarray(np.ascontiguousarray(np.rot90(upright, 1)))


def _enlarged(picture: Pixels, factor: int) -> Pixels:
    size = picture.shape[1] * factor, picture.shape[0] * factor
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _crowd(person: Pixels, background: Pixels) -> Pixels:
    """The same person small and large, upright, mirrored and tilted, before a background."""
    scene = Image.fromarray(_enlarged(background, 2))
    head = Image.fromarray(person[20:260, 110:330])
    for number, (x, y, side, angle) in enumerate(
        [
            (40, 60, 320, 0),
            (420, 90, 220, -12),
            (700, 40, 150, 10),
            (900, 80, 90, 0),
            (1040, 60, 60, 8),
            (300, 460, 180, 20),
        ]
    ):
        face = head.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else head
        face = face.resize((side, side * 240 // 220), Image.Resampling.LANCZOS)
        oval = Image.new("L", face.size, 0)
        oval.paste(255, (0, 0, *face.size))
        scene.paste(face.rotate(angle, Image.Resampling.BICUBIC), (x, y), oval.rotate(angle))
    return np.asarray(scene)
