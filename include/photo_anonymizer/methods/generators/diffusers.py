"""An inpainting pipeline of the package diffusers, from a local folder; nothing is downloaded.

Any folder that ``AutoPipelineForInpainting`` loads (Stable Diffusion, SDXL, Flux and others, with or without
ControlNet), if its weights are safetensors: other weights are pickles, which run what they like. A pipeline with a
ControlNet is shown the face mesh as the drawing that CrucibleAI's ControlNetMediaPipeFace was trained on; others know
the head's turn from the picture around it and from the word ``{pose}`` in the prompt.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from photo_anonymizer.errors import ConfigError, ModelError
from photo_anonymizer.mesh.topology import INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, OVAL, RIGHT_BROW, RIGHT_EYE
from photo_anonymizer.methods.generators._description import Description
from photo_anonymizer.methods.generators.protocol import Canvas, Scene
from photo_anonymizer.methods.generators.scene import trial_scene
from photo_anonymizer.model.pixels import Pixels
from photo_anonymizer.modelfile import read_described

PACKAGES = ("diffusers", "torch", "transformers")
"""What must be installed; this project does not."""
_TRIAL_STEPS = 2
_TURNED_RAD = 0.2


class DiffusersDescription(Description):
    """A user's folder with an inpainting pipeline. Its ``sha256`` is that of :func:`folder_sha256`."""

    prompt: str = Field(
        "photo of the face of an ordinary person, {pose}",
        description="What is asked for; {pose} becomes words for the head's turn.",
    )
    negative_prompt: str = ""
    steps: int = Field(30, ge=1, le=200, description="Denoising steps.")
    guidance: float = Field(7.5, ge=0, le=50, description="How closely the prompt is followed.")


class Diffusers:
    """One described pipeline, on the processor."""

    name = "diffusers"

    def __init__(self, description: Path) -> None:
        """See :class:`~photo_anonymizer.methods.generators.protocol.Generator`."""
        check_packages()
        self._described = read_described(description, DiffusersDescription, "a generator")
        self.sha256 = self._described.sha256
        self.side_px, self.margin = self._described.size_px, self._described.margin
        _verify(self._described)
        self._pipeline = _pipeline(self._described.path)
        self._takes = set(inspect.signature(self._pipeline.__call__).parameters)
        self._lock = Lock()  # a pipeline's scheduler counts its own steps
        try:
            scene = trial_scene(self.side_px, self.margin)
            self._made(scene, np.random.default_rng(0), min(self._described.steps, _TRIAL_STEPS))
        except Exception as error:  # noqa: BLE001 - whatever torch or diffusers say, it does not fit
            raise ConfigError(
                f"the user's generator does not run as it is described ({type(error).__name__}); check size_px"
            ) from None

    def generate(self, scene: Scene, rng: np.random.Generator) -> Canvas:
        """See :class:`~photo_anonymizer.methods.generators.protocol.Generator`."""
        return self._made(scene, rng, self._described.steps)

    def _made(self, scene: Scene, rng: np.random.Generator, steps: int) -> Canvas:
        import torch

        described = self._described
        asked = {
            "prompt": described.prompt.replace("{pose}", pose_words(scene)),
            "negative_prompt": described.negative_prompt or None,
            "image": Image.fromarray(scene.picture),
            "mask_image": Image.fromarray(scene.blank.astype(np.uint8) * 255),
            "control_image": Image.fromarray(mesh_drawing(scene)),
            "width": scene.side_px,
            "height": scene.side_px,
            "num_inference_steps": steps,
            "guidance_scale": described.guidance,
            "strength": 1.0,  # starts from noise alone
            "generator": torch.Generator("cpu").manual_seed(int(rng.integers(2**63 - 1))),
            "output_type": "np",
        }
        with self._lock:
            result = self._pipeline(**{name: value for name, value in asked.items() if name in self._takes})
        if any(getattr(result, "nsfw_content_detected", None) or ()):
            raise ValueError("the pipeline's own checker has blanked the picture")
        return np.asarray(result.images[0], np.float32) * np.float32(255)


