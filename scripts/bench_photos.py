"""Photos to measure with, made from the one redistributable portrait that scikit-image ships: no two are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data


def make_photos(folder: Path, count: int, size_wh: tuple[int, int] = (1280, 853)) -> Path:
    """``count`` JPEG files of about a megapixel with one to four faces of 60 to 300 px each."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    head = Image.fromarray(data.astronaut()[20:300, 90:350])
    background = Image.fromarray(data.coffee()).resize(size_wh)
    for number in range(count):
        photo = background.copy()
        for _ in range(int(rng.integers(1, 5))):
            side = int(rng.integers(120, 560))
            face = head.resize((side, side * 280 // 260), Image.Resampling.BILINEAR)
            place = int(rng.integers(0, size_wh[0] - side // 2)), int(rng.integers(0, size_wh[1] - side // 2))
            photo.paste(face.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else face, place)
        photo.save(folder / f"{number:05d}.jpg", quality=90)
    return folder
