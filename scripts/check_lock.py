"""Do requirements.in and requirements.txt agree? Resolves the first against the second and compares.

Versions in requirements.txt are kept where they still fit, so that a new release of some package is no disagreement; a
line that is missing, superfluous or does not fit any more is.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).parent / "uv"
COMMON = [
    "--universal",
    "--python-version",
    "3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--quiet",
]
LOCKS = {
    "requirements.txt": [
        "requirements.in",
        "--overrides",
        "requirements-overrides.txt",
        "--excludes",
        "requirements-excludes.txt",
    ],
    "requirements-dev.txt": ["requirements-dev.in"],
}


def resolved(lock: str, arguments: list[str], folder: Path) -> str:
    """What the lock would be if it were made now, starting from what it is."""
    for name in [*LOCKS, *(item for item in ROOT.glob("requirements*"))]:
        source = ROOT / name
        shutil.copy(source, folder / source.name)
    command = [str(UV), "pip", "compile", *COMMON, *arguments, "-o", lock]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{lock}: cannot be resolved\n{done.stderr}")
    return (folder / lock).read_text(encoding="utf-8")


def main() -> int:
    """Exit code 1 and the difference when a lock is stale."""
    stale = 0
    for lock, arguments in LOCKS.items():
        with tempfile.TemporaryDirectory() as folder:
            wanted = resolved(lock, arguments, Path(folder))
        found = (ROOT / lock).read_text(encoding="utf-8")
        if wanted != found:
            stale = 1
            lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), lock, "made from .in", lineterm="")
            print("\n".join(list(lines)[:60]))
            print(f"{lock} does not agree with {arguments[0]}; run: make lock")
    return stale


if __name__ == "__main__":
    sys.exit(main())
