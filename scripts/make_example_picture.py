"""Makes docs/example.jpg: one portrait and what each method makes of it.

The portrait is NASA's of the astronaut Eileen Collins, in the public domain, as scikit-image ships it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from photo_anonymizer.config import load_config
from photo_anonymizer.detection.stage import faces_of
from photo_anonymizer.methods.ladder import ladder
from photo_anonymizer.methods.stage import patch_of
from photo_anonymizer.model.patch import compose
from photo_anonymizer.residual.clothing_pattern import ClothingPattern

TARGET = Path(__file__).resolve().parents[1] / "docs" / "example.jpg"
SHOWN = {
    "original": {},
    "blur": {"method": "blur"},
    "pixelate": {"method": "pixelate"},
    "mask": {"method": "mask"},
    "mask, icon": {"method": "mask", "mask": {"shape": "icon"}},
    "avatar": {"method": "avatar"},
    "synthetic": {"method": "synthetic"},
    "feature-preserving": {"method": "feature_preserving"},
}
COLUMNS = 4


def main() -> None:
    """Writes the picture."""
    photo = data.astronaut()[:400, 40:400]
    faces = faces_of(photo, load_config({"source": "x"}))
    cue = ClothingPattern(load_config({"source": "x"}).residual.strength)
    cues = [patch for face in faces for patch in cue.patches(photo, face, faces)]
    tiles = []
    for title, values in SHOWN.items():
        shown = photo
        if values:
            config = load_config({"source": "x", **values})
            step = ladder(config, config.chosen_method)[0]
            patches = [patch_of(photo, face, step, config.region.feather, np.random.default_rng(3)) for face in faces]
            shown = compose(photo, [*cues, *(patch for patch in patches if patch)])
        tiles.append(labelled(shown, title))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[start : start + COLUMNS], axis=1) for start in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.concatenate(rows)).save(TARGET, quality=88)


def labelled(picture: np.ndarray, title: str) -> np.ndarray:
    """The picture with a margin and its title below."""
    framed = cv2.copyMakeBorder(picture, 10, 44, 8, 8, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    canvas = Image.fromarray(framed)
    ImageDraw.Draw(canvas).text((12, framed.shape[0] - 36), title, fill=(40, 40, 40), font=ImageFont.load_default(22))
    return np.asarray(canvas)


if __name__ == "__main__":
    main()
