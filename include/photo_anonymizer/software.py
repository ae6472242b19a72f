"""Which software made a release."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata

_DECIDING = (
    "ai-edge-litert",
    "jpeglib",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "pillow-heif",
    "scikit-image",
    "scipy",
    "simplejpeg",
    "tensorflow",
)
"""Packages that may change a picture, or what is found in one."""
_OTHERS = ("apache-airflow", "great-expectations", "retinaface")


def software_versions() -> dict[str, str]:
    """Versions of the interpreter and of the packages that a result depends on."""
    return {"python": platform.python_version(), **_versions(sorted((*_DECIDING, *_OTHERS)))}


def deciding_versions() -> dict[str, str]:
    """Versions of the packages that may change a picture: after their upgrade every photo is worked on anew."""
    return _versions(_DECIDING)


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
