"""Which software made a release."""

from __future__ import annotations

import platform
from importlib import metadata

_PACKAGES = (
    "ai-edge-litert",
    "apache-airflow",
    "great-expectations",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "retinaface",
    "tensorflow",
)


def software_versions() -> dict[str, str]:
    """Versions of the interpreter and of the packages that decide a result."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
