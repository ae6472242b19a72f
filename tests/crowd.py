"""A crowd for tests: a hundred drawn people on four photos, told apart by a small recogniser, and faults in a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.imagefile import load
from photo_anonymizer.model.patch import Patch, load_patches, save_patches
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import ANONYMIZE, DETECT, EMBED, RENDER, run_shard_stage
from recognisercases import cells, described

PEOPLE, ACROSS, SIDE_PX, GAP_PX = 100, 5, 64, 32
EACH = ACROSS**2
"""People on one photo."""

Change = Callable[[int, Patch, Pixels], Patch]
"""(number of the face in the run, its patch, the original photo) → the patch that is planted."""


def person(number: int) -> Pixels:
    """Somebody's face: uint8 (64, 64, 3), the same left and right but for its grain, as faces are."""
    rng = np.random.default_rng(number)
    half = rng.uniform(30, 225, (4, 2, 3)).astype(np.float32)
    whole = np.concatenate([half, half[:, ::-1]], axis=1)
    places = cv2.resize(whole, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_CUBIC)
    return np.clip(places + rng.normal(0, 12, places.shape), 0, 255).astype(np.uint8)


def crowd(root: Path, **changes: Any) -> RunConfig:
    """The photos, where the faces are on them, a recogniser that sees 4 × 4 cells, and a configuration over these."""
    photos, models = root / "photos", root / "models"
    photos.mkdir(parents=True)
    models.mkdir()
    step = SIDE_PX + GAP_PX
    rows = ["file,x,y,width,height"]
    for photo in range(PEOPLE // EACH):
        rgb = np.full((step * ACROSS + GAP_PX, step * ACROSS + GAP_PX, 3), 128, np.uint8)
        for place in range(EACH):
            x, y = GAP_PX + step * (place % ACROSS), GAP_PX + step * (place // ACROSS)
            rgb[y : y + SIDE_PX, x : x + SIDE_PX] = person(photo * EACH + place)
            rows.append(f"crowd{photo}.png,{x},{y},{SIDE_PX},{SIDE_PX}")
        Image.fromarray(rgb).save(photos / f"crowd{photo}.png")
    (root / "faces.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    own = described(models, cells(), threshold=0.7, mean=[127.5] * 3)
    detection = {
        "detectors": "retinaface",
        "effort": "fast",
        "person_without_face": "release",
        "given_boxes": str(root / "faces.csv"),
    }
    reid = {"recognisers": "lbp", "user_recognisers": str(own), **changes.pop("reid", {})}
    return load_config(
        {
            "source": str(photos),
            "out": str(root / "out"),
            "dataset": "crowd",
            "method": "mask",
            "detection": detection,
            "residual": {"enabled": "off"},
            "reid": reid,
            **changes,
        }
    )


def plant(run: RunFolder, change: Change) -> None:
    """Exchanges the faces' patches, as a faulty method would have made them."""
    originals = {record.photo_id: record.file for record in run.all_records(DETECT)}
    number = 0
    for record in run.all_records(ANONYMIZE):
        rgb = load(run.path / originals[record.photo_id])
        for name in record.patches:
            changed = []
            for patch in load_patches(run.path / name):
                changed.append(change(number, patch, rgb))
                number += 1
            save_patches(run.path / name, changed)


def rendered_anew(run: RunFolder) -> None:
    """The stages behind the patches once more."""
    for stage in (RENDER, EMBED):
        for shard in run.shards(stage):
            shutil.rmtree(run.stage(stage, shard))
            run_shard_stage(run, stage, shard)
