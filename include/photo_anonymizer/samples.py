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

        astronaut = data.astronaut()
        with published_folder(folder) as made:
            Image.fromarray(astronaut).save(made / "portrait.jpg", quality=92, exif=_located())
            _sideways(astronaut).save(made / "turned by the camera.jpg", quality=92, exif=_located(orientation=6))
            Image.fromarray(_group(astronaut)).save(made / "group.png")
            Image.fromarray(astronaut[:420, 60:400]).save(made / "close.webp", quality=90)
            Image.fromarray(_enlarged(astronaut, 3)).save(made / "large.jpg", quality=90)
            Image.fromarray(data.rocket()[:320]).save(made / "rocket.jpg", quality=92, exif=_located())
            Image.fromarray(data.hubble_deep_field()).save(made / "sky.tiff")
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


def _group(person: Pixels) -> Pixels:
    """The same portrait small and large, upright, mirrored and tilted, as prints on a wall."""
    across, down = np.linspace(0, 1, 1200)[np.newaxis, :, np.newaxis], np.linspace(0, 1, 800)[:, np.newaxis, np.newaxis]
    wall = np.array([196, 188, 176]) - 40 * across - 26 * down
    scene = Image.fromarray(np.broadcast_to(wall, (800, 1200, 3)).astype(np.uint8))
    portrait = Image.fromarray(person[10:300, 90:350])
    for number, (x, y, width, angle) in enumerate(
        [
            (60, 60, 380, 0),
            (520, 80, 260, -8),
            (860, 60, 170, 6),
            (1080, 80, 90, 0),
            (1090, 300, 50, 4),
            (560, 430, 280, 14),
        ]
    ):
        shown = portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else portrait
        shown = shown.resize((width, width * 290 // 260), Image.Resampling.LANCZOS)
        turned = shown.rotate(angle, Image.Resampling.BICUBIC, expand=True)
        edge = Image.new("L", shown.size, 255).rotate(angle, Image.Resampling.BICUBIC, expand=True)
        scene.paste(turned, (x, y), edge)
    return np.asarray(scene)
