"""A small run through the library's stages, for tests that need one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage import data

from photo_anonymizer.config import RunConfig, load_config
from photo_anonymizer.runfolder import RunFolder
from photo_anonymizer.stages import run_photo_stages, start_run


def located() -> Image.Exif:
    """EXIF with a made-up place."""
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (0.0, 0.0, 0.0)}
    return exif


def small_folder(folder: Path) -> Path:
    """Two photos with a face, one without anybody, one file that is none."""
    folder.mkdir(parents=True)
    astronaut = data.astronaut()
    Image.fromarray(astronaut).save(folder / "Anna Example.jpg", quality=92, exif=located())
    Image.fromarray(np.ascontiguousarray(astronaut[:400, ::-1])).save(folder / "Bert.png")
    Image.fromarray(data.rocket()[:320]).save(folder / "rocket.jpg", quality=90)  # without lamps that look like people
    (folder / "notes.txt").write_text("nobody\n", encoding="utf-8")
    return folder


def small_config(root: Path, **changes: Any) -> RunConfig:
    """A configuration over :func:`small_folder`, made in ``root`` when it is not there."""
    source = root / "photos"
    if not source.exists():
        small_folder(source)
    return load_config({"source": str(source), "out": str(root / "out"), "dataset": "party", **changes})


def rendered_and_attacked(config: RunConfig, run_id: str = "run-1") -> RunFolder:
    """A run up to the stage before measuring."""
    run = start_run(config, run_id)
    run_photo_stages(run)
    return run


def copy_of(prepared: RunFolder, place: Path) -> RunFolder:
    """The same run with a workspace, a vault and releases of its own, so that a fault can be planted in it."""
    root = prepared.path.parents[2]
    shutil.copytree(root, place / "out")
    copy = RunFolder(place / "out" / prepared.path.relative_to(root))
    about = (copy.path / "run.json").read_text(encoding="utf-8")
    (copy.path / "run.json").write_text(about.replace(str(root), str(place / "out")), encoding="utf-8")
    return copy
