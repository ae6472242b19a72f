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
    "resvg-py",
    "scikit-image",
    "scipy",
    "simplejpeg",
    "tensorflow",
)
"""Packages that may change a picture, or what is found in one."""
_OTHERS = ("apache-airflow", "great-expectations", "retinaface")
_GENERATORS = {"diffusers": ("diffusers", "torch", "transformers")}
"""Packages that change a picture only in runs with that ``synthetic.generator``."""


def software_versions(generator: str = "none") -> dict[str, str]:
    """Versions of the interpreter and of the packages that a result depends on.

    :param generator: the run's ``synthetic.generator``.
    """
    names = sorted((*_DECIDING, *_OTHERS, *_GENERATORS.get(generator, ())))
    return {"python": platform.python_version(), **_versions(names)}


def deciding_versions(generator: str = "none") -> dict[str, str]:
    """Versions of the packages that may change a picture: after their upgrade every photo is worked on anew.

    :param generator: the run's ``synthetic.generator``.
    """
    return _versions((*_DECIDING, *_GENERATORS.get(generator, ())))


def _versions(names: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