def check_packages() -> None:
    """:raises ConfigError: a package is missing."""
    for name in PACKAGES:
        try:
            import_module(name)
        except ImportError:
            raise ConfigError(
                f"the generator 'diffusers' needs the package {name}, which is not installed: "
                f"pip install {' '.join(PACKAGES)}, or choose another generator"
            ) from None


def folder_sha256(folder: Path) -> str:
    """SHA-256 over the list of a folder's files that ``sha256sum`` prints, sorted by path; hidden files do not count.

    In a shell, inside the folder: ``find . -type f -not -path '*/.*' -printf '%P\\0' | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum``.

    :raises OSError: a file cannot be read.
    """
    files = {}
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                path = Path(parent, name)
                files[os.fsencode(path.relative_to(folder))] = path
    manifest = hashlib.sha256()
    for shown, path in sorted(files.items()):
        with path.open("rb") as stream:
            manifest.update(hashlib.file_digest(stream, "sha256").hexdigest().encode() + b"  " + shown + b"\n")
    return manifest.hexdigest()


def pose_words(scene: Scene) -> str:
    """The head's turn in words, as the viewer sees it."""
    words = []
    if abs(scene.yaw_rad) > _TURNED_RAD:
        words.append(f"head turned to the {'right' if scene.yaw_rad > 0 else 'left'}")
    if abs(scene.pitch_rad) > _TURNED_RAD:
        words.append(f"looking {'down' if scene.pitch_rad > 0 else 'up'}")
    return ", ".join(words) or "facing the camera"


def mesh_drawing(scene: Scene) -> Pixels:
    """The mesh's outlines on black, uint8 (side, side, 3): what ControlNetMediaPipeFace takes for a face."""
    picture = np.zeros_like(scene.picture)
    width = max(1, round(scene.side_px / 256))
    for points, colour in _LINES:
        cv2.polylines(picture, [_px(scene.points[list(points)])], False, colour, width)
    for eye, colour in ((LEFT_EYE, _LEFT_PUPIL), (RIGHT_EYE, _RIGHT_PUPIL)):
        x, y = _px(scene.points[list(eye)].mean(axis=0)).tolist()
        cv2.rectangle(picture, (x - width, y - width), (x + width - 1, y + width - 1), colour, -1)
    return picture


def _px(points: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.asarray(np.floor(points), np.int32)


def _loop(points: tuple[int, ...]) -> tuple[int, ...]:
    return (*points, points[0])


_LEFT, _LEFT_PUPIL = (180, 200, 10), (250, 200, 10)
_RIGHT, _RIGHT_PUPIL = (10, 200, 180), (10, 200, 250)
_LINES = (
    (_loop(OVAL), (10, 200, 10)),
    (_loop(LEFT_EYE), _LEFT),
    (LEFT_BROW[:5], (180, 220, 10)),
    (LEFT_BROW[5:], (180, 220, 10)),
    (_loop(RIGHT_EYE), _RIGHT),
    (RIGHT_BROW[:5], (10, 220, 180)),
    (RIGHT_BROW[5:], (10, 220, 180)),
    (_loop(OUTER_LIPS), (10, 180, 10)),
    (_loop(INNER_LIPS), (10, 180, 10)),
)


def _verify(described: DiffusersDescription) -> None:
    if not (described.path / "model_index.json").is_file():
        raise ModelError("the folder of the user's generator holds no model_index.json; correct its path")
    try:
        found = folder_sha256(described.path)
    except OSError as error:
        raise ModelError(f"a file of the user's generator cannot be read ({error.strerror})") from None
    if found != described.sha256:
        raise ModelError(
            "the folder of the user's generator is not the one that its description names (its SHA-256 differs); "
            "get the right one, or correct sha256 if you trust this one (docs/methods.md says how it is computed)"
        )


def _pipeline(folder: Path) -> Any:
    import diffusers
    import transformers

    for package in (diffusers, transformers):
        package.utils.logging.disable_progress_bar()
    try:
        pipeline = diffusers.AutoPipelineForInpainting.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True
        )
    except Exception as error:  # noqa: BLE001 - its errors have no common class, and their words may hold the path
        raise ModelError(
            "the folder of the user's generator is no inpainting pipeline that diffusers can load "
            f"({type(error).__name__}); it needs model_index.json and weights as safetensors"
        ) from None
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
